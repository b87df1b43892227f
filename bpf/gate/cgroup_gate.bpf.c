/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: packets that TCP should see later, or not at all: the only back-pressure that a redirected stream can have. */
#include "gate.h"

SEC("cgroup_skb/ingress") int cgroup_gate(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return GATE_PASS;
	if (sk->state == BPF_TCP_LISTEN)
		return gate_handshake(skb, sk);
	if (!gate_concerned(skb))
		return GATE_PASS;
	sk = bpf_sk_fullsock(sk);
	return sk ? gate_bytes(skb, sk) : GATE_PASS;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: what the helper sends goes where `target` says: into the service's socket, or to the client. */
#include "maps.h"

SEC("sk_msg") int sk_msg_handback(struct sk_msg_md *msg)
{
	struct target *t;
	struct conn *conn;
	__u32 zero = 0;
	__u64 cookie;

	t = bpf_map_lookup_elem(&target, &zero);
	if (!t)
		return SK_PASS;
	cookie = t->cookie;
	conn = bpf_map_lookup_elem(&conns, &cookie);
	/* Reset, or about to be (gate_reset()): the service expects nothing more. */
	if (!t->egress && (!conn || conn->state == CONN_CLOSED))
		return SK_PASS;
	/* A target that is gone makes this fail; SK_PASS then takes the bytes to the idle peer. SK_DROP would stick. */
	bpf_msg_redirect_hash(msg, &sockets, &cookie, t->egress ? 0 : BPF_F_INGRESS);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that the service sends on a guarded connection. */
#include "response_fast.h"

SEC("sk_msg") int sk_msg_response(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	struct tcp_sock *tp;
	struct conn *conn;
	__u64 cookie;
	bool fast;
	int verdict;

	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp)
		return SK_PASS;
	cookie = cookie_of(tp);
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn)
		return SK_PASS;
	fast = response_enter(msg, conn, cookie, tp);
	verdict = response_follow(msg, conn, cookie, tp, fast);
	return fast && verdict == SK_PASS ? response_carry(msg, conn) : verdict;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that the service sends on a guarded connection. */
#include "cookie.h"
#include "response.h"

SEC("sk_msg") int sk_msg_response(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	struct tcp_sock *tp;
	struct conn *conn;
	__u64 cookie;

	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp)
		return SK_PASS;
	cookie = cookie_of(tp);
	conn = bpf_map_lookup_elem(&conns, &cookie);
	return conn ? response_follow(msg, conn, cookie, tp) : SK_PASS;
}

char _license[] SEC("license") = "GPL";

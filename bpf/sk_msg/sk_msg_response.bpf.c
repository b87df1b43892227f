/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that the service sends on a guarded connection. */
#include "response.h"

SEC("sk_msg") int sk_msg_response(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	struct tcp_sock *tp;
	struct conn *conn;
	__u64 *cookie;

	cookie = sk ? bpf_sk_storage_get(&cookies, sk, 0, 0) : NULL;
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!cookie || !tp)
		return SK_PASS;
	conn = bpf_map_lookup_elem(&conns, cookie);
	return conn ? response_follow(msg, conn, *cookie, tp) : SK_PASS;
}

char _license[] SEC("license") = "GPL";

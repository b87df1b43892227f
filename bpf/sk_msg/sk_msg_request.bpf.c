/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that a client of this node sends to a guarded service. */
#include "request_fast.h"

SEC("sk_msg") int sk_msg_request(struct sk_msg_md *msg)
{
	struct fast_client *client;
	struct fast_run run = {};
	struct bpf_sock *sk = msg->sk;
	struct tcp_sock *tp;
	struct conn *conn;

	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp)
		return SK_PASS;
	run.client = cookie_of(tp);
	client = bpf_map_lookup_elem(&fast_clients, &run.client);
	if (!client)
		return SK_PASS;
	run.rq.cookie = READ_ONCE(client->service.cookie);
	conn = bpf_map_lookup_elem(&conns, &run.rq.cookie);
	if (!conn || conn->client.cookie != run.client)
		return SK_PASS;
	fast_send(msg, tp, conn, client, &run);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 2: the bytes that TCP brings to a client of this node, of a guarded service. They pass: but as bytes that a program has
 * seen, they are put behind those that went past TCP, where the kernel's own readers would take them first.
 */
#include "close.h"
#include "cookie.h"
#include "judging.h"

/* Bytes that came before are cut off. Returns 0, or -1: they cannot be told from what is new. */
static __always_inline int client_trim(struct __sk_buff *skb, struct fast_client *client)
{
	__u32 seq = skb->cb[0], len = skb->len, old = client->front - seq; /* TCP_SKB_CB(skb)->seq */

	client->front = seq + len;
	if (likely((__s32)old <= 0))
		return 0;
	if (old > len)
		client->front += old - len;
	return judging_trim(skb, old < len ? old : len);
}

/* What comes cannot be told from what came: the connection ends. */
static __always_inline void client_give_up(const struct fast_client *client)
{
	__u64 service = client->service.cookie;
	struct conn *conn = bpf_map_lookup_elem(&conns, &service);

	if (conn)
		ask_close(conn, service);
}

SEC("sk_skb/stream_verdict") int sk_skb_client(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	struct fast_client *client;
	int verdict = SK_PASS;
	__u64 cookie;

	if (!tp)
		return SK_PASS;
	cookie = cookie_of(tp);
	client = bpf_map_lookup_elem(&fast_clients, &cookie);
	if (!client)
		return SK_PASS;
	if (skb->len && client_trim(skb, client)) {
		client_give_up(client);
		verdict = SK_DROP;
	}
	if (client->ended && !tp->inet_conn.icsk_inet.sk.sk_receive_queue.qlen)
		bpf_map_delete_elem(&fast_clients, &cookie);
	return verdict;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what a guarded socket cannot take yet is dropped before TCP acknowledges it, so that the client sends it again.
 *
 * Bytes for the helper are acknowledged when the verdict program has run. Without this, a client that sends faster than the
 * helper works would fill memory, or lose bytes. And a handshake that finds the tables full would end up unguarded.
 */
#ifndef MPBPF_BPF_GATE_H
#define MPBPF_BPF_GATE_H

#include "conn.h"

enum gate_action { GATE_DROP, GATE_PASS }; /* what a cgroup_skb program returns */

#define IPPROTO_TCP 6
#define GATE_CONNS_MAX (MPBPF_CONNS_MAX - MPBPF_CONNS_MAX / 64) /* the rest is for handshakes under way */

/* The TCP header of the packet; returns its offset, or -1: not plain TCP. The data begins with the IP header here. */
static __always_inline int gate_tcp(struct __sk_buff *skb, struct tcphdr *tcp, struct addr *local)
{
	__u8 version;
	struct ipv6hdr ip6;
	struct iphdr ip4;
	int off;

	if (bpf_skb_load_bytes(skb, 0, &version, 1))
		return -1;
	if (version >> 4 == 4) {
		if (bpf_skb_load_bytes(skb, 0, &ip4, sizeof(ip4)) || ip4.protocol != IPPROTO_TCP)
			return -1;
		addr_set4(local, ip4.daddr);
		off = ip4.ihl * 4;
	} else {
		if (bpf_skb_load_bytes(skb, 0, &ip6, sizeof(ip6)) || ip6.nexthdr != IPPROTO_TCP)
			return -1;
		__builtin_memcpy(local, &ip6.daddr, sizeof(*local));
		off = sizeof(ip6);
	}
	return bpf_skb_load_bytes(skb, off, tcp, sizeof(*tcp)) ? -1 : off;
}

/* A packet for a listening socket: none may begin or end a handshake on a guarded port when the tables are full. */
static __always_inline int gate_handshake(struct __sk_buff *skb)
{
	struct control *c = control_get();
	struct tcphdr tcp;
	struct addr local;

	if (!c || READ_ONCE(c->conns_open) < GATE_CONNS_MAX)
		return GATE_PASS;
	if (gate_tcp(skb, &tcp, &local) < 0 || !listener_find(READ_ONCE(c->generation), &local, tcp.dest))
		return GATE_PASS;
	STATS_INC(held);
	return GATE_DROP;
}

/* Whether this may be a FIN, at the price of a few instructions: most packets are not, and of no interest. */
static __always_inline bool gate_fin(struct __sk_buff *skb)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	__u32 off = sizeof(struct ipv6hdr);

	if (data + 1 > end)
		return true;
	if (data[0] >> 4 == 4)
		off = (data[0] & 15) * 4;
	data += off + 13; /* the flags of the TCP header */
	return data + 1 > end || (*data & 1);
}

/*
 * The client's FIN must not overtake its bytes: the service would see the end before what the helper has yet to hand back, or
 * close while the kernel's answer is still with a worker. Nor while bytes wait for accept(), which nobody has judged.
 */
static __always_inline bool gate_holds_fin(const struct conn *conn, __u32 write_seq, __u32 queued)
{
	return queued || (conn->state == CONN_HELPER && conn->asked != conn->returned) ||
	       conn_reply_queued(conn, write_seq);
}

/* What the helper holds of a connection is bounded: then no payload passes. */
static __always_inline bool gate_holds_payload(const struct conn *conn)
{
	return conn->state == CONN_HELPER && conn->asked - conn->returned > MPBPF_HOLD_MAX;
}

/* A packet for an established connection. */
static __always_inline int gate_bytes(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct control *c = control_get();
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct tcphdr tcp;
	struct conn *conn;
	struct addr local;
	__u64 *cookie;
	__u32 queued;
	int off;

	if (!c || !tp)
		return GATE_PASS;
	/* Behind accept(), or while the service is inside a system call on this socket. */
	queued = tp->inet_conn.icsk_inet.sk.sk_receive_queue.qlen | tp->inet_conn.icsk_inet.sk.sk_backlog.len;
	if (!queued && !READ_ONCE(c->conns_asking) && !gate_fin(skb))
		return GATE_PASS;
	cookie = bpf_sk_storage_get(&cookies, sk, 0, 0);
	conn = cookie ? bpf_map_lookup_elem(&conns, cookie) : NULL;
	if (!conn)
		return GATE_PASS;
	off = gate_tcp(skb, &tcp, &local);
	if (off < 0)
		return GATE_PASS;
	if ((tcp.fin && gate_holds_fin(conn, tp->write_seq, queued)) ||
	    (skb->len > (__u32)off + tcp.doff * 4 && gate_holds_payload(conn))) {
		STATS_INC(held);
		return GATE_DROP;
	}
	return GATE_PASS;
}

#endif

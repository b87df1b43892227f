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

/* A packet for a guarded connection whose bytes go to the helper: none with payload while the helper holds enough. */
static __always_inline int gate_bytes(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct control *c;
	struct tcp_sock *tp;
	struct tcphdr tcp;
	struct conn *conn;
	struct addr local;
	__u64 *cookie;
	int off;

	c = control_get();
	if (!c || !READ_ONCE(c->conns_asking))
		return GATE_PASS;
	cookie = bpf_sk_storage_get(&cookies, sk, 0, 0);
	if (!cookie)
		return GATE_PASS;
	conn = bpf_map_lookup_elem(&conns, cookie);
	if (!conn || conn->state != CONN_HELPER)
		return GATE_PASS;
	/* The helper waits for responses to be written; the client's acknowledgement of one passes here. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		conn->write_seq = tp->write_seq;
	if (conn->asked - conn->returned <= MPBPF_HOLD_MAX)
		return GATE_PASS;
	off = gate_tcp(skb, &tcp, &local);
	if (off < 0 || skb->len <= (__u32)off + tcp.doff * 4)
		return GATE_PASS;
	STATS_INC(held);
	return GATE_DROP;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what a guarded socket cannot take yet is dropped before TCP acknowledges it, so that the client sends it again.
 *
 * Bytes for the helper are acknowledged when the verdict program has run. Without this, a client that sends faster than the
 * helper works would fill memory, or lose bytes. And a handshake that finds the tables full would end up unguarded.
 *
 * The client's FIN is held too: TCP tells the service of it at once, ahead of all that the helper has yet to hand back.
 */
#ifndef MPBPF_BPF_GATE_H
#define MPBPF_BPF_GATE_H

#include "ask.h"
#include "cookie.h"
#include "gate_segment.h"
#include "written.h"

enum gate_action { GATE_DROP, GATE_PASS }; /* what a cgroup_skb program returns */

#define GATE_CONNS_MAX (MPBPF_CONNS_MAX - MPBPF_CONNS_MAX / 64) /* the rest is for handshakes under way */

/* A packet for a listening socket: none may begin or end a handshake on a guarded port when the tables are full. */
static __always_inline int gate_handshake(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct control *c = control_get();
	struct listener *l;
	struct segment seg;

	if (!c || READ_ONCE(c->conns_open) < GATE_CONNS_MAX || !bpf_skc_to_tcp_sock(sk))
		return GATE_PASS;
	if (segment_read(skb, &seg))
		return GATE_PASS;
	l = listener_find(READ_ONCE(c->generation), &seg.local, seg.port);
	if (!l || (l->flags & (LISTENER_GONE | LISTENER_OPAQUE)))
		return GATE_PASS;
	STATS_INC(held);
	return GATE_DROP;
}

/* Whether this may be a FIN or a reset, at the price of a few instructions: most packets are not, and of no interest. */
static __always_inline bool gate_ends(struct __sk_buff *skb)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	__u32 off = sizeof(struct ipv6hdr);

	if (data + sizeof(struct iphdr) > end)
		return true;
	if (data[0] >> 4 == 4)
		off = (data[0] & 15) * 4;
	else if (data[offsetof(struct ipv6hdr, nexthdr)] != IPPROTO_TCP)
		return true;
	data += off + 13; /* the flags of the TCP header */
	return data + 1 > end || (*data & 5);
}

/* What the helper holds of a connection is bounded: then no payload passes. */
static __always_inline bool gate_holds_payload(const struct conn *conn)
{
	return conn->state == CONN_HELPER && conn->asked - conn->returned > MPBPF_HOLD_MAX;
}

/*
 * What the gate has taken ahead the client sends again. A service that has closed meanwhile would answer that with a reset, which
 * throws away what it has yet to send: then it waits until the client has all of that.
 */
static __always_inline bool gate_holds_again(const struct conn *conn, const struct bpf_sock *sk,
					     const struct tcp_sock *tp)
{
	return front_ahead(conn->front) && sk->state == BPF_TCP_FIN_WAIT1 && !tp->inet_conn.icsk_inet.sk.sk_socket;
}

/*
 * The client's FIN must not overtake its bytes: the service would see the end before what the helper has yet to hand back, or
 * close while the kernel's answer is still with a worker.
 */
static __always_inline bool gate_holds_fin(const struct conn *conn, __u32 write_seq)
{
	return (conn->state == CONN_HELPER && conn->asked != conn->returned) || conn_reply_queued(conn, write_seq);
}

/*
 * A reset would overtake them: recv() tells of it before what is handed back after it, and a service that reads on then takes the
 * rest of a request for another (request_waits()). What the helper is handing back at this moment cannot be stopped: the kernel
 * may wait for the service's socket behind sk_msg_handback. So TCP does not get the reset. The connection is given up, nothing
 * more is handed back, and the agent ends it when it is done with that. A reset that TCP would not take (RFC 5961, section 3)
 * ends nothing; it comes again with the next segment that the client gets.
 */
static __always_inline int gate_reset(struct __sk_buff *skb, struct conn *conn, __u64 cookie, const struct segment *seg,
				      const struct tcp_sock *tp)
{
	bool holds = conn->state == CONN_HELPER && conn->asked != conn->returned;

	if (!holds && !(conn->flags & CONN_RESET))
		return GATE_PASS;
	/* Without an agent nobody hands anything back, nor ends the connection. */
	if (!ask_served())
		return GATE_PASS;
	if (holds && seg->seq == tp->rcv_nxt && segment_sums(skb)) {
		bpf_spin_lock(&conn->lock);
		conn->flags |= CONN_RESET;
		bpf_spin_unlock(&conn->lock);
		ask_close(conn, cookie);
	}
	return GATE_DROP;
}

/* Whether TCP may still get a FIN for the service to see. After close() there is none, nor a program that judges. */
static __always_inline bool gate_end_is_new(const struct bpf_sock *sk, const struct tcp_sock *tp)
{
	switch (sk->state) {
	case BPF_TCP_ESTABLISHED:
	case BPF_TCP_SYN_RECV: return true;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2: return tp->inet_conn.icsk_inet.sk.sk_socket;
	default: return false;
	}
}

/* Bytes of a body that is under way need no helper. */
static __always_inline bool gate_body(const struct conn *conn, __u32 len)
{
	return (conn->state == CONN_BODY || conn->state == CONN_DISCARD) && http1_body_plain(&conn->request) &&
	       conn->request.left >= len;
}

/*
 * Whether the client acknowledges what it may, and nothing older than it has acknowledged already: else it would be enough to
 * know where its stream is, to put bytes there in its name (RFC 5961, section 5). An old one comes again with a newer number.
 */
static __always_inline bool gate_acks(const struct segment *seg, const struct tcp_sock *tp)
{
	return !seq_before(seg->ack, tp->snd_una) && !seq_before(tp->snd_nxt, seg->ack);
}

/*
 * Bytes that come in one segment with the FIN cannot be kept from TCP and the FIN given to it. Whether they need the helper only
 * sk_skb would find out, when the service knows of the end already. So the helper gets them from here, before TCP; the client
 * sends the segment again, and it passes as the FIN alone would. With no agent to take them the kernel decides alone.
 */
static __always_inline int gate_take(struct __sk_buff *skb, const struct conn *conn, __u64 cookie,
				     const struct segment *seg, __u32 rcv_nxt)
{
	struct asking what = {
		.cookie = cookie,
		.off = seg->off + (rcv_nxt - seg->seq),
		.len = seg->len - (rcv_nxt - seg->seq),
		.ahead = 1,
		.seq = rcv_nxt,
	};
	int refusal;

	/* What TCP itself will throw away must not count as had: the right bytes may be on their way. */
	if (gate_body(conn, what.len) || !seg->plain || !segment_sums(skb))
		return GATE_PASS;
	/* Refused, sk_skb says so. */
	refusal = ask_bytes(skb, &what);
	return refusal && refusal != ASK_CLOSED && what.len ? GATE_PASS : GATE_DROP;
}

/* A segment with a FIN, of which TCP has not heard yet. */
static __always_inline int gate_end(struct __sk_buff *skb, struct conn *conn, __u64 cookie, const struct segment *seg,
				    const struct tcp_sock *tp)
{
	__u32 rcv_nxt = tp->rcv_nxt, write_seq = conn_written(conn, tp);
	bool hold, take;
	__s32 fresh;
	__u64 front;

	bpf_spin_lock(&conn->lock);
	front = conn->front;
	hold = gate_holds_fin(conn, write_seq);
	take = !front_ahead(front) && conn->state != CONN_CLOSED && !conn_reply_queued(conn, write_seq);
	bpf_spin_unlock(&conn->lock);
	/* Bytes before it are missing, or wait for accept(), for the service's system call to end, or for sk_skb to. */
	if ((front & FRONT_AT_WORK) || (__u32)front != rcv_nxt || seq_before(rcv_nxt, seg->seq))
		return GATE_DROP;
	/* A FIN alone that must wait tells the helper that what it has is all. */
	fresh = seg->seq + seg->len - rcv_nxt;
	if (take && (fresh > 0 || (!fresh && hold)))
		return gate_acks(seg, tp) ? gate_take(skb, conn, cookie, seg, rcv_nxt) : GATE_DROP;
	return hold ? GATE_DROP : GATE_PASS;
}

/* Whether a packet for an established connection needs a look: mostly nobody waits, and it ends nothing. */
static __always_inline bool gate_concerned(struct __sk_buff *skb)
{
	struct control *c = control_get();

	return c && (READ_ONCE(c->conns_asking) || gate_ends(skb));
}

/* A packet for an established connection. */
static __always_inline int gate_bytes(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	int action = GATE_PASS;
	struct segment seg;
	struct conn *conn;
	__u64 cookie;

	if (!tp)
		return GATE_PASS;
	cookie = cookie_of(tp);
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn || conn->state == CONN_TUNNEL)
		return GATE_PASS;
	if (segment_read(skb, &seg))
		return GATE_PASS;
	if (seg.rst)
		action = gate_reset(skb, conn, cookie, &seg, tp);
	else if (seg.len && (gate_holds_payload(conn) || gate_holds_again(conn, sk, tp)))
		action = GATE_DROP;
	else if (seg.fin && gate_end_is_new(sk, tp))
		action = gate_end(skb, conn, cookie, &seg, tp);
	if (action == GATE_DROP)
		STATS_INC(held);
	return action;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: forgetting a connection. Not always when it ends: TCP tells of that while a segment that came with the client's FIN, when
 * the service has sent its own, waits for its verdict (tcp_fin(), tcp_data_ready() after it). Then the program that gives it forgets.
 */
#ifndef MPBPF_BPF_ENDING_H
#define MPBPF_BPF_ENDING_H

#include "conn.h"

static __always_inline void conn_forget(struct conn *conn, __u64 cookie)
{
	struct control *c = control_get();
	__s64 change;

	bpf_spin_lock(&conn->lock);
	change = conn_become(conn, CONN_CLOSED);
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (conn->sending & SENDING_PIECE)
		bpf_map_delete_elem(&pieces, &cookie);
	/* Who deletes it counts it. */
	if (bpf_map_delete_elem(&conns, &cookie))
		return;
	STATS_INC(conns_closed);
	if (c)
		__sync_fetch_and_add(&c->conns_open, -1);
}

/*
 * Whether a verdict program has yet to see what waits at a socket in TCP_CLOSE. One that nobody has accepted may never be asked
 * for that, and one that was closed has no program any more.
 */
static __always_inline bool ending_waits(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	return sk->sk_receive_queue.qlen && sk->sk_socket;
}

static __always_inline void conn_end(struct conn *conn, __u64 cookie, const struct tcp_sock *tp)
{
	if (!ending_waits(tp)) {
		conn_forget(conn, cookie);
		return;
	}
	bpf_spin_lock(&conn->lock);
	conn->flags |= CONN_ENDED;
	bpf_spin_unlock(&conn->lock);
}

/* A segment was dealt with. */
static __always_inline void conn_end_late(struct conn *conn, __u64 cookie, const struct tcp_sock *tp)
{
	if (unlikely(conn->flags & CONN_ENDED) && !tp->inet_conn.icsk_inet.sk.sk_receive_queue.qlen)
		conn_forget(conn, cookie);
}

#endif

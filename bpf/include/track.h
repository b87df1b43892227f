/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: putting an accepted socket under guard, and forgetting it. */
#ifndef MPBPF_BPF_TRACK_H
#define MPBPF_BPF_TRACK_H

#include "ending.h"
#include "lag.h"
#include "openings.h"
#include "pairing.h"

#define SO_BINDTOIFINDEX 62

/*
 * Not guarded though it should be: cut it off. Bound to an interface that does not exist, the socket gets no further segment
 * (the stack answers them with RST) and can send none.
 */
static __always_inline void track_refuse(struct bpf_sock_ops *ops)
{
	int nowhere = 0x7fffffff;

	STATS_INC(refused);
	bpf_setsockopt(ops, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
}

static __always_inline int track_insert(struct bpf_sock_ops *ops, struct conn *conn, __u64 cookie)
{
	if (bpf_map_update_elem(&conns, &cookie, conn, BPF_ANY))
		return -1;
	if (bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG) ||
	    bpf_sock_hash_update(ops, &sockets, &cookie, BPF_NOEXIST)) {
		bpf_map_delete_elem(&conns, &cookie);
		return -1;
	}
	return 0;
}

/* Whether its listener has anything to do with it. Where no request is judged, that is for the fast path of its client alone. */
static __always_inline bool track_concerns(struct bpf_sock_ops *ops, struct conn *conn)
{
	if (conn->listener.flags & LISTENER_FAST)
		conn->client = fast_client_of(ops, conn);
	if (!(conn->listener.flags & (LISTENER_GONE | LISTENER_OPAQUE)))
		return true;
	conn->state = CONN_TUNNEL;
	return conn->client.cookie;
}

static __always_inline void track_open(struct bpf_sock_ops *ops)
{
	struct control *c = control_get();
	struct conn conn = { .listener.flags = LISTENER_GONE };
	__u64 cookie;

	if (!c)
		return;
	ops_addrs(ops, &conn.local, &conn.remote);
	conn.local_port = ops_local_port(ops);
	conn.remote_port = ops_remote_port(ops);
	opening_count(ops, &conn.remote);
	conn_refresh(&conn, c);
	if (!track_concerns(ops, &conn))
		return;
	cookie = conn.cookie = bpf_get_socket_cookie(ops);
	if (conn.listener.sample && bpf_get_prandom_u32() <= conn.listener.sample)
		conn.flags |= CONN_MEASURED;
	conn.netns = bpf_get_netns_cookie(ops);
	conn.opened_at = bpf_ktime_get_boot_ns();
	conn.front = ops->rcv_nxt;
	if (track_insert(ops, &conn, cookie)) {
		if (conn.state != CONN_TUNNEL)
			track_refuse(ops);
		return;
	}
	if (conn.client.cookie) {
		fast_service_open(ops, &conn, cookie);
		STATS_INC(fast);
	}
	STATS_INC(guarded);
	if (conn.flags & CONN_MEASURED)
		STATS_INC(measured);
	__sync_fetch_and_add(&c->conns_open, 1);
}

static __always_inline void track_close(struct bpf_sock_ops *ops)
{
	__u64 cookie = bpf_get_socket_cookie(ops);
	struct conn *conn = bpf_map_lookup_elem(&conns, &cookie);
	struct bpf_sock *sk = ops->sk;
	struct tcp_sock *tp = conn && sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (tp)
		conn_end(conn, cookie, tp);
	else if (conn)
		conn_forget(conn, cookie);
}

/* Of any connection that is counted, guarded or not. */
static __always_inline void track_end(struct bpf_sock_ops *ops)
{
	opening_uncount(ops);
	track_close(ops);
	fast_client_close(ops);
}

#endif

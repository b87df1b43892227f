/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: putting an accepted socket under guard, and forgetting it. */
#ifndef MPBPF_BPF_TRACK_H
#define MPBPF_BPF_TRACK_H

#include "lag.h"
#include "openings.h"

#define AF_INET 2
#define AF_INET6 10
#define SO_BINDTOIFINDEX 62

static __always_inline void track_addrs(struct bpf_sock_ops *ops, struct conn *conn)
{
	__u32 family = ops->family, local_port = ops->local_port, remote_port = ops->remote_port;
	__u32 l4 = ops->local_ip4, r4 = ops->remote_ip4;

	conn->local_port = bpf_htons(local_port);
	conn->remote_port = bpf_htons(bpf_ntohl(remote_port));
	if (family == AF_INET) {
		addr_set4(&conn->local, l4);
		addr_set4(&conn->remote, r4);
		return;
	}
	conn->local.w[0] = ops->local_ip6[0];
	conn->local.w[1] = ops->local_ip6[1];
	conn->local.w[2] = ops->local_ip6[2];
	conn->local.w[3] = ops->local_ip6[3];
	conn->remote.w[0] = ops->remote_ip6[0];
	conn->remote.w[1] = ops->remote_ip6[1];
	conn->remote.w[2] = ops->remote_ip6[2];
	conn->remote.w[3] = ops->remote_ip6[3];
}

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

static __always_inline void track_open(struct bpf_sock_ops *ops)
{
	struct control *c = control_get();
	struct conn conn = { .listener.flags = LISTENER_GONE };
	__u64 cookie;

	if (!c)
		return;
	track_addrs(ops, &conn);
	opening_count(ops, &conn.remote);
	conn_refresh(&conn, c);
	if (conn.listener.flags & LISTENER_GONE)
		return;
	cookie = bpf_get_socket_cookie(ops);
	if (conn.listener.sample && bpf_get_prandom_u32() <= conn.listener.sample)
		conn.flags |= CONN_MEASURED;
	conn.netns = bpf_get_netns_cookie(ops);
	conn.opened_at = bpf_ktime_get_boot_ns();
	conn.front = ops->rcv_nxt;
	if (track_insert(ops, &conn, cookie)) {
		track_refuse(ops);
		return;
	}
	STATS_INC(guarded);
	if (conn.flags & CONN_MEASURED)
		STATS_INC(measured);
	__sync_fetch_and_add(&c->conns_open, 1);
}

static __always_inline void track_close(struct bpf_sock_ops *ops)
{
	struct control *c = control_get();
	__u64 cookie = bpf_get_socket_cookie(ops);
	struct conn *conn = bpf_map_lookup_elem(&conns, &cookie);
	__s64 change;

	if (!conn)
		return;
	bpf_spin_lock(&conn->lock);
	change = conn_become(conn, CONN_CLOSED);
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (conn->sending & SENDING_PIECE)
		bpf_map_delete_elem(&pieces, &cookie);
	bpf_map_delete_elem(&conns, &cookie);
	STATS_INC(conns_closed);
	if (c)
		__sync_fetch_and_add(&c->conns_open, -1);
}

/* Of any connection that is counted, guarded or not. */
static __always_inline void track_end(struct bpf_sock_ops *ops)
{
	opening_uncount(ops);
	track_close(ops);
}

#endif

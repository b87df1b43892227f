/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: giving a connection up. A verdict program cannot close a socket: nothing passes any more, and the agent closes it. */
#ifndef MPBPF_BPF_CLOSE_H
#define MPBPF_BPF_CLOSE_H

#include "conn.h"

/* Without an agent, or without room for the record, the next agent finds the connection by its state. */
static __always_inline void ask_close(struct conn *conn, __u64 cookie)
{
	struct ask *ask;
	__s64 change = 0;
	bool gone;

	bpf_spin_lock(&conn->lock);
	gone = conn->cookie != cookie;
	if (!gone)
		change = conn_become(conn, CONN_CLOSED);
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (gone)
		return;
	ask = bpf_ringbuf_reserve(&asks, sizeof(*ask), 0);
	if (!ask)
		return;
	__builtin_memset(ask, 0, sizeof(*ask));
	ask->cookie = cookie;
	ask->kind = ASK_CLOSE;
	bpf_ringbuf_submit(ask, 0);
}

#endif

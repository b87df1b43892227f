/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: which connections may go past TCP, as the configuration says. */
#ifndef MPBPF_BPF_FAST_ALLOWED_H
#define MPBPF_BPF_FAST_ALLOWED_H

#include "conn.h"

/* Whether a client's connection to this listener may go past TCP. */
static __always_inline bool fast_allowed(__u32 generation, const struct listener *l, const struct addr *client)
{
	struct cidr_key key = { .prefixlen = 64 + 128, .generation = generation, .addr = *client };

	if (!(l->flags & LISTENER_FAST))
		return false;
	if (l->flags & LISTENER_FAST_ALL)
		return true;
	key.list = CIDR_FAST_PEERS + l->index;
	return bpf_map_lookup_elem(&cidrs, &key);
}

/* The listener in force, read again after each reload. What that says of the fast path holds from then on. */
static __always_inline void conn_renew(struct conn *conn, const struct control *c)
{
	if (conn->generation == READ_ONCE(c->generation))
		return;
	conn_refresh(conn, c);
	if (conn->client.cookie && !fast_allowed(conn->generation, &conn->listener, &conn->remote))
		conn->client.cookie = 0;
}

static __always_inline bool fast_in_use(const struct control *c)
{
	return c && READ_ONCE(c->fast_listeners);
}

#endif

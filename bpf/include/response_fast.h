/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what a service sends to a client of this node, past TCP. */
#ifndef MPBPF_BPF_RESPONSE_FAST_H
#define MPBPF_BPF_RESPONSE_FAST_H

#include "fast.h"
#include "fast_allowed.h"
#include "fast_source.h"
#include "lag.h"
#include "response.h"

/*
 * A message that went past TCP and found too little memory at the client's end comes again, from where it was cut: then its first
 * piece is not the first place for one (bpf_tcp_ingress()). A message that the service begins is never so.
 */
static __always_inline bool response_is_rest(struct sk_msg_md *msg, const struct conn *conn)
{
	const struct sk_msg *at = (const void *)msg;

	return (conn->sending & SENDING_FAST) && BPF_CORE_READ(at, sg.start);
}

static __always_inline void response_broken(struct conn *conn, __u64 cookie)
{
	STATS_INC(broken);
	ask_close(conn, cookie);
}

/* The service answers the request that went past TCP: so it has read it. Before that it may only end what it answered before. */
static __always_inline void response_tells(struct conn *conn)
{
	if ((conn->front & FRONT_FAST) && conn->response.kind == BODY_NONE && conn->allowed - conn->answered == 1)
		__sync_fetch_and_and(&conn->front, ~FRONT_FAST);
}

/* Whether policy, as it is now, leaves the client its fast path. What is under way goes on by TCP, and the next request renews. */
static __always_inline bool response_may(const struct conn *conn, const struct control *c)
{
	return conn->client.cookie && c && conn->generation == READ_ONCE(c->generation) &&
	       !source_refused(&conn->remote);
}

/* Whether this message goes past TCP. A segment has to leave where poll() is wrong about the socket: see lag.h. */
static __always_inline bool response_enter(struct sk_msg_md *msg, struct conn *conn, __u64 cookie,
					   const struct tcp_sock *tp)
{
	bool rest = response_is_rest(msg, conn), fast = false;
	struct control *c = control_get();

	if (conn->state == CONN_TUNNEL && c)
		conn_renew(conn, c); /* no request will */
	if (!rest) {
		response_tells(conn);
		fast = response_may(conn, c) && lag_of(tp) == conn->lag &&
		       fast_enter(&conn->down, &conn->client, tp, msg->size);
	} else {
		conn->fast_out -= msg->size;
		/* A request passed behind a response that was not whole. */
		if (conn->front & FRONT_FAST)
			response_broken(conn, cookie);
	}
	if (fast)
		conn->sending |= SENDING_FAST;
	else
		conn->sending &= ~SENDING_FAST;
	return fast;
}

/* A client that is gone makes this fail: then TCP says so. */
static __always_inline int response_carry(struct sk_msg_md *msg, struct conn *conn)
{
	__u32 size = msg->size;

	if (fast_carry(msg, &client_sockets, conn->client.cookie))
		conn->fast_out += size;
	else
		conn->sending &= ~SENDING_FAST;
	return SK_PASS;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: which socket takes a connection that comes to this host and is captured: an endpoint's own, or the relay's of mpbpfd. It
 * is looked for where no gateway is.
 */
#ifndef MPBPF_BPF_CAPTURE_IN_H
#define MPBPF_BPF_CAPTURE_IN_H

#include "capture.h"

static __always_inline bool is_own(const struct addr *addr, __be16 port)
{
	struct own_place place = { .addr = *addr, .port = port };

	return bpf_map_lookup_elem(&own_places, &place);
}

/* Of the family in which the connection comes. */
static __always_inline bool relay_assign(struct bpf_sk_lookup *ctx, __u64 id, bool v4)
{
	struct relay_socket_key key = { .id = id, .family = v4 ? 4 : 6 };
	struct bpf_sock *sk;
	long err;

	sk = bpf_map_lookup_elem(&relay_sockets, &key);
	if (!sk)
		return false;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return !err;
}

static __always_inline bool relay_is_there(__u64 id, bool v4)
{
	struct relay_socket_key key = { .id = id, .family = v4 ? 4 : 6 };
	struct bpf_sock *sk;

	sk = bpf_map_lookup_elem(&relay_sockets, &key);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

static __always_inline void capture_in_refused(const struct steer_flow *flow)
{
	struct xdp_stats *stats = connection_event_due();
	struct event_record event = {};

	if (!stats)
		return;
	event.kind = EVENT_CONNECTION;
	event.reason = CONNECTION_NO_RELAY;
	event.protocol = CONNECTION_IPPROTO_TCP;
	event.family = connection_family(&flow->local);
	event.source = flow->remote;
	event.source_port = flow->remote_port;
	event.dest = flow->local;
	event.dest_port = flow->local_port;
	event_emit(&event, stats);
}

/*
 * What the program shall return: SK_DROP resets, where the relay is gone. What comes from mpbpfd, or is for its relays, is not captured:
 * it would come back for ever.
 */
static __always_inline int capture_in(struct bpf_sk_lookup *ctx, const struct steer_flow *flow, const struct control *c,
				      __u32 generation)
{
	struct connecting asked = { .to = { .addr = flow->local, .port = flow->local_port }, .from = flow->remote };
	struct capture *capture = capture_find(generation, 0, &asked.to);
	__u32 backend;

	if (!capture)
		return SK_PASS;
	/* Without mpbpfd those places may be anybody's. */
	if ((is_own(&flow->remote, flow->remote_port) || is_own(&flow->local, flow->local_port)) &&
	    relay_is_there(capture->id, addr_is_v4(&flow->local)))
		return SK_PASS;
	backend = steer_backend_of(capture_cluster_of(capture, generation, &asked), generation, flow, c);
	if (backend && steer_assign(ctx, backend)) {
		capture_count(capture->id, 0, CAPTURE_END_DIRECT);
		steer_event(flow, backend);
		return SK_PASS;
	}
	if (relay_assign(ctx, capture->id, addr_is_v4(&flow->local))) {
		capture_count(capture->id, 0, CAPTURE_END_RELAY);
		return SK_PASS;
	}
	capture_count(capture->id, 0, CAPTURE_END_NO_RELAY);
	capture_in_refused(flow);
	return SK_DROP;
}

#endif

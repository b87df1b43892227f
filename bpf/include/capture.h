/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: where a connection goes that a process of a captured cgroup makes: straight to an endpoint, to the relay of mpbpfd, or
 * nowhere; and what its socket remembers of it.
 */
#ifndef MPBPF_BPF_CAPTURE_H
#define MPBPF_BPF_CAPTURE_H

#include "cookie.h"
#include "steer.h"

#define CAPTURE_ENOMEM 12
#define CAPTURE_ECONNREFUSED 111
#define CAPTURE_LOOPBACK 1 /* LOOPBACK_IFINDEX: the same in every network namespace */

enum { CAPTURE_REFUSE, CAPTURE_PASS }; /* what a program of cgroup/connect returns */

struct place {
	struct addr addr;
	__be16 port;
	__u16 pad;
};

/* What is known of a connection when it is made. */
struct connecting {
	struct place to;
	struct addr from; /* of a socket that is bound; else any */
};

static __always_inline bool addr_is_v4(const struct addr *addr)
{
	return !addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(0xffff);
}

static __always_inline bool addr_is_any(const struct addr *addr)
{
	return !addr->w[3] && ((!addr->w[0] && !addr->w[1] && !addr->w[2]) || addr_is_v4(addr));
}

static __always_inline bool addr_is_loopback(const struct addr *addr)
{
	if (addr_is_v4(addr))
		return (addr->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !addr->w[0] && !addr->w[1] && !addr->w[2] && addr->w[3] == bpf_htonl(1);
}

static __always_inline bool place_is(const struct place *place, const struct addr *addr, __be16 port)
{
	return place->port == port && place->addr.w[0] == addr->w[0] && place->addr.w[1] == addr->w[1] &&
	       place->addr.w[2] == addr->w[2] && place->addr.w[3] == addr->w[3];
}

/* ---- which capture, which cluster ---- */

static __always_inline struct capture *capture_find(__u32 generation, __u64 cgroup, const struct place *to)
{
	struct capture_net_key key = {
		.prefixlen = CAPTURE_NET_PREFIX + 128,
		.generation = generation,
		.cgroup = { cgroup, cgroup >> 32 },
		.port = to->port,
		.addr = to->addr,
	};
	struct capture_key capture = { .generation = generation };
	__u32 *number = bpf_map_lookup_elem(&capture_nets, &key);

	if (number && *number == CAPTURE_NOT)
		return NULL;
	if (!number || !*number) {
		key.port = 0;
		number = bpf_map_lookup_elem(&capture_nets, &key);
	}
	if (!number || !*number)
		return NULL;
	capture.number = *number;
	return bpf_map_lookup_elem(&captures, &capture);
}

/* The same order as in route_capture(). What depends on the source of a socket that has none yet, the relay finds out. */
static __always_inline __u32 capture_cluster_of(const struct capture *capture, __u32 generation,
						const struct connecting *c)
{
	struct steer_key key = {
		.prefixlen = 64 + 128,
		.generation = generation,
		.gateway = CAPTURE_DESTINATIONS(capture->rules.number),
		.addr = c->to.addr,
	};
	__u32 *cluster = bpf_map_lookup_elem(&steers, &key);

	if (cluster && *cluster != STEER_NO_NETWORK)
		return *cluster;
	if (!capture->by_source)
		return capture->rules.rest;
	return addr_is_any(&c->from) ? CAPTURE_RELAYED : steer_cluster_of(&capture->rules, generation, &c->from);
}

/* ---- which endpoint ---- */

enum capture_way { CAPTURE_BY_RELAY, CAPTURE_DIRECT, CAPTURE_NOBODY };

/* By weight. Under the lock: the agent may be changing it. */
static __always_inline void endpoint_choose(const struct capture_cluster *cluster, __u32 draw, struct place *ret)
{
	__u32 i;

	for (i = 0; i < MPBPF_CAPTURE_ENDPOINTS; i++) {
		const struct capture_endpoint *endpoint = &cluster->endpoints[i];

		if (i >= cluster->n_endpoints)
			return;
		if (draw >= endpoint->upto)
			continue;
		ret->addr = endpoint->addr;
		ret->port = endpoint->port;
		return;
	}
}

/* ret_netns: where an endpoint is that is loopback's */
static __always_inline enum capture_way capture_choose(__u32 number, __u32 generation, struct place *ret, __u64 *ret_id,
						       __u64 *ret_netns)
{
	__u32 at = (generation & 1) * MPBPF_CAPTURE_CLUSTERS + number - 1, random = bpf_get_prandom_u32();
	enum capture_way way = CAPTURE_BY_RELAY;
	struct capture_cluster *cluster;

	cluster = number <= MPBPF_CAPTURE_CLUSTERS ? bpf_map_lookup_elem(&capture_ends, &at) : NULL;
	if (!cluster)
		return CAPTURE_BY_RELAY;
	bpf_spin_lock(&cluster->lock);
	if (cluster->generation == generation) {
		*ret_id = cluster->id;
		*ret_netns = cluster->netns;
		if (!cluster->n_endpoints)
			way = CAPTURE_NOBODY;
		else if (!cluster->relayed)
			way = CAPTURE_DIRECT;
		if (way == CAPTURE_DIRECT)
			endpoint_choose(cluster, random % cluster->total, ret);
	}
	bpf_spin_unlock(&cluster->lock);
	return way;
}

/* ---- the relay ---- */

/* Does this very socket of mpbpfd still listen there, in the network namespace of the client? */
static __always_inline bool relay_listens(struct bpf_sock_addr *ctx, const struct place *relay, __u64 cookie)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	struct tcp_sock *tp;
	bool listens;

	if (addr_is_v4(&relay->addr)) {
		tuple.ipv4.saddr = tuple.ipv4.daddr = relay->addr.w[3];
		tuple.ipv4.dport = relay->port;
		sk = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		tuple.ipv6.saddr[3] = tuple.ipv6.daddr[3] = relay->addr.w[3];
		tuple.ipv6.dport = relay->port;
		sk = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	listens = tp && cookie_of(tp) == cookie;
	bpf_sk_release(sk);
	return listens;
}

/*
 * Of the family in which the client connects: what its socket can reach. One that is bound to an interface, or to an address of
 * one link, cannot reach loopback: it would wait for an answer until it gives up.
 */
static __always_inline bool relay_find(struct bpf_sock_addr *ctx, __u64 id, bool v4, struct place *ret)
{
	struct capture_relay *relay = bpf_map_lookup_elem(&relays, &id);
	__u32 interface = ctx->sk->bound_dev_if;
	__u64 cookie;

	if (!relay || (interface && interface != CAPTURE_LOOPBACK))
		return false;
	*ret = (struct place){ .port = v4 ? relay->ports[0] : relay->ports[1] };
	cookie = v4 ? relay->cookies[0] : relay->cookies[1];
	ret->addr.w[2] = v4 ? bpf_htonl(0xffff) : 0;
	ret->addr.w[3] = bpf_htonl(v4 ? 0x7f000001 : 1);
	return cookie && relay_listens(ctx, ret, cookie);
}

/* ---- the decision ---- */

enum capture_end {
	CAPTURE_END_DIRECT,
	CAPTURE_END_RELAY,
	CAPTURE_END_NO_ROUTE,
	CAPTURE_END_NOBODY,
	CAPTURE_END_NO_RELAY
};

static __always_inline void capture_count(__u64 capture, __u64 cluster, enum capture_end end)
{
	struct capture_stats_key key = { .capture = capture, .cluster = cluster };
	struct capture_stats *stats = bpf_map_lookup_elem(&capture_stats, &key);

	if (!stats)
		return;
	switch (end) {
	case CAPTURE_END_DIRECT: __sync_fetch_and_add(&stats->direct, 1); break;
	case CAPTURE_END_RELAY: __sync_fetch_and_add(&stats->relayed, 1); break;
	case CAPTURE_END_NO_ROUTE: __sync_fetch_and_add(&stats->no_route, 1); break;
	case CAPTURE_END_NOBODY: __sync_fetch_and_add(&stats->no_endpoint, 1); break;
	case CAPTURE_END_NO_RELAY: __sync_fetch_and_add(&stats->no_relay, 1); break;
	}
}

/*
 * Where it goes. A socket is of one family: an endpoint of the other is reached by the relay. Loopback of another network namespace
 * has others listening.
 */
static __always_inline enum capture_end capture_target(struct bpf_sock_addr *ctx, const struct capture *capture,
						       __u32 generation, const struct connecting *c, struct place *ret,
						       __u64 *ret_cluster)
{
	__u32 number = capture_cluster_of(capture, generation, c);
	bool v4 = addr_is_v4(&c->to.addr);
	enum capture_way way;
	__u64 netns = 0;

	if (!number)
		return CAPTURE_END_NO_ROUTE;
	way = capture_choose(number, generation, ret, ret_cluster, &netns);
	if (way == CAPTURE_NOBODY)
		return CAPTURE_END_NOBODY;
	if (way == CAPTURE_DIRECT && addr_is_v4(&ret->addr) == v4 &&
	    (!addr_is_loopback(&ret->addr) || bpf_get_netns_cookie(ctx) == netns))
		return CAPTURE_END_DIRECT;
	return relay_find(ctx, capture->id, v4, ret) ? CAPTURE_END_RELAY : CAPTURE_END_NO_RELAY;
}

static const __u8 capture_reasons[] = {
	[CAPTURE_END_NO_ROUTE] = CONNECTION_NO_ROUTE,
	[CAPTURE_END_NOBODY] = CONNECTION_NO_ENDPOINT,
	[CAPTURE_END_NO_RELAY] = CONNECTION_NO_RELAY,
};

/* What goes to the relay, mpbpfd tells when it has carried it on. A socket that is not bound has no source yet. */
static __always_inline void capture_event(const struct connecting *c, const struct place *target, enum capture_end end)
{
	struct event_record event = {};
	struct xdp_stats *stats;

	if (end == CAPTURE_END_RELAY)
		return;
	stats = connection_event_due();
	if (!stats)
		return;
	event.kind = EVENT_CONNECTION;
	event.protocol = CONNECTION_IPPROTO_TCP;
	event.family = connection_family(&c->to.addr);
	event.source = c->from;
	event.dest = c->to.addr;
	event.dest_port = c->to.port;
	if (end == CAPTURE_END_DIRECT) {
		event.detail = CONNECTION_DIRECT;
		event.endpoint = target->addr;
		event.endpoint_port = target->port;
	} else if (end < sizeof(capture_reasons)) {
		event.reason = capture_reasons[end];
	}
	event_emit(&event, stats);
}

static __always_inline int capture_refuse(int error)
{
	bpf_set_retval(-error);
	return CAPTURE_REFUSE;
}

/*
 * Is it nobody's to capture: mpbpfd's own, or one that a cgroup within this one has captured just now? What this cgroup, or one
 * around it, remembers is of a connection before.
 */
static __always_inline bool captured_already(const struct captured *was, __u32 depth, const struct place *to)
{
	if (was->flags & CAPTURED_EXEMPT)
		return true;
	return was->depth > depth && place_is(to, &was->target, was->target_port);
}

static __always_inline int capture_remember(struct bpf_sock_addr *ctx, __u32 depth, const struct connecting *c,
					    const struct place *target, enum capture_end end)
{
	struct captured *captured_now = bpf_sk_storage_get(&captured, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!captured_now)
		return -1;
	*captured_now = (struct captured){
		.original = c->to.addr,
		.original_port = c->to.port,
		.target = target->addr,
		.target_port = target->port,
		.flags = (end == CAPTURE_END_RELAY ? CAPTURED_RELAYED : 0) |
			 (addr_is_any(&c->from) ? 0 : CAPTURED_BOUND),
		.depth = depth,
	};
	return 0;
}

/* Of a connection of MPTCP, whose own socket is another: what is remembered of this one, nobody would be shown. */
static __always_inline bool is_subflow(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp && bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/* As the kernel will (tcp_v6_connect(), and for IPv4 the routes): who connects to any address connects to this host. */
static __always_inline void any_to_loopback(struct addr *to, const struct addr *from)
{
	if (!addr_is_any(to))
		return;
	if (addr_is_v4(to) || addr_is_v4(from)) {
		to->w[2] = bpf_htonl(0xffff);
		to->w[3] = bpf_htonl(0x7f000001);
	} else {
		to->w[3] = bpf_htonl(1);
	}
}

/*
 * A TCP socket connects. Returns what the program shall, and in *ret_to where it goes: unchanged if it is not captured.
 *
 * The kernel calls programs of inner cgroups first, and those of outer ones with what they have made of it.
 */
static __always_inline int capture_connect(struct bpf_sock_addr *ctx, struct connecting *c, struct place *ret_to)
{
	struct control *control = control_get();
	struct capture_cgroup *own = bpf_get_local_storage(&capture_cgroups, 0);
	__u32 generation, depth = own->depth;
	__u64 cgroup = own->hash, cluster = 0;
	struct captured *was = bpf_sk_storage_get(&captured, ctx->sk, NULL, 0);
	struct capture *capture;
	struct place target = {};
	enum capture_end end;

	if (!control || bpf_get_retval() < 0 || is_subflow(ctx->sk) || (was && captured_already(was, depth, &c->to)))
		return CAPTURE_PASS;
	any_to_loopback(&c->to.addr, &c->from);
	generation = READ_ONCE(control->generation);
	capture = capture_find(generation, cgroup, &c->to);
	/* It may have connected before. */
	if (was)
		bpf_sk_storage_delete(&captured, ctx->sk);
	if (!capture)
		return CAPTURE_PASS;
	end = capture_target(ctx, capture, generation, c, &target, &cluster);
	capture_count(capture->id, cluster, end);
	if (end != CAPTURE_END_DIRECT && end != CAPTURE_END_RELAY) {
		capture_event(c, &target, end);
		return capture_refuse(CAPTURE_ECONNREFUSED);
	}
	if (capture_remember(ctx, depth, c, &target, end) < 0)
		return capture_refuse(CAPTURE_ENOMEM);
	capture_event(c, &target, end);
	*ret_to = target;
	return CAPTURE_PASS;
}

#endif

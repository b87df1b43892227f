/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: which listening socket takes a connection that comes to a gateway. */
#ifndef MPBPF_BPF_STEER_H
#define MPBPF_BPF_STEER_H

#include "connection_event.h"
#include "fast_allowed.h"
#include "maps.h"
#include "slot.h"
#include "stats.h"

#define STEER_AF_INET 2
#define IPPROTO_TCP 6

/* As the gateway sees it. */
struct steer_flow {
	struct addr remote, local;
	__be16 remote_port, local_port;
};

/*
 * Fields of the context are read once each, into locals that the compiler may not move: of two reads in two branches it would
 * make one at a computed offset, which the verifier refuses. Those of the other family read as zero.
 */
#define STEER_READ(field)               \
	({                              \
		__u32 _field = (field); \
		forget(_field);         \
		_field;                 \
	})

static __always_inline void steer_read(struct bpf_sk_lookup *ctx, struct steer_flow *flow)
{
	__u32 family = STEER_READ(ctx->family), local_port = STEER_READ(ctx->local_port);
	__u32 remote4 = STEER_READ(ctx->remote_ip4), local4 = STEER_READ(ctx->local_ip4);

	flow->remote_port = ctx->remote_port;
	flow->local_port = bpf_htons(local_port);
	flow->remote.w[0] = STEER_READ(ctx->remote_ip6[0]);
	flow->remote.w[1] = STEER_READ(ctx->remote_ip6[1]);
	flow->remote.w[2] = STEER_READ(ctx->remote_ip6[2]);
	flow->remote.w[3] = STEER_READ(ctx->remote_ip6[3]);
	flow->local.w[0] = STEER_READ(ctx->local_ip6[0]);
	flow->local.w[1] = STEER_READ(ctx->local_ip6[1]);
	flow->local.w[2] = STEER_READ(ctx->local_ip6[2]);
	flow->local.w[3] = STEER_READ(ctx->local_ip6[3]);
	if (family != STEER_AF_INET)
		return;
	flow->remote.w[2] = flow->local.w[2] = bpf_htonl(0xffff);
	flow->remote.w[3] = remote4;
	flow->local.w[3] = local4;
}

/*
 * The gateway at (addr, port): its own address, then any IPv4 address, then any address, as listeners are found. `key` is then
 * its key.
 */
static __always_inline struct gateway *gateway_find(const struct steer_flow *flow, struct listener_key *key)
{
	struct gateway *gateway;

	key->port = flow->local_port;
	key->addr = flow->local;
	gateway = bpf_map_lookup_elem(&gateways, key);
	if (gateway)
		return gateway;
	if (!key->addr.w[0] && !key->addr.w[1] && key->addr.w[2] == bpf_htonl(0xffff)) {
		key->addr.w[3] = 0;
		gateway = bpf_map_lookup_elem(&gateways, key);
		if (gateway)
			return gateway;
	}
	__builtin_memset(&key->addr, 0, sizeof(key->addr));
	return bpf_map_lookup_elem(&gateways, key);
}

/* The cluster that takes a source, or 0. The same order as in core/route.c. */
static __always_inline __u32 steer_cluster_of(const struct gateway *gateway, __u32 generation,
					      const struct addr *source)
{
	struct steer_key key = {
		.prefixlen = 64 + 128, .generation = generation, .gateway = gateway->number, .addr = *source
	};
	__u32 *cluster = bpf_map_lookup_elem(&steers, &key);
	__u32 low = bpf_ntohl(source->w[3]);

	if (cluster && *cluster != STEER_NO_NETWORK)
		return *cluster;
	for (__u32 i = 0; i < MPBPF_STEER_RULES; i++) {
		const struct steer_rule *rule = &gateway->rules[i];
		__u32 mod = rule->mod;

		if (i >= gateway->n_rules)
			break;
		if (mod && low % mod == rule->equals)
			return rule->cluster;
	}
	return gateway->rest;
}

/* Stateless, for a SYN cookie that comes back must find the socket that sent it. The key is random: none can aim. */
static __always_inline __u32 steer_flow_slot(const struct steer_flow *flow, const struct control *c)
{
	__u64 key[2] = { c->hash_key[0], c->hash_key[1] }, out[2];
	struct siphash s;

	siphash_init(&s, key);
	siphash_word(&s, slot_word(flow->remote.w[0], flow->remote.w[1]));
	siphash_word(&s, slot_word(flow->remote.w[2], flow->remote.w[3]));
	siphash_word(&s, slot_word(flow->local.w[0], flow->local.w[1]));
	siphash_word(&s, slot_word(flow->local.w[2], flow->local.w[3]));
	siphash_word(&s, slot_word(flow->remote_port, flow->local_port));
	siphash_final(&s, 0, 40, out);
	return out[0] % MPBPF_STEER_SLOTS;
}

/* The place in `backends` counted from 1, or 0. */
static __always_inline __u32 steer_backend_of(__u32 cluster, __u32 generation, const struct steer_flow *flow,
					      const struct control *c)
{
	__u32 at = (generation & 1) * MPBPF_STEER_CLUSTERS + cluster - 1, slot, same;
	struct steer_cluster *found;
	union steer_head head;

	if (!cluster || cluster > MPBPF_STEER_CLUSTERS)
		return 0;
	found = bpf_map_lookup_elem(&clusters, &at);
	if (!found)
		return 0;
	head.word = READ_ONCE(found->head.word);
	if (head.generation != generation)
		return 0;
	slot = head.by == STEER_BY_SOURCE ? source_slot(&flow->remote) : steer_flow_slot(flow, c);
	/* 0, but of the head: no processor reads a slot before the head whose slot it is. */
	same = head.generation;
	forget(same);
	same ^= generation;
	return READ_ONCE(found->slots[(slot + same) & (MPBPF_STEER_SLOTS - 1)]);
}

/* true: the socket took it. A socket for IPv6 alone refuses IPv4. */
static __always_inline bool steer_assign(struct bpf_sk_lookup *ctx, __u32 backend)
{
	struct bpf_sock *sk;
	__u32 at = backend - 1;
	long err;

	sk = bpf_map_lookup_elem(&backends, &at);
	if (!sk)
		return false;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return !err;
}

static __always_inline void steer_count(struct listener_key *key, bool steered)
{
	struct steer_stats *stats;

	key->generation = 0;
	stats = bpf_map_lookup_elem(&steer_stats, key);
	if (!stats)
		return;
	if (steered)
		stats->steered++;
	else
		stats->absent++;
}

static __always_inline void steer_event(const struct steer_flow *flow, __u32 backend)
{
	struct xdp_stats *stats = connection_event_due();
	struct event_record event = {};
	struct steer_endpoint *endpoint;
	__u32 at = backend - 1;

	if (!stats)
		return;
	event.kind = EVENT_CONNECTION;
	event.detail = CONNECTION_STEER;
	event.protocol = CONNECTION_IPPROTO_TCP;
	event.family = connection_family(&flow->remote);
	event.source = flow->remote;
	event.source_port = flow->remote_port;
	event.dest = flow->local;
	event.dest_port = flow->local_port;
	endpoint = bpf_map_lookup_elem(&endpoints, &at);
	if (endpoint) {
		event.endpoint = endpoint->addr;
		event.endpoint_port = endpoint->port;
	}
	event_emit(&event, stats);
}

/* The client may be of this node: see pairing.h. */
static __always_inline void steer_expect(const struct steer_flow *flow, const struct control *c, __u32 generation)
{
	struct fast_syn syn = {
		.client = flow->remote,
		.server = flow->local,
		.client_port = flow->remote_port,
		.server_port = flow->local_port,
	};
	struct listener *l;
	__u32 one = 1;

	if (!fast_in_use(c))
		return;
	l = listener_find(generation, &syn.server, syn.server_port);
	if (l && fast_allowed(generation, l, &syn.client))
		bpf_map_update_elem(&fast_syns, &syn, &one, BPF_ANY);
}

/* Gives the connection to an endpoint's socket, or leaves it to the ordinary lookup. false: there is no gateway that steers. */
static __always_inline bool steer(struct bpf_sk_lookup *ctx, const struct steer_flow *flow, const struct control *c,
				  __u32 generation)
{
	struct listener_key key = { .generation = generation };
	struct gateway *gateway;
	__u32 backend;
	bool steered;

	gateway = gateway_find(flow, &key);
	if (!gateway)
		return false;
	backend = steer_backend_of(steer_cluster_of(gateway, generation, &flow->remote), generation, flow, c);
	if (!backend)
		return true;
	steered = steer_assign(ctx, backend);
	steer_count(&key, steered);
	if (steered) {
		steer_event(flow, backend);
		steer_expect(flow, c, generation);
	}
	return true;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: flows. The first payload of a flow tells its protocol, and with it the protocol rule that holds for it; every later
 * packet costs one look-up, and no byte of it is read.
 *
 * Counters of a flow are not atomic: a device gives the packets of one flow to one CPU.
 */
#ifndef MPBPF_BPF_FLOW_H
#define MPBPF_BPF_FLOW_H

#include "classify.h"
#include "packet.h"
#include "policy.h"
#include "stats.h"

#define FLOW_TRIES_MAX 16 /* packets that may leave the protocol open */
#define FLOW_TICK_SHIFT \
	24 /* ns, as a power of two: 17 ms, in which a CPU begins so many flows at most. More are an attack, */
#define FLOW_BURST 1024 /* which must cost neither the time nor those that are known */

#define FLOW_OFFSET_MAX 0x7fff /* of a payload whose first byte is read in place */

#define DNS_PORT 53

static __always_inline struct peek *peek_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&peeks, &zero);
}

/* High bits, folded onto low ones, may cancel out by themselves in a sum of products, but not unknown products of them. */
static __always_inline __u64 flow_term(__u64 word, __u64 key)
{
	return (word ^ word >> 32) * (key | 1);
}

/*
 * Multilinear, under the secret key of the load: clients cannot make two flows meet, and if two do, the tuple tells. Fixed
 * numbers make five keys of two.
 */
static __always_inline __u64 flow_hash(const struct packet *pkt, const struct control *in_force)
{
	const __u64 *w = pkt->tuple_words;
	__u64 a = in_force->hash_key[0], b = in_force->hash_key[1];

	return flow_term(w[0], a ^ 0x9e3779b97f4a7c15ULL) + flow_term(w[1], b ^ 0xbf58476d1ce4e5b9ULL) +
	       flow_term(w[2], a ^ 0x94d049bb133111ebULL) + flow_term(w[3], b ^ 0xd6e8feb86659fd93ULL) +
	       flow_term(w[4], a + b + 0xa0761d6478bd642fULL);
}

static __always_inline bool flow_is(const struct flow *flow, const struct packet *pkt)
{
	const __u64 *f = (const __u64 *)&flow->tuple, *w = pkt->tuple_words;

	return !((f[0] ^ w[0]) | (f[1] ^ w[1]) | (f[2] ^ w[2]) | (f[3] ^ w[3]) | (f[4] ^ w[4]));
}

/* NULL: it is not known. *ret_key is set in any case. */
static __always_inline struct flow *flow_find(const struct packet *pkt, struct flow_key *ret_key)
{
	struct control *in_force = control_get();
	struct flow *flow;

	ret_key->hash = in_force ? flow_hash(pkt, in_force) : 0;
	flow = bpf_map_lookup_elem(&flows, ret_key);
	return flow && likely(flow_is(flow, pkt)) ? flow : NULL;
}

static __always_inline void flow_count(struct flow *flow, const struct packet *pkt)
{
	flow->packets++;
	flow->bytes += pkt->len;
	flow->last = bpf_ktime_get_coarse_ns();
}

/* ---- the first payload ---- */

static __always_inline __u32 flow_hints(const struct packet *pkt, const struct policy *policy)
{
	__u32 source = bpf_ntohs(pkt->source_port), dest = bpf_ntohs(pkt->dest_port), i;
	__u32 hints = source == DNS_PORT || dest == DNS_PORT ? CLASSIFY_DNS_PORT : 0;

	if (!policy || !(policy->grpc_bits & (1ULL << (source & 63) | 1ULL << (dest & 63))))
		return hints;
	for (i = 0; i < MPBPF_GRPC_PORTS; i++)
		if (policy->grpc_ports[i] &&
		    (policy->grpc_ports[i] == pkt->source_port || policy->grpc_ports[i] == pkt->dest_port))
			hints |= CLASSIFY_GRPC_PORT;
	return hints;
}

/* The payload's first byte, when it is in the linear part; the verifier wants a bound to the offset of a pointer. */
static __always_inline const __u8 *flow_linear(struct xdp_md *ctx, __u32 off)
{
	void *first = (void *)(long)ctx->data + off;

	if (off > FLOW_OFFSET_MAX || first + 1 > (void *)(long)ctx->data_end)
		return NULL;
	return first;
}

/* Whether the payload is worth reading. */
static __always_inline bool flow_worth(struct xdp_md *ctx, const struct packet *pkt, __u32 hints)
{
	const __u8 *first = flow_linear(ctx, pkt->payload_off);

	if (!first || hints & CLASSIFY_DNS_PORT)
		return true;
	return pkt->l4_proto == L4_UDP ? *first >= 0xc0 : classify_first(*first);
}

/* Puts the payload behind the `have` bytes in the buffer. Returns how many there are then. */
static __always_inline __u32 flow_load(struct xdp_md *ctx, const struct packet *pkt, struct peek *peek, __u32 have)
{
	__u32 len = pkt->payload_len;

	have &= MPBPF_FLOW_START - 1;
	if (!len)
		return have;
	if (len > CLASSIFY_MAX)
		len = CLASSIFY_MAX;
	if (bpf_xdp_load_bytes(ctx, pkt->payload_off, peek->buf.b + have, within(len, CLASSIFY_MAX)))
		return have;
	return have + len > CLASSIFY_MAX ? CLASSIFY_MAX : have + len;
}

/*
 * Reads the payload, behind `have` bytes of the flow that stand in peek->buf, and fills peek->found. Returns enum
 * classify_result. Global: verified once.
 */
__noinline int flow_classify(struct xdp_md *ctx, const struct packet *pkt, struct peek *peek, __u32 have)
{
	__u32 hints, len;

	if (!pkt || !peek)
		return CLASSIFY_DONE;
	hints = flow_hints(pkt, policy_get());
	if (!have && !flow_worth(ctx, pkt, hints)) {
		peek->found = (struct classified){
			.protocol = hints & CLASSIFY_GRPC_PORT ? PROTOCOL_GRPC : PROTOCOL_OTHER,
		};
		return CLASSIFY_DONE;
	}
	len = flow_load(ctx, pkt, peek, have);
	if (pkt->l4_proto == L4_UDP)
		return classify_udp(&peek->buf, len, pkt->payload_len, hints, &peek->found);
	return classify_tcp(&peek->buf, len, hints, &peek->found);
}

static __always_inline void flow_name(struct flow *flow, struct peek *peek)
{
	__u32 len = peek->found.name_len, i;

	if (len > MPBPF_FLOW_NAME)
		len = MPBPF_FLOW_NAME;
	__builtin_memset(flow->name, 0, sizeof(flow->name));
	flow->name_len = len;
#pragma clang loop unroll(disable)
	for (i = 0; i < MPBPF_FLOW_NAME; i++) {
		if (i >= len)
			break;
		*(volatile char *)&flow->name[i] = classify_u8(&peek->buf, peek->found.name_off + i);
	}
}

/* The protocol stays open: the bytes are kept, as far as they may be needed. */
static __always_inline void flow_keep(struct flow *flow, const struct peek *peek, const struct packet *pkt, __u32 have)
{
	__u32 len = have + pkt->payload_len;

	__builtin_memcpy(flow->start, peek->buf.b, sizeof(flow->start));
	flow->n_start = len < MPBPF_FLOW_START ? len : MPBPF_FLOW_START - 1;
	flow->next = pkt->seq + pkt->payload_len;
}

/*
 * Reads the next packet of a flow whose protocol is open, if it continues what came before: else it is one more try. With the
 * last try what is known has to do. Global: verified once.
 */
__noinline int flow_read(struct xdp_md *ctx, const struct packet *pkt, struct peek *peek, struct flow *flow)
{
	__u32 have;
	int result;

	if (!pkt || !peek || !flow)
		return 0;
	have = flow->n_start;
	if (flow->tries && pkt->seq != flow->next) {
		flow->tries = flow->tries < FLOW_TRIES_MAX ? flow->tries + 1 : 0;
	} else {
		__builtin_memcpy(peek->buf.b, flow->start, sizeof(flow->start));
		result = flow_classify(ctx, pkt, peek, have);
		flow->protocol = peek->found.protocol;
		flow->version = peek->found.version;
		flow->tries = result == CLASSIFY_MORE && flow->tries < FLOW_TRIES_MAX ? flow->tries + 1 : 0;
		if (flow->tries) {
			flow_keep(flow, peek, pkt, have);
		} else {
			flow_name(flow, peek);
			return 0;
		}
	}
	if (!flow->tries)
		flow->name_len = 0;
	return 0;
}

/* ---- protocol rules ---- */

/* The first rule of the policy that matches, as flow->rule has it. Global: verified once. */
__noinline int flow_rule(const struct flow *flow, __u32 generation, __u32 n)
{
	struct protocol_rule *rule;
	__u32 i, slot;

	if (!flow)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < MPBPF_PROTOCOL_RULES; i++) {
		if (i >= n)
			break;
		slot = (generation & 1) * MPBPF_PROTOCOL_RULES + i;
		rule = bpf_map_lookup_elem(&protocol_rules, &slot);
		if (!rule || rule->generation != generation || rule->protocol != flow->protocol)
			continue;
		if (rule->port && rule->port != flow->tuple.dest_port)
			continue;
		if (!rule->below || flow->version < rule->below)
			return 1 + i;
	}
	return 0;
}

/* Counts a packet under its rule. Global, for it is rare. Returns whether the packet is dropped. */
__noinline int flow_rule_drops(__u32 generation, __u32 which)
{
	__u32 slot = (generation & 1) * MPBPF_PROTOCOL_RULES + which - 1, number;
	struct protocol_rule *rule = bpf_map_lookup_elem(&protocol_rules, &slot);
	struct rule_count *count;

	if (!rule || rule->generation != generation)
		return 0;
	number = rule->number;
	count = bpf_map_lookup_elem(&rule_counts, &number);
	if (count && rule->dry)
		count->would_drop++;
	if (count && !rule->dry)
		count->dropped++;
	return !rule->dry;
}

/* ---- a packet ---- */

static __always_inline void flow_begin(struct flow *flow, const struct packet *pkt)
{
	*flow = (struct flow){ .tuple = pkt->tuple };
	flow_count(flow, pkt);
	flow->packets = 1;
	flow->first = flow->last;
}

/* False: this CPU has begun so many flows at present that this one is not to be remembered. */
static __always_inline bool flow_may_begin(struct peek *peek)
{
	__u32 tick = peek->flow.first >> FLOW_TICK_SHIFT;

	if (peek->tick != tick) {
		peek->tick = tick;
		peek->made = 0;
	}
	return peek->made++ < FLOW_BURST;
}

#define FLOW_SEEN(protocol, rule) ((protocol) | (__u32)(rule) << 8)

/*
 * A packet whose flow is not known, is open, or was judged by another policy. Returns FLOW_SEEN(). Global: verified once, and
 * out of the way of the others.
 */
__noinline int flow_open(struct xdp_md *ctx, const struct packet *pkt, struct xdp_stats *stats)
{
	const struct policy *policy = policy_get();
	struct peek *peek = peek_get();
	struct flow *known, *flow;
	struct flow_key key;

	if (!pkt || !stats || !peek || !policy)
		return 0;
	known = flow_find(pkt, &key);
	flow = known;
	if (!flow) {
		flow = &peek->flow;
		flow_begin(flow, pkt);
	}
	if (!known || flow->tries)
		flow_read(ctx, pkt, peek, flow);
	flow->generation = policy->generation;
	flow->rule = flow->tries ? 0 : flow_rule(flow, policy->generation, policy->n_protocol_rules);
	if (!known && (!flow_may_begin(peek) || bpf_map_update_elem(&flows, &key, flow, BPF_ANY)))
		stats->unkept++;
	return FLOW_SEEN(flow->protocol, flow->rule);
}

/* Without flows: by this packet alone. Returns FLOW_SEEN(). */
static __always_inline int flow_none(struct xdp_md *ctx, const struct packet *pkt)
{
	struct peek *peek = peek_get();

	if (!peek)
		return 0;
	flow_classify(ctx, pkt, peek, 0);
	return FLOW_SEEN(peek->found.protocol, 0);
}

/* For a packet with payload that passes so far: counts it, and says whether a protocol rule is against it. */
static __always_inline enum xdp_reason flow_decide(struct xdp_md *ctx, const struct packet *pkt,
						   const struct policy *policy, struct xdp_stats *stats)
{
	bool remembered = policy && policy->flows;
	struct flow *flow = NULL;
	struct flow_key key;
	__u32 seen, protocol;

	if (likely(remembered))
		flow = flow_find(pkt, &key);
	if (likely(flow))
		flow_count(flow, pkt);
	if (likely(flow) && likely(!flow->tries && flow->generation == policy->generation))
		seen = FLOW_SEEN(flow->protocol, flow->rule);
	else
		seen = remembered ? flow_open(ctx, pkt, stats) : flow_none(ctx, pkt);
	if (unlikely(seen >> 8) && flow_rule_drops(policy ? policy->generation : 0, seen >> 8))
		return XDP_REASON_PROTOCOL;
	protocol = seen & 0xff;
	if (protocol < PROTOCOL_MAX)
		stats->protocols[protocol]++;
	return XDP_REASON_PASS;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: rate limits beyond packets in a window: bytes, token buckets, networks of their own, classes of packets. Called where
 * one of these is configured.
 *
 * A packet is held to each class that it is of, in the order of the configuration, and then to the limit of its network or the
 * default. The first that it is over drops it, so what a class drops does not count against the rest of its source.
 */
#ifndef MPBPF_BPF_RULES_H
#define MPBPF_BPF_RULES_H

#include "limit.h"
#include "quota.h"

enum rule_result { RULE_FITS, RULE_WOULD_DROP, RULE_OVER };

/* What a rule is asked about: no pointers, so that global functions can take it. */
struct rule_run {
	struct source_key source;
	__u64 time; /* window number, or BUCKET_TICKS */
	__u32 generation;
	__u32 len;
	__be16 dest_port;
	__u8 bucket;
	__u8 pad;
	__u32 name; /* out: of the rule that the packet is over */
};

static __always_inline __u32 rate_classes_of(const struct packet *pkt)
{
	__u32 classes = pkt->fragment ? 1 << RATE_FRAGMENT : 0;

	if (pkt->ip_proto == IP_PROTO_TCP)
		return classes | 1 << RATE_TCP;
	if (pkt->ip_proto == IP_PROTO_UDP)
		return classes | 1 << RATE_UDP;
	if (pkt->ip_proto == (pkt->l3_proto == L3_IPV4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6))
		return classes | 1 << RATE_ICMP;
	return classes | 1 << RATE_OTHER;
}

/* Over a limit: counted under its name. */
static __always_inline void rule_count(__u32 name, bool drop)
{
	struct rule_stats *stats = bpf_map_lookup_elem(&rule_stats, &name);

	if (!stats)
		return;
	if (drop)
		stats->dropped++;
	else
		stats->would_drop++;
}

static __always_inline bool rule_quota_over(const struct rule_run *run, const struct rate_rule *rule,
					    const struct measure *measure, __u32 n, enum quota_of of)
{
	struct quota_key key = { .source = run->source, .name = rule->name, .of = of };
	__u64 *word;

	if (!measure->room)
		return false;
	word = quota_get(&key);
	return word && quota_over(word, measure, n, run->bucket, run->time);
}

/* Packets of the default and of networks are counted in `sources`, whichever of them holds. */
static __always_inline bool rule_source_over(const struct rule_run *run, const struct rate_rule *rule)
{
	struct source *source = source_get(&run->source, run->time, run->bucket);

	if (!source)
		return false;
	if (run->bucket)
		return quota_bucket_over(&source->window_count, rule->packets.cost >> MEASURE_SHIFT, rule->packets.room,
					 run->time);
	return window_count(source, run->time) > rule->packets.room;
}

/* Holds a packet to rule number `i`; returns enum rule_result. Global: verified once, for it is called in a loop. */
__noinline int rule_judge(struct rule_run *run, __u32 i)
{
	struct rate_rule *rule;
	bool class, over;
	__u32 at;

	if (!run || i >= MPBPF_RULES_MAX)
		return RULE_FITS;
	class = i - 1 < MPBPF_CLASSES_MAX;
	at = (run->generation & 1) * MPBPF_RULES_MAX + i;
	rule = bpf_map_lookup_elem(&rules, &at);
	/* A rule of the generation to come: the reload that brought it is not over, and this packet is of the old one. */
	if (!rule || rule->generation != run->generation || rule->mode == RATE_OFF)
		return RULE_FITS;
	if (rule->port && rule->port != run->dest_port)
		return RULE_FITS;
	over = class ? rule_quota_over(run, rule, &rule->packets, 1, QUOTA_PACKETS) : rule_source_over(run, rule);
	if (!over && !rule_quota_over(run, rule, &rule->bytes, run->len, QUOTA_BYTES))
		return RULE_FITS;
	run->name = rule->name;
	rule_count(rule->name, rule->mode == RATE_ENFORCE);
	return rule->mode == RATE_ENFORCE ? RULE_OVER : RULE_WOULD_DROP;
}

/* Which rule holds for the source: that of the smallest network it is in, else the default. */
static __always_inline __u32 rule_of_source(const struct packet *pkt, const struct policy *policy)
{
	struct cidr_key key = {
		.prefixlen = 8 * (sizeof(key) - sizeof(key.prefixlen)),
		.generation = policy->generation,
		.list = pkt->l3_proto == L3_IPV4 ? 4 : 6,
		.addr = pkt->source,
	};
	__u32 *rule;

	if (!(policy->rate_flags & RATE_OVERRIDES))
		return 0;
	rule = bpf_map_lookup_elem(&overrides, &key);
	return rule ? *rule : 0;
}

/* Is the packet to be dropped? pkt->rule says by which rule, pkt->would_drop that one would have. Global: see above. */
__noinline int rules_judge(struct packet *pkt, const struct policy *policy, struct source_key *source)
{
	struct rule_run run = {};
	__u32 i, classes, of = 0;
	int result;

	if (!pkt || !policy || !source || !policy->window_ns)
		return false;
	run.source = *source;
	run.generation = policy->generation;
	run.len = pkt->len;
	run.dest_port = pkt->dest_port;
	run.bucket = policy->rate_flags & RATE_BUCKET;
	run.time = run.bucket ? bpf_ktime_get_ns() * BUCKET_TICKS : limit_window(policy);
	classes = rate_classes_of(pkt);
#pragma unroll
	for (i = 0; i < RATE_CLASS_MAX; i++)
		if (classes >> i & 1)
			of |= policy->rate_classes[i];
#pragma clang loop unroll(disable)
	for (i = 0; i <= MPBPF_CLASSES_MAX; i++) {
		if (i < MPBPF_CLASSES_MAX && !(of >> i & 1))
			continue;
		result = rule_judge(&run, i < MPBPF_CLASSES_MAX ? i + 1 : rule_of_source(pkt, policy));
		if (result == RULE_FITS)
			continue;
		pkt->rule = run.name;
		pkt->would_drop |= result == RULE_WOULD_DROP;
		if (result == RULE_OVER)
			return true;
	}
	return false;
}

#endif

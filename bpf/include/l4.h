/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what becomes of a parsed packet: malformed, deny list, allow list, bans, limit, in this order; and the way out. */
#ifndef MPBPF_BPF_L4_H
#define MPBPF_BPF_L4_H

#include "ban.h"
#include "limit.h"
#include "lists.h"
#include "openers.h"
#include "rules.h"

static __always_inline __u32 found_place(const struct addr *addr)
{
	return (addr->w[0] ^ addr->w[1] ^ addr->w[2] ^ addr->w[3]) * LEASE_SPREAD >> LEASE_SHIFT;
}

static __always_inline bool found_is(const struct cidr_found *found, const struct addr *addr, __u32 generation)
{
	const __u64 *a = (const __u64 *)&found->addr, *b = (const __u64 *)addr;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1])) && found->generation == generation;
}

static __always_inline bool cidr_listed(const struct packet *pkt, __u32 generation, enum cidr_list list)
{
	struct cidr_key key = {
		.prefixlen = 8 * (sizeof(key) - sizeof(key.prefixlen)),
		.generation = generation,
		.list = list,
		.addr = pkt->source,
	};

	return bpf_map_lookup_elem(&cidrs, &key);
}

/* By what the packet is: a mapped address in an IPv6 header is IPv6. An empty list costs one look at its lengths. */
static __always_inline bool list_holds(const struct packet *pkt, __u32 list)
{
	const struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	__u64 hi, lo;

	if (!known)
		return false;
	if (pkt->l3_proto == L3_IPV4)
		return known->v4 && list4_match(bpf_ntohl(pkt->source.w[3]), list);
	if (!(known->v6[0] | known->v6[1] | known->v6_all))
		return false;
	hi = (__u64)bpf_ntohl(pkt->source.w[0]) << 32 | bpf_ntohl(pkt->source.w[1]);
	lo = (__u64)bpf_ntohl(pkt->source.w[2]) << 32 | bpf_ntohl(pkt->source.w[3]);
	return list6_match(hi, lo, list);
}

/*
 * On which list of the configuration the source is: 1 + enum cidr_list, 0: on none. The networks of a generation never change
 * while it is in force, so what was found once holds for all of it.
 */
static __always_inline __u32 cidr_list_of(const struct packet *pkt, const struct policy *policy)
{
	__u32 at = found_place(&pkt->source), list = 0;
	struct cidr_found *found = bpf_map_lookup_elem(&cidrs_found, &at);

	if (found && likely(found_is(found, &pkt->source, policy->generation)))
		return found->list;
	if (policy->has_deny && cidr_listed(pkt, policy->generation, CIDR_DENY))
		list = 1 + CIDR_DENY;
	else if (policy->has_allow && cidr_listed(pkt, policy->generation, CIDR_ALLOW))
		list = 1 + CIDR_ALLOW;
	if (found)
		*found = (struct cidr_found){ .addr = pkt->source, .generation = policy->generation, .list = list };
	return list;
}

/*
 * Neighbour discovery and listener discovery are to IPv6 what ARP is to IPv4 and are not limited either: all neighbours
 * share fe80::/64, so one of them could otherwise take the network from all.
 */
static __always_inline enum xdp_reason l4_limit(struct packet *pkt, const struct policy *policy,
						struct xdp_stats *stats)
{
	struct source_key source;

	if (policy->rate_mode == RATE_OFF || pkt->on_link)
		return XDP_REASON_PASS;
	if (unlikely(policy->rate_flags)) {
		source = limit_key(pkt);
		if (rules_judge(pkt, policy, &source))
			return XDP_REASON_RATE_LIMIT;
		stats->would_drop += pkt->would_drop;
		return XDP_REASON_PASS;
	}
	if (likely(!limit_exceeded(pkt, policy)))
		return XDP_REASON_PASS;
	rule_count(0, policy->rate_mode == RATE_ENFORCE);
	if (policy->rate_mode == RATE_ENFORCE)
		return XDP_REASON_RATE_LIMIT;
	pkt->would_drop = true;
	stats->would_drop++;
	return XDP_REASON_PASS;
}

/* Counted by kind, whether it is dropped or not. */
static __always_inline void l4_malformed(struct xdp_stats *stats, __u32 kind)
{
	forget(kind); /* older verifiers lose the bound when clang tests a copy */
	if (kind < MALFORMED_MAX)
		stats->malformed[kind]++;
}

/* A malformed packet that the policy tolerates is counted as such and then judged by its source like any other. */
static __always_inline enum xdp_reason l4_decide(struct packet *pkt, const struct policy *policy,
						 enum malformed malformed, struct xdp_stats *stats)
{
	enum xdp_reason reason;
	__u32 list = 0;

	if (unlikely(malformed)) {
		l4_malformed(stats, malformed);
		if (policy && policy->drop_invalid)
			return XDP_REASON_MALFORMED;
		stats->reasons[XDP_REASON_MALFORMED]++;
	}
	if (!policy || pkt->l3_proto == L3_OTHER)
		return XDP_REASON_PASS;
	if (policy->has_deny | policy->has_allow)
		list = cidr_list_of(pkt, policy);
	if (list == 1 + CIDR_DENY || list_holds(pkt, CIDR_DENY))
		return XDP_REASON_DENIED;
	if (list == 1 + CIDR_ALLOW || list_holds(pkt, CIDR_ALLOW))
		return XDP_REASON_PASS;
	if (policy->ban_failures && !pkt->on_link && source_banned(limit_key(pkt)))
		return XDP_REASON_BANNED;
	reason = l4_limit(pkt, policy, stats);
	return reason == XDP_REASON_PASS ? opener_limit(pkt, policy, stats) : reason;
}

/* clang-format off */
static const __u8 xdp_actions[] = {
	[XDP_REASON_PASS] = XDP_PASS,
	[XDP_REASON_RATE_LIMIT] = XDP_DROP,
	[XDP_REASON_DENIED] = XDP_DROP,
	[XDP_REASON_MALFORMED] = XDP_DROP,
	[XDP_REASON_SYN_GUARD] = XDP_DROP,
	[XDP_REASON_BANNED] = XDP_DROP,
	[XDP_REASON_CONNECTIONS] = XDP_DROP,
	[XDP_REASON_SYN_COOKIE] = XDP_TX,
	[XDP_REASON_PROTOCOL] = XDP_DROP,
};
/* clang-format on */
_Static_assert(sizeof(xdp_actions) == XDP_REASON_MAX, "every reason has an action");

/* The one way out: counts the reason and turns it into an action. */
static __always_inline int xdp_verdict(struct xdp_stats *stats, enum xdp_reason reason)
{
	if (reason >= XDP_REASON_MAX)
		return XDP_ABORTED;
	stats->reasons[reason]++;
	return xdp_actions[reason];
}

#endif

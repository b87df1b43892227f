/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: connections by source. XDP counts SYNs against a token bucket and asks how many connections are open; sockops counts
 * those, from the end of the handshake to the close.
 *
 * A socket remembers what it was counted in. So what the map has forgotten meanwhile, to make room, is not counted down in what
 * came in its place: a count may be too small for a while, and is never too large for good.
 */
#ifndef MPBPF_BPF_OPENERS_H
#define MPBPF_BPF_OPENERS_H

#include "limit.h"
#include "policy.h"

#define OPENER_SWAPS_MAX 4 /* swaps lost to other CPUs before a SYN is counted unseen */

static __always_inline struct bucket *arrival_get(const struct source_key *key)
{
	struct bucket *bucket = bpf_map_lookup_elem(&arrivals, key), fresh = {};

	if (bucket)
		return bucket;
	bpf_map_update_elem(&arrivals, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&arrivals, key);
}

/* The bucket of struct limit: `next` is when the next SYN is due, and one may come `burst` ahead of that. */
static __always_inline bool arrival_over(const struct source_key *key, const struct policy *policy)
{
	__u64 old, next, now = bpf_ktime_get_boot_ns() * BUCKET_TICKS;
	struct bucket *bucket = arrival_get(key);
	__u32 i;

	if (!bucket)
		return false;
	for (i = 0; i < OPENER_SWAPS_MAX; i++) {
		old = READ_ONCE(bucket->next);
		next = old > now ? old : now;
		if (next - now > policy->conn_burst)
			return true;
		if (__sync_val_compare_and_swap(&bucket->next, old, next + policy->conn_interval) == old)
			return false;
	}
	__sync_fetch_and_add(&bucket->next, policy->conn_interval);
	return false;
}

static __always_inline bool opener_full(const struct source_key *key, const struct policy *policy)
{
	struct opener *opener = policy->conn_open ? bpf_map_lookup_elem(&openers, key) : NULL;

	return opener && READ_ONCE(opener->open) >= policy->conn_open;
}

/* Does this SYN ask for more than its source may have? Global: verified once. */
__noinline int opener_over(const struct packet *pkt)
{
	const struct policy *policy = policy_get();
	struct source_key key;

	/* Never NULL, but the verifier wants to see it. */
	if (!pkt || !policy)
		return 0;
	key = limit_key(pkt);
	return opener_full(&key, policy) || arrival_over(&key, policy);
}

static __always_inline enum xdp_reason opener_limit(const struct packet *pkt, const struct policy *policy,
						    struct xdp_stats *stats)
{
	if (likely(policy->conn_mode == RATE_OFF) || pkt->l4_proto != L4_TCP || !packet_is_syn(pkt))
		return XDP_REASON_PASS;
	if (!opener_over(pkt))
		return XDP_REASON_PASS;
	if (policy->conn_mode == RATE_ENFORCE)
		return XDP_REASON_CONNECTIONS;
	stats->conn_would_drop++;
	return XDP_REASON_PASS;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: leases. Of a source that it sees again and again, a CPU takes several packets at once from the count that all CPUs
 * share, and lets them pass by itself; and it remembers that a source is over its limit for the rest of the window.
 *
 * No more than the limit ever passes, for what is lent is counted. What a CPU has not used at the end of a window is lost: the
 * agent chooses policy->lease so that this is less than a hundredth of the limit, over all CPUs. So that it is no more, a
 * source that has a lease keeps its place until the window ends; another that belongs there asks for each packet.
 */
#ifndef MPBPF_BPF_LEASE_H
#define MPBPF_BPF_LEASE_H

#include "window.h"

#define LEASE_SPREAD 0x9e3779b1u /* 2^32 by the golden ratio: neighbours come far from each other */
#define LEASE_SHIFT 24		 /* what is left are 8 bits: MPBPF_LEASES */

_Static_assert(MPBPF_LEASES == 1 << (32 - LEASE_SHIFT), "each place can be had");

static __always_inline struct lease *lease_place(const struct source_key *key)
{
	__u32 at = (key->w[0] ^ key->w[1]) * LEASE_SPREAD >> LEASE_SHIFT;

	return bpf_map_lookup_elem(&leases, &at);
}

static __always_inline bool lease_is_of(const struct lease *lease, __u32 generation, __u32 window)
{
	return lease->window == window && lease->generation == generation;
}

static __always_inline bool lease_has(const struct lease *lease, const struct source_key *key)
{
	return lease->source.w[0] == key->w[0] && lease->source.w[1] == key->w[1];
}

/* Of `n` packets that were counted behind `before` others, this one passes now, and the rest may later. */
static __always_inline void lease_note(struct lease *lease, __u32 n, __u32 before, __u32 limit)
{
	lease->over = before >= limit;
	if (before < limit && n > limit - before)
		n = limit - before;
	lease->left = lease->over ? 0 : n - 1;
}

#endif

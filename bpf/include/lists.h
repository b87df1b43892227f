/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the lists of networks that `mpbpf block` and `mpbpf allow` keep at run time.
 *
 * A hash that is asked for each length in use, not an LPM trie: what has expired must not hide a shorter network that has
 * not, a trie of a million is walked down through some twenty cache misses, and takes the kernel seconds to free. The user
 * side lets a program see a length before any network of it, and no shorter than the last one (core/lists.c).
 */
#ifndef MPBPF_BPF_LISTS_H
#define MPBPF_BPF_LISTS_H

#include "maps.h"

static __always_inline bool listed_now(const struct listed *listed)
{
	__u64 until;

	if (!listed)
		return false;
	until = READ_ONCE(listed->until);
	return until == ~0ULL || bpf_ktime_get_boot_ns() < until;
}

/* One walk through the lengths in use, the longest first. */
struct list4_walk {
	void *networks;
	__u64 lengths; /* the lowest bit that is set stands for the longest network, and negated is its mask */
	__u32 addr;
	__u32 found;
	struct list4_key key;
};

/* Called by bpf_loop, so that the verifier walks one step; 1 ends it. */
static long list4_step(__u32 i __attribute__((unused)), struct list4_walk *walk)
{
	__u64 lengths = walk->lengths;

	if (!lengths)
		return 1;
	walk->lengths = lengths & (lengths - 1);
	walk->key.mask = -(lengths & -lengths);
	walk->key.addr = walk->addr & walk->key.mask;
	if (!listed_now(bpf_map_lookup_elem(walk->networks, &walk->key)))
		return 0;
	walk->found = 1;
	return 1;
}

__weak __noinline int list4_match(__u32 addr, __u32 list)
{
	struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	struct list4_walk walk = { .networks = bpf_map_lookup_elem(&lists4, &list), .addr = addr };

	if (!known || !walk.networks)
		return 0;
	walk.lengths = READ_ONCE(known->v4);
	if (walk.lengths)
		bpf_loop(33, list4_step, &walk, 0);
	return walk.found;
}

/* Networks whose length lies in the upper or in the lower half of an address: `word` is that half. */
struct list6_walk {
	void *networks;
	__u64 lengths;
	__u64 word;
	__u32 longest;
	__u32 lower;
	__u32 found;
	struct list6_key key;
};

static long list6_step(__u32 i __attribute__((unused)), struct list6_walk *walk)
{
	__u64 lengths = walk->lengths, bit = lengths & -lengths;

	if (!lengths)
		return 1;
	walk->lengths = lengths & (lengths - 1);
	if (walk->lower)
		walk->key.lo = walk->word & -bit;
	else
		walk->key.hi = walk->word & -bit;
	walk->key.prefix = walk->longest - __builtin_ctzll(bit);
	if (!listed_now(bpf_map_lookup_elem(walk->networks, &walk->key)))
		return 0;
	walk->found = 1;
	return 1;
}

__weak __noinline int list6_match(__u64 hi, __u64 lo, __u32 list)
{
	struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	struct list6_walk walk = {
		.networks = bpf_map_lookup_elem(&lists6, &list),
		.word = lo,
		.longest = 128,
		.lower = true,
		.key = { .hi = hi },
	};

	if (!known || !walk.networks)
		return 0;
	walk.lengths = READ_ONCE(known->v6[1]);
	if (walk.lengths)
		bpf_loop(64, list6_step, &walk, 0);
	if (walk.found)
		return 1;
	walk.lengths = READ_ONCE(known->v6[0]);
	walk.word = hi;
	walk.longest = 64;
	walk.lower = false;
	walk.key.lo = 0;
	if (walk.lengths)
		bpf_loop(64, list6_step, &walk, 0);
	if (walk.found)
		return 1;
	walk.key.hi = 0;
	walk.key.prefix = 0;
	return READ_ONCE(known->v6_all) && listed_now(bpf_map_lookup_elem(walk.networks, &walk.key));
}

#endif

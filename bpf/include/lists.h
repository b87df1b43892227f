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

/* The lowest bit that is set stands for the longest network, and negated is its mask. */
__weak __noinline int list4_match(__u32 addr, __u32 list)
{
	struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	void *networks = bpf_map_lookup_elem(&lists4, &list);
	struct list4_key key;
	__u64 lengths;
	int i;

	if (!known || !networks)
		return 0;
	lengths = READ_ONCE(known->v4);
	for (i = 0; i < 33 && lengths; i++) {
		key.mask = -(lengths & -lengths);
		key.addr = addr & key.mask;
		if (listed_now(bpf_map_lookup_elem(networks, &key)))
			return 1;
		lengths &= lengths - 1;
	}
	return 0;
}

/* Networks whose length lies in the upper or the lower half of an address: `word` is that half. */
static __always_inline bool list6_half(void *networks, struct list6_key *key, __u64 *into, __u64 word, __u64 lengths,
				       __u32 longest)
{
	__u64 bit;
	int i;

	for (i = 0; i < 64 && lengths; i++) {
		bit = lengths & -lengths;
		*into = word & -bit;
		key->prefix = longest - __builtin_ctzll(bit);
		if (listed_now(bpf_map_lookup_elem(networks, key)))
			return true;
		lengths &= lengths - 1;
	}
	*into = 0;
	return false;
}

__weak __noinline int list6_match(__u64 hi, __u64 lo, __u32 list)
{
	struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	void *networks = bpf_map_lookup_elem(&lists6, &list);
	struct list6_key key = { .hi = hi };

	if (!known || !networks)
		return 0;
	if (list6_half(networks, &key, &key.lo, lo, READ_ONCE(known->v6[1]), 128))
		return 1;
	if (list6_half(networks, &key, &key.hi, hi, READ_ONCE(known->v6[0]), 64))
		return 1;
	key.prefix = 0;
	return READ_ONCE(known->v6_all) && listed_now(bpf_map_lookup_elem(networks, &key));
}

#endif

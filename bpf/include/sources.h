/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the entry of a source in `sources`, a set-associative table: what a packet of one source among a million needs of it is
 * in one cache line.
 *
 * A source has its entry in its first set, or where that was full in its second. Entries of a set are taken in order, by
 * compare-and-swap, and are never free again: so CPUs that meet a new source at once come to the same entry. Where both sets are
 * full the entry that has least to lose changes hands. Two CPUs may then give the source two entries; all find the first of them
 * from the next packet on.
 */
#ifndef MPBPF_BPF_SOURCES_H
#define MPBPF_BPF_SOURCES_H

#include "source_place.h"
#include "stats.h"
#include "window.h"

/* The size of the map, as this load has it. */
static __always_inline __u32 sources_sets(void)
{
	return ((const struct bpf_map *)&sources)->max_entries;
}

/* The entry of a source, which it takes if it is free; NULL: others have the whole set. */
static __always_inline struct source *set_get(struct source_set *set, __u64 name)
{
	__u64 held;
	__u32 i;

#pragma unroll
	for (i = 0; i < MPBPF_SOURCE_WAYS; i++) {
		held = READ_ONCE(set->ways[i].name);
		if (unlikely(!held))
			held = __sync_val_compare_and_swap(&set->ways[i].name, 0, name) ?: name;
		if (held == name)
			return &set->ways[i].source;
	}
	return NULL;
}

/*
 * What is lost with an entry: packets of this window, or how far a bucket is used; under 2^62. `now`: window number, or
 * BUCKET_TICKS.
 */
static __always_inline __u64 source_weight(__u64 word, __u64 now, bool bucket)
{
	if (bucket) /* a word with WINDOW_MARK is of a policy before: nothing to lose */
		return (__s64)word > 0 && (__s64)(word - now) > 0 ? word - now : 0;
	return window_is(word, now) ? 1 + (__u32)word : 0;
}

/* Which entry has least to lose: one of the first set, or behind these one of the second. */
struct lightest {
	__u64 weight;
	__u32 way;
};

/* The entries of a set, the first of which is number `way`. No choice branches, for the verifier would go on from each of them. */
static __always_inline void set_lightest(const struct source_set *set, __u32 way, __u64 now, bool bucket,
					 struct lightest *best)
{
	__u64 other, lighter;
	__u32 i;

#pragma unroll
	for (i = 0; i < MPBPF_SOURCE_WAYS; i++) {
		other = source_weight(READ_ONCE(set->ways[i].source.window_count), now, bucket);
		lighter = (__s64)(other - best->weight) >> 63;
		forget(lighter);
		best->weight += (other - best->weight) & lighter;
		best->way ^= (best->way ^ (way + i)) & (__u32)lighter;
	}
}

/*
 * The count first, then the name: no CPU may take what another source has had for that of this one. NULL: another CPU was at it
 * at the same moment.
 */
static __always_inline struct source *entry_take(struct source_way *entry, __u64 name, __u64 now, bool bucket)
{
	__u64 held = READ_ONCE(entry->name), word = READ_ONCE(entry->source.window_count), found;

	if (__sync_val_compare_and_swap(&entry->source.window_count, word, bucket ? 0 : now << 32) != word)
		return NULL;
	found = __sync_val_compare_and_swap(&entry->name, held, name);
	return found == held || found == name ? &entry->source : NULL;
}

/* Not in the first set. */
static __noinline struct source *source_get_second(struct source_set *first, __u32 second, __u64 name, __u64 now,
						   bool bucket)
{
	struct source_set *set = bpf_map_lookup_elem(&sources, &second);
	struct lightest best = { .weight = 1ULL << 62 };
	struct source *source;
	__u32 way;

	if (set) {
		source = set_get(set, name);
		if (source)
			return source;
	}
	set_lightest(first, 0, now, bucket, &best);
	if (set)
		set_lightest(set, MPBPF_SOURCE_WAYS, now, bucket, &best);
	way = best.way & (MPBPF_SOURCE_WAYS - 1);
	return entry_take(set && best.way >= MPBPF_SOURCE_WAYS ? &set->ways[way] : &first->ways[way], name, now,
			  bucket);
}

/*
 * The count of a source, made if it is not there, of whatever window it is; `now` as in source_weight(). NULL: another CPU took the
 * entry that it would have had at the same moment.
 */
static __always_inline struct source *source_get(const struct source_key *key, __u64 now, bool bucket)
{
	const struct control *in_force = control_get();
	struct source_place place;
	struct source *source;
	struct source_set *set;
	__u64 name;

	if (!in_force)
		return NULL;
	name = source_name(key);
	place = source_place(name, in_force->hash_key, sources_sets());
	set = bpf_map_lookup_elem(&sources, &place.first);
	if (!set)
		return NULL;
	source = set_get(set, name);
	return likely(source) ? source : source_get_second(set, place.second, name, now, bucket);
}

#endif

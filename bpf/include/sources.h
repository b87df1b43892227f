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

/* What is lost with an entry: packets of this window, or how far a bucket is used. `now`: window number, or BUCKET_TICKS. */
static __always_inline __u64 source_weight(__u64 word, __u64 now, bool bucket)
{
	if (bucket)
		return (__s64)(word - now) > 0 ? word - now : 0;
	return window_is(word, now) ? 1 + (__u32)word : 0;
}

/* The entry of the set that has less to lose than *weight, which becomes what it has; else `best`. */
static __always_inline struct source_way *set_lightest(struct source_set *set, __u64 now, bool bucket, __u64 *weight,
						       struct source_way *best)
{
	__u64 other;
	__u32 i;

#pragma unroll
	for (i = 0; i < MPBPF_SOURCE_WAYS; i++) {
		other = source_weight(READ_ONCE(set->ways[i].source.window_count), now, bucket);
		if (other < *weight) {
			*weight = other;
			best = &set->ways[i];
		}
	}
	return best;
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
	struct source_way *entry;
	struct source *source;
	__u64 weight = ~0ULL;

	if (set) {
		source = set_get(set, name);
		if (source)
			return source;
	}
	entry = set_lightest(first, now, bucket, &weight, &first->ways[0]);
	if (set)
		entry = set_lightest(set, now, bucket, &weight, entry);
	return entry_take(entry, name, now, bucket);
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

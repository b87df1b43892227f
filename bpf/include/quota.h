/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: amounts that a source may have, of anything, exact however many CPUs see it at once: one word each, kept as a fixed
 * window or as a token bucket.
 */
#ifndef MPBPF_BPF_QUOTA_H
#define MPBPF_BPF_QUOTA_H

#include "window.h"

#define QUOTA_BITS 40 /* of amount; above them the window's number, 23 bits of it, and WINDOW_MARK */
#define QUOTA_MASK ((1ULL << QUOTA_BITS) - 1)
#define QUOTA_WINDOWS ((1u << 23) - 1)
#define QUOTA_FULL (1ULL << (QUOTA_BITS - 1)) /* counting stops here, and none reaches the window */
#define QUOTA_SWAPS_MAX 16		      /* swaps lost to other CPUs before an amount is taken unseen */

static __always_inline __u64 quota_first(__u32 window, __u64 amount)
{
	return (__u64)WINDOW_MARK << 32 | (__u64)(window & QUOTA_WINDOWS) << QUOTA_BITS | amount;
}

/* By how many windows, of numbers modulo 2^23, `window` is ahead of that in `word`. What is no window's is behind. */
static __always_inline __s32 quota_ahead(__u64 word, __u32 window)
{
	if (!(word >> 32 & WINDOW_MARK))
		return 1;
	return (__s32)((window - (__u32)(word >> QUOTA_BITS)) << 9) >> 9;
}

/* As window_count(): what is over the limit counts too. */
static __always_inline bool quota_window_over(__u64 *word, __u64 amount, __u64 room, __u32 window)
{
	__u64 old, first = quota_first(window, amount);
	__s32 ahead;
	__u32 i;

	for (i = 0; i < WINDOW_SWAPS_MAX; i++) {
		old = READ_ONCE(*word);
		ahead = quota_ahead(old, window);
		if (ahead <= 0 && ahead >= -WINDOW_LATE_MAX)
			break;
		if (__sync_val_compare_and_swap(word, old, first) == old)
			return amount > room;
	}
	if ((old & QUOTA_MASK) >= QUOTA_FULL)
		return true;
	return (__sync_fetch_and_add(word, amount) & QUOTA_MASK) + amount > room;
}

/*
 * As bucket_take(): what is refused takes nothing. The word may come from a bucket of another rate, or from a window, before a
 * reload: further ahead than it can be, it means nothing, and the bucket is full.
 */
static __always_inline bool quota_bucket_over(__u64 *word, __u64 amount, __u64 room, __u64 now)
{
	__u64 old, ahead;
	__u32 i;

	for (i = 0; i < QUOTA_SWAPS_MAX; i++) {
		old = READ_ONCE(*word);
		ahead = old - now;
		if ((__s64)ahead < 0 || ahead > 2 * room)
			ahead = 0;
		if (ahead + amount > room)
			return true;
		if (__sync_val_compare_and_swap(word, old, now + ahead + amount) == old)
			return false;
	}
	__sync_fetch_and_add(word, amount);
	return false;
}

/* bucket: `time` is in BUCKET_TICKS, else it is the window's number. */
static __always_inline bool quota_over(__u64 *word, const struct measure *measure, __u32 n, bool bucket, __u64 time)
{
	__u64 amount = n * measure->cost >> MEASURE_SHIFT;

	if (bucket)
		return quota_bucket_over(word, amount, measure->room, time);
	return quota_window_over(word, amount, measure->room, time);
}

/* The counter of a source, NULL: all room is being recycled at this moment. */
static __always_inline __u64 *quota_get(const struct quota_key *key)
{
	struct quota *quota = bpf_map_lookup_elem(&quotas, key), fresh = {};

	if (!quota) {
		bpf_map_update_elem(&quotas, key, &fresh, BPF_NOEXIST);
		quota = bpf_map_lookup_elem(&quotas, key);
	}
	return quota ? &quota->word : NULL;
}

#endif

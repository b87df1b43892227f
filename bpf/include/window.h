/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: counting by source in fixed windows, exact however many CPUs see that source at once.
 *
 * A source is an IPv4 address or an IPv6 /64. Its window number and its count are one 64-bit word: within a window CPUs
 * add to it, into the next window one of them swaps it, and who loses the swap reads again and adds.
 */
#ifndef MPBPF_BPF_WINDOW_H
#define MPBPF_BPF_WINDOW_H

#include "maps.h"

#define WINDOW_COUNT_MAX 0xffff0000u /* counting stops here: 1023 CPUs may overshoot it, none reaches the window */
#define WINDOW_SWAPS_MAX 4	     /* lost swaps before a packet is counted in whatever window there is */

/*
 * A CPU that read the clock and was then held up finds the window already moved on, and must not move it back. A window
 * number further ahead than that was counted in windows of another length, before a reload, and means nothing now:
 * kept, it would hold the source in one endless window.
 */
#define WINDOW_LATE_MAX 16

static __always_inline struct source_key source_key_of(const struct addr *addr)
{
	struct source_key key = {};

	if (!addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(0xffff)) {
		key.w[1] = addr->w[3];
	} else {
		key.w[0] = addr->w[0];
		key.w[1] = addr->w[1];
	}
	return key;
}

/* Whether a count is of this window, or of one that a CPU which is late at it must count in. */
static __always_inline bool window_is(__u64 window_count, __u32 window)
{
	__s32 ahead = (__s32)(window - (__u32)(window_count >> 32));

	return ahead <= 0 && ahead >= -WINDOW_LATE_MAX;
}

/* How much the source has to its count in its present window, with these `n`; it begins with `charge`. */
static __always_inline __u32 window_take(struct source *source, __u32 window, __u32 n, __u32 charge)
{
	__u64 old, first = (__u64)window << 32 | (charge + n);
	__u32 i;

	for (i = 0; i < WINDOW_SWAPS_MAX; i++) {
		old = READ_ONCE(source->window_count);
		if ((__u32)old && window_is(old, window))
			break;
		if (__sync_val_compare_and_swap(&source->window_count, old, first) == old)
			return charge + n;
	}
	if ((__u32)old >= WINDOW_COUNT_MAX)
		return (__u32)old;
	return (__u32)__sync_fetch_and_add(&source->window_count, n) + n;
}

static __always_inline __u32 window_count(struct source *source, __u32 window)
{
	return window_take(source, window, 1, 0);
}

#endif

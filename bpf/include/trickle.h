/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: sources that send little. A CPU lets a few packets of each source pass in a window without a look at `sources`, for among
 * a million of them that is a look at memory that is in no cache; here each has a counter, which it may share with others.
 *
 * So a flood from made-up addresses neither waits for memory nor fills `sources`. Whoever is first looked up in a window is
 * charged what all CPUs may have let pass so (policy->charge): never more than the limit passes. The agent chooses it so that
 * this is less than a hundredth of the limit, together with what is lost in leases.
 */
#ifndef MPBPF_BPF_TRICKLE_H
#define MPBPF_BPF_TRICKLE_H

#include "source_place.h"
#include "maps.h"

#define TRICKLE_PAGE_SHIFT 57 /* what is left are 7 bits: MPBPF_TRICKLE_PAGES */

_Static_assert(MPBPF_TRICKLE_PAGES == 1 << (64 - TRICKLE_PAGE_SHIFT), "each page can be had");

static __always_inline void trickle_begin(struct trickle_line *line, __u32 window)
{
	*line = (struct trickle_line){ .window = window };
}

/* Whether one packet more of the source may pass unseen, of `most` in a window on this CPU. */
static __always_inline bool trickle_passes(const struct source_key *key, __u32 window, __u32 most)
{
	__u64 hash = source_name(key);
	struct trickle_page *page;
	struct trickle_line *line;
	__u32 at, in_line;
	__u8 *count;

	hash = (hash ^ hash >> 32) * SOURCE_MIX_1;
	at = hash >> TRICKLE_PAGE_SHIFT;
	page = bpf_map_lookup_elem(&trickles, &at);
	if (!page)
		return false;
	line = &page->lines[hash >> 48 & (MPBPF_TRICKLE_LINES - 1)];
	if (unlikely(line->window != window))
		trickle_begin(line, window);
	in_line = (hash >> 32 & 0xffff) * MPBPF_TRICKLE_COUNTS >> 16;
	forget(in_line);
	if (in_line >= MPBPF_TRICKLE_COUNTS)
		return false;
	count = &line->counts[in_line];
	if (*count >= most)
		return false;
	++*count;
	return true;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the packet limit of one source in fixed windows, exact however many CPUs see that source at once.
 *
 * A source is an IPv4 address or an IPv6 /64. Its window number and its count are one 64-bit word: within a window CPUs
 * add to it, into the next window one of them swaps it, and who loses the swap reads again and adds.
 */
#ifndef MPBPF_BPF_LIMIT_H
#define MPBPF_BPF_LIMIT_H

#include "packet.h"

#define LIMIT_COUNT_MAX 0xffff0000u /* counting stops here: 65535 CPUs may overshoot it, none reaches the window */
#define LIMIT_SWAPS_MAX 4	    /* lost swaps before a packet is counted in whatever window there is */

/*
 * A CPU that read the clock and was then held up finds the window already moved on, and must not move it back. A window
 * number further ahead than that was counted in windows of another length, before a reload, and means nothing now:
 * kept, it would hold the source in one endless window.
 */
#define LIMIT_LATE_MAX 16

static __always_inline struct source_key limit_key(const struct packet *pkt)
{
	struct source_key key = {};

	if (pkt->l3_proto == L3_IPV4) {
		key.w[1] = pkt->source.w[3];
	} else {
		key.w[0] = pkt->source.w[0];
		key.w[1] = pkt->source.w[1];
	}
	return key;
}

/* How many packets of the source came in its present window, this one included. */
static __always_inline __u32 limit_count(struct source *source, __u32 window)
{
	__u64 old, first = (__u64)window << 32 | 1;
	__s32 ahead;
	__u32 i;

	for (i = 0; i < LIMIT_SWAPS_MAX; i++) {
		old = READ_ONCE(source->window_count);
		ahead = (__s32)(window - (__u32)(old >> 32));
		if (ahead <= 0 && ahead >= -LIMIT_LATE_MAX)
			break;
		if (__sync_val_compare_and_swap(&source->window_count, old, first) == old)
			return 1;
	}
	if ((__u32)old >= LIMIT_COUNT_MAX)
		return (__u32)old;
	return (__u32)__sync_fetch_and_add(&source->window_count, 1) + 1;
}

/*
 * Packets over the limit count as well: what a window saw is what came, not what was let through, so that `sources`
 * shows how far over the limit a source is; and it costs no second atomic operation to take them back.
 */
static __always_inline bool limit_exceeded(const struct packet *pkt, const struct policy *policy)
{
	struct source_key key = limit_key(pkt);
	struct source *source, first;
	__u32 window;

	if (unlikely(!policy->window_ns))
		return false;
	window = bpf_ktime_get_ns() / policy->window_ns;
	source = bpf_map_lookup_elem(&sources, &key);
	if (unlikely(!source)) {
		first.window_count = (__u64)window << 32 | 1;
		if (!bpf_map_update_elem(&sources, &key, &first, BPF_NOEXIST))
			return !policy->packets;
		/* Another CPU was first; or all room is being recycled at this moment: then it passes uncounted. */
		source = bpf_map_lookup_elem(&sources, &key);
		if (!source)
			return false;
	}
	return limit_count(source, window) > policy->packets;
}

#endif

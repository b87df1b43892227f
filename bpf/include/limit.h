/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the packet limit of one source in fixed windows. */
#ifndef MPBPF_BPF_LIMIT_H
#define MPBPF_BPF_LIMIT_H

#include "packet.h"
#include "window.h"

/* By what the packet is, not by how its address looks: a mapped one in an IPv6 header must not count against an IPv4 source. */
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

/* The number of the window now. Jiffies cost nothing to read, and no window is shorter than one. */
static __always_inline __u32 limit_window(const struct policy *policy)
{
	return bpf_jiffies64() * policy->jiffy_ns / policy->window_ns;
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
	window = limit_window(policy);
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
	return window_count(source, window) > policy->packets;
}

#endif

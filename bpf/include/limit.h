/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the packet limit of one source in fixed windows. */
#ifndef MPBPF_BPF_LIMIT_H
#define MPBPF_BPF_LIMIT_H

#include "lease.h"
#include "packet.h"
#include "sources.h"
#include "trickle.h"

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
	return bpf_jiffies64() * policy->jiffy_ns / policy->window_ns | WINDOW_MARK;
}

/* Adds `n` packets to the count of the source; how many there were before, the same one if there is no room for it. */
static __always_inline __u32 limit_take(const struct source_key *key, const struct policy *policy, __u32 window,
					__u32 *n)
{
	struct source *source = source_get(key, window, false);

	/* It passes uncounted, by itself. */
	if (unlikely(!source)) {
		*n = 1;
		return 0;
	}
	return window_take(source, window, *n, policy->charge) - *n;
}

/*
 * Packets over the limit count as well, up to the one by which a CPU knows it: so it costs no second atomic operation to take
 * them back.
 */
static __always_inline bool limit_exceeded(const struct packet *pkt, const struct policy *policy)
{
	struct source_key key = limit_key(pkt);
	struct lease *lease = NULL;
	__u32 window, before, n = 1;

	if (unlikely(!policy->window_ns))
		return false;
	window = limit_window(policy);
	if (likely(policy->lease))
		lease = lease_place(&key);
	if (lease && lease_is_of(lease, policy->generation, window)) {
		if (likely(lease_has(lease, &key))) {
			if (likely(lease->left)) {
				lease->left--;
				return false;
			}
			if (lease->over)
				return true;
			n = policy->lease;
		} else if (lease->left) {
			lease = NULL;
		}
	}
	if (n == 1 && policy->charge && trickle_passes(&key, window, policy->lease))
		return false;
	before = limit_take(&key, policy, window, &n);
	if (lease) {
		*lease = (struct lease){ .source = key, .generation = policy->generation, .window = window };
		lease_note(lease, n, before, policy->packets);
	}
	return before >= policy->packets;
}

#endif

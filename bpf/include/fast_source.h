/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: clients whose packets XDP drops, wherever it stands: they are left to TCP, and with it to XDP. */
#ifndef MPBPF_BPF_FAST_SOURCE_H
#define MPBPF_BPF_FAST_SOURCE_H

#include "ban.h"
#include "lists.h"

static __always_inline bool source_blocked(const struct addr *addr)
{
	__u32 list = CIDR_DENY;
	const struct list_lengths *known = bpf_map_lookup_elem(&list_lengths, &list);
	__u64 hi, lo;

	if (!known)
		return false;
	if (!addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(0xffff))
		return known->v4 && list4_match(bpf_ntohl(addr->w[3]), list);
	if (!(known->v6[0] | known->v6[1] | known->v6_all))
		return false;
	hi = (__u64)bpf_ntohl(addr->w[0]) << 32 | bpf_ntohl(addr->w[1]);
	lo = (__u64)bpf_ntohl(addr->w[2]) << 32 | bpf_ntohl(addr->w[3]);
	return list6_match(hi, lo, list);
}

/* Denied by configuration or at run time, or banned. */
static __always_inline bool source_refused(const struct addr *addr)
{
	const struct policy *policy = policy_get();
	struct cidr_key key = { .prefixlen = 64 + 128, .list = CIDR_DENY, .addr = *addr };

	if (!policy)
		return false;
	key.generation = policy->generation;
	return source_blocked(addr) || (policy->has_deny && bpf_map_lookup_elem(&cidrs, &key)) ||
	       (policy->ban_failures && source_banned(source_key_of(addr)));
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the event of a connection that a gateway or a capture took or refused, in the kernel. */
#ifndef MPBPF_BPF_CONNECTION_EVENT_H
#define MPBPF_BPF_CONNECTION_EVENT_H

#include "events.h"

#define CONNECTION_IPPROTO_TCP 6

/* Where an event goes if there is room for it in this second: NULL: there is none. */
static __always_inline struct xdp_stats *connection_event_due(void)
{
	const struct policy *policy = policy_get();
	struct xdp_stats *stats;
	__u32 zero = 0;

	stats = bpf_map_lookup_elem(&xdp_stats, &zero);
	return policy && stats && event_due(policy, stats) ? stats : NULL;
}

/* An address that is not known yet is left as ANY. */
static __always_inline __u8 connection_family(const struct addr *dest)
{
	return !dest->w[0] && !dest->w[1] && dest->w[2] == bpf_htonl(0xffff) ? 4 : 6;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what neighbours on the link say to each other, which is to IPv6 what ARP is to IPv4. */
#ifndef MPBPF_BPF_NEIGHBOUR_H
#define MPBPF_BPF_NEIGHBOUR_H

#include "kernel.h"

/* Link-local (fe80::/10) or unspecified: routers do not forward such a source (RFC 4291, section 2.5). */
static __always_inline bool addr_is_on_link(const struct addr *addr)
{
	const __be32 *w = addr->w;

	if ((w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
		return true;
	return !(w[0] | w[1] | w[2] | w[3]);
}

/*
 * Neighbour discovery is believed with hop limit 255 only, which nothing behind a router can send (RFC 4861, section
 * 6.1); listener discovery has hop limit 1 and a source that routers do not forward (RFC 3810, section 5).
 */
static __always_inline bool icmpv6_is_on_link(__u8 type, __u8 hop_limit, const struct addr *source)
{
	switch (type) {
	/* Router and neighbour solicitation and advertisement, redirect. */
	case 133 ... 137: return hop_limit == 255;
	/* Listener query, report, done; report of version 2. */
	case 130 ... 132:
	case 143: return hop_limit == 1 && addr_is_on_link(source);
	default: return false;
	}
}

/* Both kinds begin alike. */
#endif

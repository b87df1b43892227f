/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: shapes of packets that no receiver may accept. Each rule names who says so, for a packet that some stack could
 * rightly take is none of them.
 */
#ifndef MPBPF_BPF_SANITY_H
#define MPBPF_BPF_SANITY_H

#include "kernel.h"

#define LOOPBACK_IFINDEX 1 /* in every network namespace */
#define IPV4_HEADER 20
#define IPV4_OPTIONS_MAX 40
#define IPV4_OPTIONS_ROOM 64 /* power of two above it */

enum tcp_flags {
	TCP_FIN = 1 << 0,
	TCP_SYN = 1 << 1,
	TCP_RST = 1 << 2,
	TCP_ACK = 1 << 4,
};

#define TCP_FLAGS_AT 13

/*
 * Every state drops a segment without ACK that neither opens nor resets (RFC 9293, section 3.10.7): no flag at all, FIN or
 * PSH or URG alone, the "Christmas tree". SYN with FIN or RST says two things at once, which no stack sends.
 */
static __always_inline bool tcp_flags_bad(__u8 flags)
{
	if (flags & TCP_SYN)
		return flags & (TCP_FIN | TCP_RST);
	return !(flags & (TCP_ACK | TCP_RST));
}

enum {
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_LSRR = 131, /* loose source and record route */
	IPV4_OPTION_SSRR = 137, /* strict */
};

/*
 * Options that break off are a "parameter problem" (RFC 792); a route that the sender chose leads around filters (RFC 7126,
 * sections 4.3 and 4.4: "MUST be dropped" unless asked for). Global: verified once. Few packets have options.
 *
 * off, size: of the options in the frame. Returns enum malformed.
 */
__noinline int ipv4_options_check(struct xdp_md *ctx, __u32 off, __u32 size)
{
	__u8 options[IPV4_OPTIONS_ROOM] = {};
	__u32 i, at = 0, len;

	if (!size || size > IPV4_OPTIONS_MAX)
		return MALFORMED_NONE;
	if (bpf_xdp_load_bytes(ctx, off, options, within(size, IPV4_OPTIONS_ROOM)))
		return MALFORMED_TRUNCATED;
#pragma clang loop unroll(disable)
	for (i = 0; i < IPV4_OPTIONS_MAX; i++) {
		forget(at); /* else the verifier walks each way to each place */
		at &= IPV4_OPTIONS_ROOM - 1;
		if (at >= size || options[at] == IPV4_OPTION_END)
			break;
		if (options[at] == IPV4_OPTION_NOP) {
			at++;
			continue;
		}
		if (options[at] == IPV4_OPTION_LSRR || options[at] == IPV4_OPTION_SSRR)
			return MALFORMED_SOURCE_ROUTE;
		len = options[(at + 1) & (IPV4_OPTIONS_ROOM - 1)];
		if (at + 1 >= size || len < 2 || at + len > size)
			return MALFORMED_BAD_OPTIONS;
		at += len;
	}
	return MALFORMED_NONE;
}

/*
 * A routing header of type 0 that is not used up: nobody may follow it (RFC 5095). One that is used up is stepped over by
 * whoever receives it. `header`: any extension header, whose third and fourth byte are type and segments left here.
 */
static __always_inline bool routing_type_0(const struct frag_hdr *header)
{
	const __u8 *b = (const __u8 *)header;

	return !b[2] && b[3];
}

#define IP_PACKET_MAX 65535
#define TCP_FRAGMENT_OFFSET 8 /* where a fragment would begin that overlays the flags of the first one's TCP header */

/*
 * A fragment that is not the first: `offset` bytes into a packet of protocol `proto`, `end` is where the packet ends with it,
 * as the length field would have to say.
 */
static __always_inline enum malformed fragment_check(__u32 offset, __u32 end, bool tcp)
{
	/* "Ping of death": no packet is that long (RFC 791, section 3.1; RFC 8200, section 4.5). */
	if (end > IP_PACKET_MAX)
		return MALFORMED_OVERSIZED_FRAGMENT;
	/* RFC 3128. Over IPv6 the first fragment has the whole header (RFC 7112), so this one lies over it just as well. */
	if (offset == TCP_FRAGMENT_OFFSET && tcp)
		return MALFORMED_OVERLAPPING_FRAGMENT;
	return MALFORMED_NONE;
}

#endif

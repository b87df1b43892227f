/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the header of IPv6 and its extension headers, read into the facts of a packet. */
#ifndef MPBPF_BPF_PACKET_IPV6_H
#define MPBPF_BPF_PACKET_IPV6_H

#include "packet_l4.h"
#include "packet_types.h"
#include "sanity.h"

enum extension { EXTENSION_NONE, EXTENSION_READ, EXTENSION_LAST, EXTENSION_BAD };

/* A fragment header, of which the rest of the packet is the fragment. */
static __always_inline enum extension packet_parse_fragment(struct packet *pkt, struct cursor *cursor,
							    const struct frag_hdr *header)
{
	__u32 left = cursor->at.end - cursor->at.off - sizeof(*header),
	      offset = bpf_ntohs(header->frag_off) & IPV6_OFFSET_MASK;

	pkt->more_fragments = header->frag_off & bpf_htons(IPV6_MORE_FRAGMENTS);
	pkt->fragment = pkt->more_fragments || offset;
	if (pkt->more_fragments && left % 8)
		cursor->at.bad = MALFORMED_UNALIGNED_FRAGMENT;
	else
		cursor->at.bad = fragment_check(offset, offset + left, header->nexthdr == IP_PROTO_TCP);
	if (cursor->at.bad)
		return EXTENSION_BAD;
	return offset ? EXTENSION_LAST : EXTENSION_READ;
}

static __always_inline enum extension packet_extension(struct packet *pkt, struct cursor *cursor)
{
	/* As short as any of them may be; where this one has `reserved`, the others have their length. */
	struct frag_hdr *header;
	enum extension fragment = EXTENSION_READ;
	__u32 size;

	switch (cursor->at.proto) {
	case IP_PROTO_HOPOPTS:
	case IP_PROTO_ROUTING:
	case IP_PROTO_DSTOPTS:
	case IP_PROTO_FRAGMENT:
	case IP_PROTO_AH: break;
	default: return EXTENSION_NONE;
	}
	pkt->extensions |= 1ULL << (cursor->at.proto & 63);
	header = cursor_header(cursor, sizeof(*header));
	cursor->at.bad = packet_cut(pkt);
	if (!header)
		return EXTENSION_BAD;
	size = (header->reserved + 1) * 8;
	if (cursor->at.proto == IP_PROTO_AH)
		size = (header->reserved + 2) * 4;
	if (cursor->at.proto == IP_PROTO_FRAGMENT) {
		size = sizeof(*header);
		fragment = packet_parse_fragment(pkt, cursor, header);
	} else if (cursor->at.off + size > cursor->at.end) {
		cursor->at.bad = pkt->more_fragments ? MALFORMED_TINY_FRAGMENT : MALFORMED_BAD_HEADER_LENGTH;
		return EXTENSION_BAD;
	} else if (cursor->at.proto == IP_PROTO_ROUTING && routing_type_0(header)) {
		cursor->at.bad = MALFORMED_SOURCE_ROUTE;
		return EXTENSION_BAD;
	}
	cursor->at.proto = header->nexthdr;
	cursor->at.off += size;
	return fragment;
}

/* Steps over the extension header there, if there is one. Returns enum extension. Global, as packet_parse_l4(). */
__noinline int packet_parse_extension(struct xdp_md *ctx, struct packet *pkt, struct header_place *at)
{
	union header_copy copy;
	struct cursor cursor = cursor_open(ctx, &copy);
	enum extension extension;

	if (!pkt || !at)
		return EXTENSION_BAD;
	cursor.at = *at;
	extension = packet_extension(pkt, &cursor);
	*at = cursor.at;
	return extension;
}

static __always_inline enum malformed packet_parse_extensions(struct packet *pkt, struct cursor *cursor)
{
	__u32 i;
	int extension;

#pragma clang loop unroll(disable)
	for (i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		extension = packet_parse_extension(cursor->ctx, pkt, &cursor->at);
		if (extension == EXTENSION_BAD)
			return cursor->at.bad;
		if (extension == EXTENSION_LAST)
			return MALFORMED_NONE;
		if (extension == EXTENSION_NONE)
			break;
	}
	/* After the last step it may still be an extension header: none of TCP, UDP and ICMP, so other. */
	return packet_parse_l4(cursor->ctx, pkt, &cursor->at);
}

static __always_inline enum malformed packet_parse_ipv6(struct packet *pkt, struct cursor *cursor)
{
	struct ipv6hdr *ip = cursor_header(cursor, sizeof(*ip));
	__u32 payload, left = cursor->at.end - cursor->at.off - sizeof(*ip);

	if (!ip)
		return MALFORMED_TRUNCATED;
	if (ip->version != 6)
		return MALFORMED_BAD_VERSION;
	pkt->l3_proto = L3_IPV6;
	__builtin_memcpy(&pkt->source, &ip->saddr, sizeof(pkt->source));
	cursor->at.loops = !__builtin_memcmp(&ip->saddr, &ip->daddr, sizeof(ip->saddr));
	__builtin_memcpy(&pkt->dest, &ip->daddr, sizeof(pkt->dest));
	payload = bpf_ntohs(ip->payload_len);
	/* A jumbogram says its length in a hop-by-hop option (RFC 2675), "BIG TCP" on a virtual device nowhere. */
	if (!payload && (ip->nexthdr == IP_PROTO_HOPOPTS || left > IP_LENGTH_MAX))
		payload = left;
	if (payload > left)
		return MALFORMED_BAD_LENGTH;
	cursor->at.proto = ip->nexthdr;
	cursor->at.hop_limit = ip->hop_limit;
	cursor->at.off += sizeof(*ip);
	cursor->at.end = cursor->at.off + payload;
	return packet_parse_extensions(pkt, cursor);
}

#endif

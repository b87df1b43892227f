/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: a frame read once, from Ethernet to the transport header, into named facts.
 *
 * Only what no receiver could accept is malformed; what the parser does not know (ARP, LLDP, SCTP, ESP, a third VLAN
 * tag) is legal and stays as it is. Lengths come from IP, never from the frame: Ethernet pads to 60 bytes.
 */
#ifndef MPBPF_BPF_PACKET_H
#define MPBPF_BPF_PACKET_H

#include "maps.h"
#include "packet_ipv6.h"
#include "packet_l4.h"
#include "packet_types.h"
#include "sanity.h"

/* What is behind IPv4's header, of a packet that is `total` bytes long with it. */
static __always_inline enum malformed packet_parse_ipv4_payload(struct packet *pkt, const struct cursor *cursor,
								__u16 fragment, __u32 total)
{
	__u32 offset = (fragment & IP_OFFSET_MASK) * 8;

	if (likely(!offset))
		return packet_parse_l4(cursor->ctx, pkt, &cursor->at);
	return fragment_check(offset, offset + total, cursor->at.proto == IP_PROTO_TCP);
}

static __always_inline enum malformed packet_parse_ipv4(struct packet *pkt, struct cursor *cursor)
{
	struct iphdr *ip = cursor_header(cursor, sizeof(*ip));
	__u32 size, total, left = cursor->at.end - cursor->at.off;
	enum malformed options;
	__u16 fragment;

	if (!ip)
		return MALFORMED_TRUNCATED;
	if (ip->version != 4)
		return MALFORMED_BAD_VERSION;
	if (ip->ihl < 5)
		return MALFORMED_BAD_HEADER_LENGTH;
	pkt->l3_proto = L3_IPV4;
	pkt->source.w[2] = bpf_htonl(0xffff);
	pkt->source.w[3] = ip->saddr;
	cursor->at.loops = ip->saddr == ip->daddr;
	pkt->dest.w[2] = bpf_htonl(0xffff);
	pkt->dest.w[3] = ip->daddr;
	size = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	/* "BIG TCP", as a virtual device carries it from one stack to the next. */
	if (!total && left > IP_LENGTH_MAX)
		total = left;
	if (total < size || total > left)
		return MALFORMED_BAD_LENGTH;
	fragment = bpf_ntohs(ip->frag_off);
	pkt->more_fragments = fragment & IP_MORE_FRAGMENTS;
	pkt->fragment = fragment & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK);
	cursor->at.proto = ip->protocol;
	cursor->at.end = cursor->at.off + total;
	if (unlikely(size > IPV4_HEADER)) {
		options = ipv4_options_check(cursor->ctx, cursor->at.off + IPV4_HEADER, size - IPV4_HEADER);
		if (options)
			return options;
	}
	cursor->at.off += size;
	return packet_parse_ipv4_payload(pkt, cursor, fragment, total);
}

/* Steps over Ethernet and its tags; *ret_type is what follows them, in host order. */
static __always_inline enum malformed packet_parse_ethernet(struct cursor *cursor, __u16 *ret_type)
{
	struct ethhdr *eth = cursor_header(cursor, sizeof(*eth));
	struct vlan_hdr *vlan;
	__u16 type;
	__u32 i;

	if (!eth)
		return MALFORMED_TRUNCATED;
	type = bpf_ntohs(eth->h_proto);
	cursor->at.off += sizeof(*eth);
	for (i = 0; i < VLAN_TAGS_MAX && (type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ); i++) {
		vlan = cursor_header(cursor, sizeof(*vlan));
		if (!vlan)
			return MALFORMED_TRUNCATED;
		type = bpf_ntohs(vlan->h_vlan_encapsulated_proto);
		cursor->at.off += sizeof(*vlan);
	}
	*ret_type = type;
	return MALFORMED_NONE;
}

/*
 * Fills *pkt, which must be zero; returns enum malformed. When that is not MALFORMED_NONE, l3_proto and source are still
 * right if the IP header was read so far. Global: what follows is verified once, not once for each way through the headers.
 */
__noinline int packet_parse(struct xdp_md *ctx, struct packet *pkt)
{
	union header_copy copy;
	struct cursor cursor = cursor_open(ctx, &copy);
	int malformed = MALFORMED_NONE;
	__u16 type;

	/* Never, but the verifier wants to see it. */
	if (!pkt)
		return MALFORMED_TRUNCATED;
	pkt->len = cursor.at.end = bpf_xdp_get_buff_len(ctx);
	if (packet_parse_ethernet(&cursor, &type))
		return MALFORMED_TRUNCATED;
	pkt->l3_off = cursor.at.off;
	if (type == ETH_TYPE_IPV4)
		malformed = packet_parse_ipv4(pkt, &cursor);
	else if (type == ETH_TYPE_IPV6)
		malformed = packet_parse_ipv6(pkt, &cursor);
	pkt->ip_proto = cursor.at.proto;
	return malformed;
}

#endif

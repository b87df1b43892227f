/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the headers of TCP, UDP and ICMP, read into the facts of a packet. */
#ifndef MPBPF_BPF_PACKET_L4_H
#define MPBPF_BPF_PACKET_L4_H

#include "neighbour.h"
#include "packet_types.h"
#include "sanity.h"

static __always_inline enum malformed packet_parse_tcp(struct packet *pkt, const struct cursor *cursor)
{
	struct tcphdr *tcp = cursor_header(cursor, sizeof(*tcp));
	__u32 size;

	if (!tcp)
		return packet_cut(pkt);
	size = tcp->doff * 4;
	if (size < sizeof(*tcp))
		return MALFORMED_BAD_HEADER_LENGTH;
	if (cursor->at.off + size > cursor->at.end)
		return pkt->more_fragments ? MALFORMED_TINY_FRAGMENT : MALFORMED_BAD_HEADER_LENGTH;
	if (tcp_flags_bad(((__u8 *)tcp)[TCP_FLAGS_AT]))
		return MALFORMED_BAD_TCP_FLAGS;
	pkt->l4_proto = L4_TCP;
	pkt->source_port = tcp->source;
	pkt->dest_port = tcp->dest;
	pkt->tcp_flags = ((const __u8 *)tcp)[TCP_FLAGS_AT];
	pkt->tcp_size = size;
	pkt->l4_off = cursor->at.off;
	pkt->seq = bpf_ntohl(tcp->seq);
	pkt->payload_off = cursor->at.off + size;
	pkt->payload_len = cursor->at.end - cursor->at.off - size;
	return MALFORMED_NONE;
}

static __always_inline enum malformed packet_parse_udp(struct packet *pkt, const struct cursor *cursor)
{
	struct udphdr *udp = cursor_header(cursor, sizeof(*udp));
	__u32 len, left = cursor->at.end - cursor->at.off;

	if (!udp)
		return packet_cut(pkt);
	len = bpf_ntohs(udp->len);
	/* A jumbogram (RFC 2675, section 4). */
	if (!len && left > IP_LENGTH_MAX)
		len = left;
	if (len < sizeof(*udp) || (len > left && !pkt->more_fragments))
		return MALFORMED_BAD_LENGTH;
	if (len > left)
		len = left;
	pkt->l4_proto = L4_UDP;
	pkt->source_port = udp->source;
	pkt->dest_port = udp->dest;
	pkt->payload_off = cursor->at.off + sizeof(*udp);
	pkt->payload_len = len - sizeof(*udp);
	return MALFORMED_NONE;
}

static __always_inline enum malformed packet_parse_icmp(struct packet *pkt, const struct cursor *cursor)
{
	struct icmp6hdr *icmp = cursor_header(cursor, sizeof(*icmp));

	if (!icmp)
		return packet_cut(pkt);
	pkt->l4_proto = L4_ICMP;
	if (cursor->at.proto == IP_PROTO_ICMPV6) {
		pkt->l4_proto = L4_ICMPV6;
		pkt->on_link = icmpv6_is_on_link(icmp->icmp6_type, cursor->at.hop_limit, &pkt->source);
	}
	return MALFORMED_NONE;
}

/* Returns enum malformed. Global: verified once, not once for each way through the headers before it. */
__noinline int packet_parse_l4(struct xdp_md *ctx, struct packet *pkt, const struct header_place *at)
{
	union header_copy copy;
	struct cursor place = cursor_open(ctx, &copy), *cursor = &place;
	bool tcp, udp;

	if (!pkt || !at)
		return MALFORMED_NONE;
	cursor->at = *at;
	tcp = cursor->at.proto == IP_PROTO_TCP;
	udp = cursor->at.proto == IP_PROTO_UDP;
	/* A node talks to itself over loopback alone: "land". */
	if (unlikely(cursor->at.loops) && (tcp || udp) && cursor->ctx->ingress_ifindex != LOOPBACK_IFINDEX)
		return MALFORMED_LAND;
	if (tcp)
		return packet_parse_tcp(pkt, cursor);
	if (udp)
		return packet_parse_udp(pkt, cursor);
	if (cursor->at.proto == (pkt->l3_proto == L3_IPV4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6))
		return packet_parse_icmp(pkt, cursor);
	return MALFORMED_NONE;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the frames that most are: no tag, IP without options or extension headers, whole TCP or UDP, headers in the linear
 * part. What is anything else, or has anything wrong with it, is left to packet_parse(), and this says no more than that.
 */
#ifndef MPBPF_BPF_PACKET_QUICK_H
#define MPBPF_BPF_PACKET_QUICK_H

#include "packet.h"

#define IPV4_FIRST_BYTE 0x45 /* version 4, five words */
#define IPV6_VERSION 0x60
#define FRAME_SHORTEST 60 /* of Ethernet, without its checksum */

/* Where IP is, and then its payload. */
struct quick {
	struct xdp_md *ctx;
	void *data;
	void *l4;
	void *data_end;
	__u32 off; /* of it in the frame */
	__u32 len; /* of it, as IP says */
};

static __always_inline bool quick_tcp(struct packet *pkt, const struct quick *quick)
{
	struct tcphdr *tcp = quick->l4;
	__u32 size;
	__u8 flags;

	if ((void *)(tcp + 1) > quick->data_end)
		return false;
	size = tcp->doff * 4;
	flags = ((__u8 *)tcp)[TCP_FLAGS_AT];
	if (size < sizeof(*tcp) || size > quick->len || tcp_flags_bad(flags))
		return false;
	pkt->l4_proto = L4_TCP;
	pkt->tcp_flags = flags;
	pkt->tcp_size = size;
	pkt->l4_off = quick->off;
	pkt->seq = bpf_ntohl(tcp->seq);
	pkt->source_port = tcp->source;
	pkt->dest_port = tcp->dest;
	pkt->payload_off = quick->off + size;
	pkt->payload_len = quick->len - size;
	return true;
}

static __always_inline bool quick_udp(struct packet *pkt, const struct quick *quick)
{
	struct udphdr *udp = quick->l4;
	__u32 len;

	if ((void *)(udp + 1) > quick->data_end)
		return false;
	len = bpf_ntohs(udp->len);
	if (len < sizeof(*udp) || len > quick->len)
		return false;
	pkt->l4_proto = L4_UDP;
	pkt->source_port = udp->source;
	pkt->dest_port = udp->dest;
	pkt->payload_off = quick->off + sizeof(*udp);
	pkt->payload_len = len - sizeof(*udp);
	return true;
}

static __always_inline bool quick_l4(struct packet *pkt, const struct quick *quick, __u8 proto)
{
	pkt->ip_proto = proto;
	if (proto == IP_PROTO_TCP)
		return quick_tcp(pkt, quick);
	return proto == IP_PROTO_UDP && quick_udp(pkt, quick);
}

/*
 * The length of the frame. Drivers fill the linear part first, so where that ends with the packet, or is as short as frames of
 * Ethernet can be, it is all: to ask costs as much as the rest of this file. What is shorter still comes from virtual devices.
 */
static __always_inline __u32 quick_len(const struct quick *quick, __u32 packet)
{
	__u32 linear = quick->data_end - quick->data, end = quick->off + packet;

	if (likely(linear == FRAME_SHORTEST || (linear == end && linear > FRAME_SHORTEST)))
		return linear;
	return bpf_xdp_get_buff_len(quick->ctx);
}

static __always_inline bool quick_ipv4(struct packet *pkt, struct quick *quick)
{
	struct iphdr *ip = quick->l4;
	__u32 total;

	if ((void *)(ip + 1) > quick->data_end || *(__u8 *)ip != IPV4_FIRST_BYTE || ip->saddr == ip->daddr)
		return false;
	total = bpf_ntohs(ip->tot_len);
	pkt->len = quick_len(quick, total);
	if (total < sizeof(*ip) || quick->off + total > pkt->len ||
	    ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_OFFSET_MASK))
		return false;
	pkt->l3_proto = L3_IPV4;
	pkt->source.w[2] = bpf_htonl(0xffff);
	pkt->source.w[3] = ip->saddr;
	pkt->dest.w[2] = bpf_htonl(0xffff);
	pkt->dest.w[3] = ip->daddr;
	quick->l4 = ip + 1;
	quick->off += sizeof(*ip);
	quick->len = total - sizeof(*ip);
	return quick_l4(pkt, quick, ip->protocol);
}

static __always_inline bool quick_ipv6(struct packet *pkt, struct quick *quick)
{
	struct ipv6hdr *ip = quick->l4;
	__u32 payload;

	if ((void *)(ip + 1) > quick->data_end || (*(__u8 *)ip & 0xf0) != IPV6_VERSION)
		return false;
	payload = bpf_ntohs(ip->payload_len);
	pkt->len = quick_len(quick, sizeof(*ip) + payload);
	if (!payload || quick->off + sizeof(*ip) + payload > pkt->len ||
	    !__builtin_memcmp(&ip->saddr, &ip->daddr, sizeof(ip->saddr)))
		return false;
	pkt->l3_proto = L3_IPV6;
	__builtin_memcpy(&pkt->source, &ip->saddr, sizeof(pkt->source));
	__builtin_memcpy(&pkt->dest, &ip->daddr, sizeof(pkt->dest));
	quick->l4 = ip + 1;
	quick->off += sizeof(*ip);
	quick->len = payload;
	return quick_l4(pkt, quick, ip->nexthdr);
}

/* Fills *pkt, which must be zero. False: it is as it was, or no more is right than that it must be read anew. Global. */
static __always_inline int packet_quick(struct xdp_md *ctx, struct packet *pkt)
{
	struct quick quick = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.data_end = (void *)(long)ctx->data_end,
		.off = sizeof(struct ethhdr),
	};
	struct ethhdr *eth = quick.data;

	if ((void *)(eth + 1) > quick.data_end)
		return false;
	pkt->l3_off = sizeof(*eth);
	quick.l4 = eth + 1;
	if (eth->h_proto == bpf_htons(ETH_TYPE_IPV4))
		return quick_ipv4(pkt, &quick);
	return eth->h_proto == bpf_htons(ETH_TYPE_IPV6) && quick_ipv6(pkt, &quick);
}

/* Fills *pkt, which must be zero. Returns enum malformed, as packet_parse(). */
static __always_inline int packet_read(struct xdp_md *ctx, struct packet *pkt)
{
	if (likely(packet_quick(ctx, pkt)))
		return MALFORMED_NONE;
	*pkt = (struct packet){};
	return packet_parse(ctx, pkt);
}

#endif

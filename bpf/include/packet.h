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
#include "neighbour.h"
#include "sanity.h"

enum {
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_IPV6 = 0x86dd,
	ETH_TYPE_QINQ = 0x88a8,
};

/* Internet protocol numbers, IPv6 extension headers (RFC 8200, section 4) among them. */
enum {
	IP_PROTO_HOPOPTS = 0,
	IP_PROTO_ICMP = 1,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_ROUTING = 43,
	IP_PROTO_FRAGMENT = 44,
	IP_PROTO_AH = 51,
	IP_PROTO_ICMPV6 = 58,
	IP_PROTO_DSTOPTS = 60,
};

#define IP_OFFSET_MASK 0x1fff /* IPv4: 13 bits of offset, below the flags */
#define IP_MORE_FRAGMENTS 0x2000
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001
#define IP_LENGTH_MAX 0xffff /* what the length fields of IP and UDP can say */

#define VLAN_TAGS_MAX 2
#define EXTENSION_HEADERS_MAX 8 /* a packet with more is not read further, it is other */

struct packet {
	union {
		struct flow_tuple tuple;
		struct {
			struct addr source; /* when l3_proto is known */
			struct addr dest;
			__be16 source_port; /* TCP and UDP */
			__be16 dest_port;
			__u8 l3_proto; /* enum l3_proto */
			__u8 l4_proto; /* enum l4_proto */
			__u16 pad;
		};
		__u64 tuple_words[sizeof(struct flow_tuple) / 8];
	};
	__u32 len;	     /* of the whole frame */
	__u32 payload_off;   /* of TCP or UDP */
	__u32 payload_len;   /* 0: none, or neither TCP nor UDP */
	__u32 seq;	     /* of TCP, host order */
	bool more_fragments; /* lengths inside speak of the whole, of which more comes */
	bool fragment;	     /* of a packet that comes in several */
	__u8 ip_proto;	     /* protocol number of what IP carries, as far as it was read */
	bool on_link;	     /* IPv6 neighbour discovery or listener discovery, sent by a neighbour */
	__u8 tcp_flags;	     /* enum tcp_flags */
	__u8 tcp_size;	     /* of the TCP header with its options: 20 to 60 */
	__u16 l3_off;	     /* of the IP header */
	__u16 rule;	     /* number in `rule_names` of the limit that it is over, if it is over one */
	bool would_drop;     /* over a limit, or malformed, and let pass */
	__u64 extensions;    /* IPv6: bit n for each extension header of number n */
	__u32 l4_off;	     /* of TCP */
};

static __always_inline bool packet_is_syn(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Room for a header that the linear part does not hold whole. */
union header_copy {
	struct ethhdr eth;
	struct vlan_hdr vlan;
	struct iphdr ipv4;
	struct ipv6hdr ipv6;
	struct frag_hdr extension;
	struct tcphdr tcp;
	struct udphdr udp;
	struct icmp6hdr icmp;
};

/* How far the frame was read. No pointers, so that global functions can take it. */
struct header_place {
	__u32 off;
	__u32 end;  /* of the frame, then of the IP packet in it */
	__u8 proto; /* protocol number of what follows at `off` */
	__u8 hop_limit;
	__u8 loops; /* source and destination are one */
	__u8 bad;   /* enum malformed, of an extension header */
};

/* Where in memory. Apart from the facts, for the verifier must follow each of these. */
struct cursor {
	struct xdp_md *ctx;
	void *data; /* the linear part of the frame, in which drivers put the headers at least */
	void *data_end;
	union header_copy *copy;
	struct header_place at;
};

#define HEADER_OFF_MAX 0x7fff /* beyond what all headers that are read can add up to; the verifier wants a bound */

static __always_inline struct cursor cursor_open(struct xdp_md *ctx, union header_copy *copy)
{
	struct cursor cursor = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.data_end = (void *)(long)ctx->data_end,
		.copy = copy,
	};

	return cursor;
}

/* Where the `size` bytes at the cursor can be read; NULL: they reach beyond its end. */
static __always_inline void *cursor_header(const struct cursor *cursor, __u32 size)
{
	void *header;

	if (unlikely(cursor->at.off > HEADER_OFF_MAX || cursor->at.off + size > cursor->at.end))
		return NULL;
	header = cursor->data + cursor->at.off;
	if (likely(header + size <= cursor->data_end))
		return header;
	if (bpf_xdp_load_bytes(cursor->ctx, cursor->at.off, cursor->copy, size))
		return NULL;
	return cursor->copy;
}

/* What the lack of a header is called. */
static __always_inline enum malformed packet_cut(const struct packet *pkt)
{
	return pkt->more_fragments ? MALFORMED_TINY_FRAGMENT : MALFORMED_TRUNCATED;
}

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

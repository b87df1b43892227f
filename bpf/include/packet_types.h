/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the facts that a frame is read into, and the cursor that they are read with. */
#ifndef MPBPF_BPF_PACKET_TYPES_H
#define MPBPF_BPF_PACKET_TYPES_H

#include "kernel.h"
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

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: a SYN made into its SYN-ACK, in place: headers without IP options, IPv6 extension headers or payload, behind the
 * link header that the SYN came with, tags and all.
 *
 * The cookie is all that the stack will know of the SYN, and it holds no option but the MSS: the others it would look for in a
 * timestamp with an offset that only it knows. So the answer has the MSS alone, and client and stack agree that there is no
 * window scale, no SACK and no timestamp.
 */
#ifndef MPBPF_BPF_SYN_ANSWER_H
#define MPBPF_BPF_SYN_ANSWER_H

#include "packet.h"

#define SYN_TTL 64
#define SYN_MSS_LEAST 536
/*
 * Twenty segments of an Ethernet: more than a client may send before the first acknowledgement (RFC 6928), and less than the
 * stack, which then says how much it really is, grants.
 */
#define SYN_WINDOW 29200

#define TCP_OPTION_MSS 2
#define IP_DONT_FRAGMENT 0x4000
#define MAC_SIZE 6

struct syn_tcp {
	struct tcphdr header;
	__u8 mss_kind;
	__u8 mss_size;
	__be16 mss;
};

/* Not under 60 bytes, the least of Ethernet: not every driver fills a frame up. */
struct syn_answer4 {
	struct iphdr ip;
	struct syn_tcp tcp;
	__u32 pad;
};

struct syn_answer6 {
	struct ipv6hdr ip;
	struct syn_tcp tcp;
};

/* What the answer says: of the SYN its sequence number, the rest is the answer's own. */
struct syn_reply {
	__u32 cookie;
	__be32 seq;
	__u16 mss;
};

/* To the ones' complement sum, which does not care for byte order. */
static __always_inline __u64 sum_words(const void *at, __u32 words, __u64 sum)
{
	const __u32 *w = at;
	__u32 i;

#pragma unroll
	for (i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* `sum` is that of the pseudo-header's addresses. */
static __always_inline void syn_tcp_fill(struct syn_tcp *tcp, const struct packet *pkt, const struct syn_reply *reply,
					 __u64 sum)
{
	*tcp = (struct syn_tcp){
		.header = { .source = pkt->dest_port,
			    .dest = pkt->source_port,
			    .seq = bpf_htonl(reply->cookie),
			    .ack_seq = bpf_htonl(bpf_ntohl(reply->seq) + 1),
			    .doff = sizeof(*tcp) / 4,
			    .syn = 1,
			    .ack = 1,
			    .window = bpf_htons(SYN_WINDOW) },
		.mss_kind = TCP_OPTION_MSS,
		.mss_size = 4,
		.mss = bpf_htons(reply->mss),
	};
	sum += bpf_htonl(IP_PROTO_TCP) + (__u64)bpf_htonl(sizeof(*tcp));
	tcp->header.check = sum_fold(sum_words(tcp, sizeof(*tcp) / 4, sum));
}

static __always_inline void syn_answer4_fill(struct syn_answer4 *answer, const struct packet *pkt,
					     const struct syn_reply *reply)
{
	answer->ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(answer->ip) / 4,
		.tot_len = bpf_htons(sizeof(answer->ip) + sizeof(answer->tcp)),
		.frag_off = bpf_htons(IP_DONT_FRAGMENT),
		.ttl = SYN_TTL,
		.protocol = IP_PROTO_TCP,
		.saddr = pkt->dest.w[3],
		.daddr = pkt->source.w[3],
	};
	answer->pad = 0;
	answer->ip.check = sum_fold(sum_words(&answer->ip, sizeof(answer->ip) / 4, 0));
	syn_tcp_fill(&answer->tcp, pkt, reply, (__u64)answer->ip.saddr + answer->ip.daddr);
}

static __always_inline void syn_answer6_fill(struct syn_answer6 *answer, const struct packet *pkt,
					     const struct syn_reply *reply)
{
	answer->ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(sizeof(answer->tcp)),
		.nexthdr = IP_PROTO_TCP,
		.hop_limit = SYN_TTL,
	};
	__builtin_memcpy(&answer->ip.saddr, &pkt->dest, sizeof(pkt->dest));
	__builtin_memcpy(&answer->ip.daddr, &pkt->source, sizeof(pkt->source));
	syn_tcp_fill(&answer->tcp, pkt, reply, sum_words(&answer->ip.saddr, 8, 0));
}

static __always_inline int syn_swap_macs(struct xdp_md *ctx)
{
	__u8 from[2 * MAC_SIZE], to[2 * MAC_SIZE];

	if (bpf_xdp_load_bytes(ctx, 0, from, sizeof(from)))
		return -1;
	__builtin_memcpy(to, from + MAC_SIZE, MAC_SIZE);
	__builtin_memcpy(to + MAC_SIZE, from, MAC_SIZE);
	return bpf_xdp_store_bytes(ctx, 0, to, sizeof(to));
}

/* Makes the frame as long as the answer, which is written last. 0, or the frame is of no use any more. */
static __always_inline int syn_answer_write(struct xdp_md *ctx, const struct packet *pkt, void *answer, __u32 size)
{
	__u32 off = pkt->l3_off;
	__s32 change = off + size - pkt->len;

	if (off > sizeof(struct ethhdr) + VLAN_TAGS_MAX * sizeof(struct vlan_hdr))
		return -1;
	if (change && bpf_xdp_adjust_tail(ctx, change))
		return -1;
	if (syn_swap_macs(ctx))
		return -1;
	return bpf_xdp_store_bytes(ctx, off, answer, size);
}

/* 0, or the frame is of no use any more. Global: verified once. */
__noinline int syn_answer(struct xdp_md *ctx, const struct packet *pkt, const struct syn_reply *reply)
{
	union {
		struct syn_answer4 v4;
		struct syn_answer6 v6;
	} answer;

	if (!pkt || !reply)
		return -1;
	if (pkt->l3_proto == L3_IPV4) {
		syn_answer4_fill(&answer.v4, pkt, reply);
		return syn_answer_write(ctx, pkt, &answer.v4, sizeof(answer.v4));
	}
	syn_answer6_fill(&answer.v6, pkt, reply);
	return syn_answer_write(ctx, pkt, &answer.v6, sizeof(answer.v6));
}

#endif

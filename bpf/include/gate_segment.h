/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the segment in a packet for a guarded socket, read where TCP is about to read it, and whether TCP will believe it. */
#ifndef MPBPF_BPF_GATE_SEGMENT_H
#define MPBPF_BPF_GATE_SEGMENT_H

#include "conn.h"

#define IPPROTO_TCP 6
#define CHECKSUM_UNNECESSARY 1 /* include/linux/skbuff.h */
#define CHECKSUM_PARTIAL 3
#define SUM_STEP 64    /* bytes that are added at a time; power of two */
#define SUM_STEPS 1024 /* what is longer was put together by the kernel, which knows that its parts are right */

struct segment {
	struct addr local;
	__be16 port; /* the local one */
	__u16 tcp;   /* where the TCP header begins in the packet */
	__u32 seq;   /* of the first byte */
	__u32 ack;   /* what it acknowledges */
	__u32 off;   /* of the first byte in the packet */
	__u32 len;   /* of the payload */
	bool fin, rst;
	bool plain; /* it acknowledges, and is neither SYN nor RST */
};

/* IPv4 or IPv6; 0: neither. The data begins with the IP header here. */
static __always_inline __u8 segment_version(struct __sk_buff *skb)
{
	__u8 first;

	return bpf_skb_load_bytes(skb, 0, &first, 1) ? 0 : first >> 4;
}

/* Where TCP begins behind it: the stack has found the way through all headers between. */
static __always_inline __u16 segment_tcp(struct __sk_buff *ctx)
{
	const struct sk_buff *skb = (const void *)ctx;

	return BPF_CORE_READ(skb, transport_header) - BPF_CORE_READ(skb, network_header);
}

/* Of a packet for a TCP socket. Returns 0 or -1. */
static __always_inline int segment_read(struct __sk_buff *skb, struct segment *seg)
{
	struct tcphdr tcp;
	__be32 ip4;

	if (segment_version(skb) == 4) {
		if (bpf_skb_load_bytes(skb, offsetof(struct iphdr, daddr), &ip4, sizeof(ip4)))
			return -1;
		addr_set4(&seg->local, ip4);
	} else if (bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, daddr), &seg->local, sizeof(seg->local))) {
		return -1;
	}
	seg->tcp = segment_tcp(skb);
	if (bpf_skb_load_bytes(skb, seg->tcp, &tcp, sizeof(tcp)))
		return -1;
	seg->port = tcp.dest;
	seg->seq = bpf_ntohl(tcp.seq);
	seg->ack = bpf_ntohl(tcp.ack_seq);
	seg->off = seg->tcp + tcp.doff * 4;
	seg->len = skb->len > seg->off ? skb->len - seg->off : 0;
	seg->fin = tcp.fin;
	seg->rst = tcp.rst;
	seg->plain = tcp.ack && !tcp.syn && !tcp.rst;
	return 0;
}

/* Whether the kernel vouches for the checksum, as skb_csum_unnecessary() has it. */
static __always_inline bool segment_vouched(struct __sk_buff *ctx)
{
	const struct sk_buff *skb = (const void *)ctx;
	__u64 summed = BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed);

	if (summed == CHECKSUM_PARTIAL)
		return BPF_CORE_READ(skb, csum_start) >= BPF_CORE_READ(skb, transport_header);
	return summed == CHECKSUM_UNNECESSARY || BPF_CORE_READ_BITFIELD_PROBED(skb, csum_valid);
}

struct sum_run {
	struct __sk_buff *skb;
	__u64 sum; /* of 32-bit words as they lie in memory (RFC 1071, section 2) */
	__u32 off, len;
};

static long sum_step(__u32 i __attribute__((unused)), struct sum_run *run)
{
	__u32 words[SUM_STEP / 4] = {}, n = run->len - run->off, k;

	if (run->off >= run->len)
		return 1;
	if (n > SUM_STEP)
		n = SUM_STEP;
	if (bpf_skb_load_bytes(run->skb, run->off, words, within(n, SUM_STEP)))
		return 1;
	for (k = 0; k < SUM_STEP / 4; k++)
		run->sum += words[k];
	run->off += n;
	return 0;
}

/* The same of the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1). */
static __always_inline __u64 sum_pseudo(struct __sk_buff *skb, __u32 len)
{
	__u64 sum = (__u64)bpf_htonl(IPPROTO_TCP) + bpf_htonl(len);
	__u32 words[8] = {}, k;

	if (segment_version(skb) == 4)
		bpf_skb_load_bytes(skb, offsetof(struct iphdr, saddr), words, 8);
	else
		bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, saddr), words, sizeof(words));
	for (k = 0; k < 8; k++)
		sum += words[k];
	return sum;
}

/* Whether the checksum is right. TCP itself looks only behind this, at all but the shortest segments. Global: verified once. */
__weak __noinline int segment_sums(struct __sk_buff *skb)
{
	struct sum_run run = { .skb = skb, .len = skb->len, .off = segment_tcp(skb) };
	int i;

	if (segment_vouched(skb))
		return 1;
	run.sum = sum_pseudo(skb, run.len - run.off);
	bpf_loop(SUM_STEPS, sum_step, &run, 0);
	if (run.off < run.len)
		return 0;
	for (i = 0; i < 2; i++)
		run.sum = (run.sum & 0xffffffff) + (run.sum >> 32);
	for (i = 0; i < 2; i++)
		run.sum = (run.sum & 0xffff) + (run.sum >> 16);
	return run.sum == 0xffff;
}

#endif

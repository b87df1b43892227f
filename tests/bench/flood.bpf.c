/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bench object: xdp_flood makes each frame that a live test run hands it the next one of a flood, and sends it. xdp_sink is for
 * the interface that a flood leaves by: what answers it ends there, as it would elsewhere in a network, and costs this machine no more.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/flood.h"

#define PORT_FIRST 1024
#define ETH_TYPE_IPV4 0x0800

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood_shape);
} shapes SEC(".maps");

/* Of a linear congruential generator. Any will do: each CPU is somewhere else in it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} randoms SEC(".maps");

/* The one source that floods are from; 0: none yet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __be32);
} flooders SEC(".maps");

static __always_inline __u32 random_next(__u64 *random)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *random >> 32;
}

static __always_inline __u32 halves(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __sum16 fold(__u32 sum)
{
	return ~halves(halves(sum));
}

SEC("xdp") int xdp_flood(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	__u32 *words = (void *)(long)ctx->data, zero = 0, i;
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct flood_shape *shape;
	__u64 *random;

	shape = bpf_map_lookup_elem(&shapes, &zero);
	random = bpf_map_lookup_elem(&randoms, &zero);
	if (!shape || !random || (void *)words + FLOOD_FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	/* Whoever had the frame before may have written to it. */
#pragma unroll
	for (i = 0; i < FLOOD_FRAME / 4; i++)
		words[i] = shape->frame[i];
	if (shape->spoofed)
		ip->saddr = bpf_htonl(FLOOD_MADE_UP | (random_next(random) & FLOOD_MADE_UP_MASK));
	ip->id = random_next(random);
	ip->check = fold(shape->ip_sum + halves(ip->saddr) + ip->id);
	udp->source = bpf_htons(PORT_FIRST + random_next(random) % (65536 - PORT_FIRST));
	if (!shape->tcp)
		return XDP_TX;
	tcp->seq = random_next(random);
	tcp->check = fold(shape->tcp_sum + halves(ip->saddr) + tcp->source + halves(tcp->seq));
	return XDP_TX;
}

SEC("xdp") int xdp_sink(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__be32 *flooder;
	__u32 zero = 0;

	flooder = bpf_map_lookup_elem(&flooders, &zero);
	if (!flooder || (void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_TYPE_IPV4))
		return XDP_PASS;
	if (ip->daddr == *flooder || (bpf_ntohl(ip->daddr) & ~FLOOD_MADE_UP_MASK) == FLOOD_MADE_UP)
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test object: changes each frame of a repeated test run and goes on to the program under test. xdp_spread gives it another source,
 * one of `n`; xdp_resend has it as it came first, whatever the program made of it.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/prog/xdp_front.h"

#define STEP 7919 /* a prime: neighbours in time are none in memory */
#define FIRST 0x0a000000

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spread);
} spreads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct resent);
} resents SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} next SEC(".maps");

SEC("xdp.frags") int xdp_spread(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	struct spread *spread;
	__u32 zero = 0;

	spread = bpf_map_lookup_elem(&spreads, &zero);
	if (!spread || !spread->n || (void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	spread->at = (spread->at + STEP) % spread->n;
	ip->saddr = bpf_htonl(FIRST | spread->at);
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags") int xdp_resend(struct xdp_md *ctx)
{
	struct resent *frame = (void *)(long)ctx->data, *first;
	__u32 zero = 0;

	first = bpf_map_lookup_elem(&resents, &zero);
	if (!first || (void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*frame = *first;
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

char _license[] SEC("license") = "GPL";

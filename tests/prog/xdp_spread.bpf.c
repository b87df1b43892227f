/* SPDX-License-Identifier: GPL-2.0 */
/* Bench object: gives each frame another source, one of `n`, and goes on to the program under test. See xdp_bench.c. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define STEP 7919 /* a prime: neighbours in time are none in memory */
#define FIRST 0x0a000000

struct spread {
	__u32 n;
	__u32 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spread);
} spreads SEC(".maps");

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

char _license[] SEC("license") = "GPL";

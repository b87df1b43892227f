/* SPDX-License-Identifier: GPL-2.0 */
/* Test object: runs siphash128_at() in the kernel over a buffer, offset and length that user space puts into a map. */
#include "siphash.h"
#include "siphash_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct siphash_case);
} cases SEC(".maps");

static __always_inline void siphash_run(void)
{
	struct siphash_case *c;
	__u32 zero = 0, off, len;

	c = bpf_map_lookup_elem(&cases, &zero);
	if (!c)
		return;
	off = c->off;
	len = c->len;
	if (len > MPBPF_HEAD_MAX || off > MPBPF_HEAD_MAX - len)
		return;
	siphash128_at(c->buf, off, len, c->key, c->out);
	c->runs++;
}

SEC("syscall") int siphash_syscall(void *ctx)
{
	(void)ctx;
	siphash_run();
	return 0;
}

/* The same where BPF_PROG_TEST_RUN can repeat and time it. */
SEC("xdp") int siphash_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	siphash_run();
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";

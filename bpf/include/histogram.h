/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: buckets of a log2-linear histogram; the same code in the kernel, which counts, and in stats, which reads.
 *
 * Every power of two is cut into sixteen equal buckets, from 2^10 ns (about 1 us) to 2^36 ns (about 69 s): a value lies at most
 * 1/32 away from the middle of its bucket. One bucket takes what is shorter, one what is longer.
 */
#ifndef MPBPF_BPF_HISTOGRAM_H
#define MPBPF_BPF_HISTOGRAM_H

#include "kernel.h"

#define HISTOGRAM_SUB 4	   /* log2 of the buckets of a power of two */
#define HISTOGRAM_FIRST 10 /* log2 of the least value that is told from less */
#define HISTOGRAM_LAST 36
#define HISTOGRAM_BUCKETS (((HISTOGRAM_LAST - HISTOGRAM_FIRST) << HISTOGRAM_SUB) + 2)

static __always_inline __u32 histogram_log2(__u64 v)
{
	__u32 n = 0;

	if (v >> 32) {
		n += 32;
		v >>= 32;
	}
	if (v >> 16) {
		n += 16;
		v >>= 16;
	}
	if (v >> 8) {
		n += 8;
		v >>= 8;
	}
	if (v >> 4) {
		n += 4;
		v >>= 4;
	}
	if (v >> 2) {
		n += 2;
		v >>= 2;
	}
	return n + (v >> 1);
}

static __always_inline __u32 histogram_index(__u64 ns)
{
	__u32 log2;

	if (ns < 1ULL << HISTOGRAM_FIRST)
		return 0;
	if (ns >= 1ULL << HISTOGRAM_LAST)
		return HISTOGRAM_BUCKETS - 1;
	log2 = histogram_log2(ns);
	return 1 + ((log2 - HISTOGRAM_FIRST) << HISTOGRAM_SUB) +
	       ((ns >> (log2 - HISTOGRAM_SUB)) & ((1 << HISTOGRAM_SUB) - 1));
}

/* The least value that belongs into bucket i; for HISTOGRAM_BUCKETS, which is none, where a bucket more would end. */
static __always_inline __u64 histogram_low(__u32 i)
{
	__u64 sub;

	if (!i)
		return 0;
	sub = (1 << HISTOGRAM_SUB) + ((i - 1) & ((1 << HISTOGRAM_SUB) - 1));
	return sub << (((i - 1) >> HISTOGRAM_SUB) + HISTOGRAM_FIRST - HISTOGRAM_SUB);
}

#endif

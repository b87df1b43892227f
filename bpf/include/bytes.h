/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: eight bytes at a time. */
#ifndef MPBPF_BPF_BYTES_H
#define MPBPF_BPF_BYTES_H

#include "kernel.h"

#define BYTES(b) (0x0101010101010101ULL * (b))

/* Sets the highest bit of each byte of `word` that is a line feed, and no other bit. */
static __always_inline __u64 line_feeds(__u64 word)
{
	__u64 x = word ^ BYTES('\n');

	return ~(((x & BYTES(0x7f)) + BYTES(0x7f)) | x | BYTES(0x7f));
}

/* Which byte has the lowest bit 7: the product moves a table of the numbers 0 to 7 so that the answer is on top. */
static __always_inline __u32 byte_lowest(__u64 mask)
{
	return ((mask & -mask) >> 7) *
		       (1ULL << 53 | 2ULL << 45 | 3ULL << 37 | 4ULL << 29 | 5ULL << 21 | 6ULL << 13 | 7ULL << 5) >>
	       61;
}

#endif

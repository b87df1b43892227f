/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: the slot that a source has in every cluster, the same in the kernel and in a gateway. */
#ifndef MPBPF_BPF_SLOT_H
#define MPBPF_BPF_SLOT_H

#include "siphash.h"
#include "mpbpf/steer.h"

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SLOT_V4_PREFIX 0x0000ffff
#else
#define SLOT_V4_PREFIX 0xffff0000
#endif

/* Not secret: all nodes must agree. Digits of pi. */
#define SLOT_KEY { 0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL }

/*
 * Eight bytes of which these are the halves, as siphash_load() has them. Put together by arithmetic: a load of eight bytes that
 * were stored as words is not what C allows, and clang leaves the stores out.
 */
static __always_inline __u64 slot_word(__be32 first, __be32 second)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (__u64)__builtin_bswap32(second) << 32 | __builtin_bswap32(first);
#else
	return (__u64)second << 32 | first;
#endif
}

/* An IPv4 address is a source, and so is an IPv6 /64. */
static __always_inline __u32 source_slot(const struct addr *source)
{
	const __u64 key[2] = SLOT_KEY;
	bool v4 = !source->w[0] && !source->w[1] && source->w[2] == SLOT_V4_PREFIX;
	struct siphash s;
	__u64 out[2];

	siphash_init(&s, key);
	siphash_word(&s, slot_word(source->w[0], source->w[1]));
	siphash_word(&s, v4 ? slot_word(source->w[2], source->w[3]) : 0);
	siphash_final(&s, 0, sizeof(*source), out);
	return out[0] % MPBPF_STEER_SLOTS;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: where in `sources` a source has its entry, the same for programs and for who looks into the map from outside. */
#ifndef MPBPF_BPF_SOURCE_PLACE_H
#define MPBPF_BPF_SOURCE_PLACE_H

#include "kernel.h"

#define SOURCE_PAGE 64 /* sets in a page of 4 KiB */
/* Of splitmix64: odd, and each bit of a product changes half of those above it. */
#define SOURCE_MIX_1 0x9e3779b97f4a7c15ULL
#define SOURCE_MIX_2 0xbf58476d1ce4e5b9ULL

/*
 * Both sets of a source are in one page, so that the second costs a cache line, but no second walk through page tables. A number
 * that is not below `sets` is no set.
 */
struct source_place {
	__u32 first;
	__u32 second;
};

/* As struct source_way has it: never 0, which is the key of 0.0.0.0; what it shares an entry with is no source (RFC 4291, 2.7). */
static __always_inline __u64 source_name(const struct source_key *key)
{
	__u64 name = (__u64)key->w[0] << 32 | key->w[1];

	return name ? name : ~0ULL;
}

/*
 * Under the secret key of the load: who chooses his addresses does not choose their sets with them, and so not who is forgotten for
 * whom. No cipher, but nobody outside sees what comes of it. Addresses that follow on each other are spread as random ones are.
 */
static __always_inline struct source_place source_place(__u64 name, const __u64 hash_key[2], __u32 sets)
{
	struct source_place place;
	__u64 hash = name ^ hash_key[0];

	hash = (hash ^ hash >> 32) * SOURCE_MIX_1 ^ hash_key[1];
	hash = (hash ^ hash >> 32) * SOURCE_MIX_2;
	place.first = (hash >> 32) * sets >> 32;
	place.second = place.first ^ ((hash >> 26 & (SOURCE_PAGE - 1)) | 1);
	return place;
}

#endif

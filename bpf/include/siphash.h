/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: SipHash-2-4 with 128-bit output (Aumasson and Bernstein), one body for the verdict cache's key in the kernel
 * and for the agent, which must arrive at the same key.
 *
 * Keys and results are two words in host order: key[0] is the little-endian word of key bytes 0 to 7, out[0] that of
 * result bytes 0 to 7.
 */
#ifndef MPBPF_BPF_SIPHASH_H
#define MPBPF_BPF_SIPHASH_H

#include "kernel.h"

#define SIPHASH_BUF (MPBPF_HEAD_MAX + 8) /* size of a buffer that siphash128_at() reads */
#define SIPHASH_STEP 32			 /* bytes a turn of the loop: each turn moves the state through memory once */

struct siphash {
	__u64 v0;
	__u64 v1;
	__u64 v2;
	__u64 v3;
};

static __always_inline __u64 siphash_rotl(__u64 x, int n)
{
	return (x << n) | (x >> (64 - n));
}

static __always_inline __u64 siphash_le64(__u64 x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(x);
#else
	return x;
#endif
}

/* Eight bytes at any address, as a little-endian word. */
static __always_inline __u64 siphash_load(const __u8 *p)
{
#ifdef __bpf__
	/* memcpy and packed structs become eight loads of a byte here; the verifier lets a wide load be unaligned. */
	return siphash_le64(*(const __u64 *)p);
#else
	__u64 x;

	__builtin_memcpy(&x, p, sizeof(x));
	return siphash_le64(x);
#endif
}

static __always_inline void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotl(s->v2, 32);
}

static __always_inline void siphash_init(struct siphash *s, const __u64 key[2])
{
	s->v0 = key[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key[1] ^ 0x646f72616e646f6dULL ^ 0xee; /* 0xee here and below: the 128-bit variant */
	s->v2 = key[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key[1] ^ 0x7465646279746573ULL;
}

static __always_inline void siphash_word(struct siphash *s, __u64 word)
{
	s->v3 ^= word;
	siphash_round(s);
	siphash_round(s);
	s->v0 ^= word;
}

/* tail: the last len % 8 bytes, little-endian, whatever stands above them. */
static __always_inline void siphash_final(struct siphash *s, __u64 tail, __u32 len, __u64 out[2])
{
	tail &= (1ULL << (8 * (len & 7))) - 1;
	siphash_word(s, tail | (__u64)len << 56);
	s->v2 ^= 0xee;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	out[0] = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
	s->v1 ^= 0xdd;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	out[1] = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* For user space: `len` bytes anywhere, none read beyond them. */
static __always_inline void siphash128(const __u64 key[2], const __u8 *data, __u32 len, __u64 out[2])
{
	__u8 last[8] = {};
	struct siphash s;
	__u32 i;

	siphash_init(&s, key);
	for (i = 0; i + 8 <= len; i += 8)
		siphash_word(&s, siphash_load(data + i));
	__builtin_memcpy(last, data + i, len & 7);
	siphash_final(&s, siphash_load(last), len, out);
}

/* What siphash_step needs of its caller: a bpf_loop callback gets one pointer. */
struct siphash_walk {
	struct siphash s;
	const __u8 *buf;
	__u32 off;
	__u32 pad;
};

/* The word `at` bytes into buf. The mask is for the verifier: a word may begin at any byte of the head. */
static __always_inline __u64 siphash_at(const __u8 *buf, __u32 at)
{
	at &= MPBPF_HEAD_MAX - 1;
	return siphash_load(buf + at);
}

static __noinline long siphash_step(__u32 i, void *ctx)
{
	struct siphash_walk *walk = ctx;
	__u32 at = walk->off + i * SIPHASH_STEP;
	const __u8 *buf = walk->buf;
	struct siphash s = walk->s;

	siphash_word(&s, siphash_at(buf, at));
	siphash_word(&s, siphash_at(buf, at + 8));
	siphash_word(&s, siphash_at(buf, at + 16));
	siphash_word(&s, siphash_at(buf, at + 24));
	walk->s = s;
	return 0;
}

/*
 * siphash128_at - buf: SIPHASH_BUF bytes of a map's value; off + len <= MPBPF_HEAD_MAX
 *
 * For BPF, where neither `off` nor `len` is known to the verifier; needs bpf_loop (5.17). Bytes behind the token are
 * read, for a word is the unit, but never enter the result.
 */
static __always_inline void siphash128_at(const __u8 *buf, __u32 off, __u32 len, const __u64 key[2], __u64 out[2])
{
	struct siphash_walk walk = { .buf = buf, .off = off };
	__u32 at = off + (len & ~(SIPHASH_STEP - 1));

	siphash_init(&walk.s, key);
	bpf_loop(len / SIPHASH_STEP, siphash_step, &walk, 0);
	if (len & 16) {
		siphash_word(&walk.s, siphash_at(buf, at));
		siphash_word(&walk.s, siphash_at(buf, at + 8));
		at += 16;
	}
	if (len & 8) {
		siphash_word(&walk.s, siphash_at(buf, at));
		at += 8;
	}
	siphash_final(&walk.s, siphash_at(buf, at), len, out);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Test tool: what relay.c sends over a connection, which both ends know: how much, what, and how it ends. */
#ifndef MPBPF_TESTS_E2E_RELAY_PLAN_H
#define MPBPF_TESTS_E2E_RELAY_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ENDS, CLIENT_RESETS, SERVER_RESETS };

struct plan {
	uint64_t seed;
	uint32_t up, down; /* bytes from the client, to it */
	uint32_t how;
	uint32_t pause_ms; /* before the server does anything */
	uint32_t slow;	   /* 1: the server reads slowly, 2: the client does */
};

static uint32_t rnd(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* Eight bytes of a stream: of their own by place and seed. */
static uint64_t word_at(uint64_t seed, size_t i)
{
	uint64_t x = seed + (i + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
	return x ^ x >> 32;
}

/* The bytes from `at` on; there is room for 16 more. Returns where they begin in it. */
static const uint8_t *stream(uint64_t seed, size_t at, uint8_t *out, size_t len)
{
	for (size_t i = at / 8, k = 0; k < len + at % 8; i++, k += 8) {
		uint64_t word = word_at(seed, i);

		memcpy(out + k, &word, sizeof(word));
	}
	return out + at % 8;
}

static uint32_t size_by(uint64_t *random, uint32_t factor)
{
	uint32_t size;

	switch (rnd(random) % 8) {
	case 0: return 0;
	case 1: size = 3000000; break;
	case 2:
	case 3: size = 200000; break;
	default: return rnd(random) % 3000;
	}
	return rnd(random) % (size * factor);
}

static struct plan plan_by(uint64_t *random, uint32_t factor)
{
	uint32_t how = rnd(random) % 8, slowly = rnd(random) % 16, pause = rnd(random) % 32;

	return (struct plan){
		.seed = (uint64_t)rnd(random) << 32 | rnd(random),
		.up = size_by(random, factor),
		.down = size_by(random, factor),
		.how = how == 1	  ? CLIENT_RESETS
		       : how == 2 ? SERVER_RESETS
				  : ENDS,
		.pause_ms = pause ? 0 : rnd(random) % 500,
		.slow = slowly <= 2 ? slowly : 0,
	};
}

#endif

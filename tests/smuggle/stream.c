/* SPDX-License-Identifier: MIT */
/* A stream: its markers, its kind, and where it is cut. */
#include "smuggle.h"

#include <stdlib.h>
#include <string.h>

uint64_t stream_seed = 1;
const char *stream_only;

static uint32_t id_check(uint32_t index, unsigned int number, int right)
{
	return mix(stream_seed ^ mix((uint64_t)index << 16 | number << 8 | right)) & 0xffffff;
}

void id_make(char *id, uint32_t index, unsigned int number, enum right right)
{
	snprintf(id, ID_LEN + 1, "x%08x%x%c%06x", index, number & 15, right, id_check(index, number & 15, right));
}

static bool hex_read(const char *s, int digits, uint32_t *ret)
{
	static const char set[] = "0123456789abcdef";
	const char *p;
	uint32_t v = 0;

	for (; digits; digits--, s++) {
		p = *s ? strchr(set, *s) : NULL;
		if (!p)
			return false;
		v = v << 4 | (p - set);
	}
	*ret = v;
	return true;
}

int id_find(const char *text, size_t len, uint32_t *index, unsigned int *number)
{
	const char *end = text + len, *p = text;
	uint32_t n, check;
	int right;

	for (; (p = memchr(p, 'x', end - p)) && end - p >= ID_LEN; p++) {
		right = p[10];
		if (!hex_read(p + 1, 8, index) || !hex_read(p + 9, 1, &n) || !hex_read(p + 11, 6, &check))
			continue;
		*number = n;
		if ((right == RIGHT_TOKEN || right == RIGHT_NONE || right == RIGHT_SEEN) &&
		    check == id_check(*index, n, right))
			return right;
	}
	return 0;
}

void next_id(struct stream *s, char *id, enum right right)
{
	id_make(id, s->index, s->n_ids++, right);
}

/* ---- cuts ---- */

static void cut_add(struct stream *s, struct rng *r, uint32_t at, uint32_t pause_one_in)
{
	if (s->n_cuts >= CUTS_MAX || at >= s->bytes.len || (s->n_cuts && s->cut[s->n_cuts - 1].at >= at) || !at)
		return;
	s->cut[s->n_cuts].at = at;
	s->cut[s->n_cuts++].pause_ms = pause_one_in && rng_one_in(r, pause_one_in) ? 1 + rng_below(r, 2) : 0;
}

/* Pieces of about `mean` bytes, from `at` on. */
static void cut_pieces(struct stream *s, struct rng *r, uint32_t at, uint32_t mean, uint32_t pause_one_in)
{
	while (at < s->bytes.len && s->n_cuts < CUTS_MAX) {
		at += 1 + rng_below(r, mean * 2 - 1);
		cut_add(s, r, at, pause_one_in);
	}
}

static void cut_lines(struct stream *s, struct rng *r)
{
	uint32_t i, shift = rng_below(r, 4); /* before CR, between CR and LF, behind, one further */

	for (i = 1; i + 2 < s->bytes.len; i++)
		if (s->bytes.b[i] == '\r' && rng_below(r, 3))
			cut_add(s, r, i + shift, 8);
}

/* Behind each head, so that a body comes by itself, and often begins like a request. */
static void cut_heads(struct stream *s, struct rng *r)
{
	uint32_t i;

	for (i = 4; i < s->bytes.len; i++)
		if (!memcmp(s->bytes.b + i - 4, "\r\n\r\n", 4))
			cut_add(s, r, i, 2);
}

static void stream_cut(struct stream *s, struct rng *r)
{
	uint32_t len = s->bytes.len, pauses[] = { 0, 0, 3, 12 }, pause = *RNG_PICK(r, pauses), i;

	switch (rng_below(r, 9)) {
	case 0:
	case 1: break;
	case 8: cut_heads(s, r); break;
	case 2:
	case 3: cut_pieces(s, r, 0, len / 2 + 1, 2); break;
	case 4: cut_pieces(s, r, 0, len / 16 + 2, pause ? pause : 0); break;
	case 5: cut_lines(s, r); break;
	case 6: /* a window byte by byte */
		i = rng_below(r, len);
		for (; i < len && s->n_cuts < 48; i++)
			cut_add(s, r, i, pause ? 16 : 0);
		break;
	default: cut_pieces(s, r, rng_below(r, len), 3 + rng_below(r, 40), pause ? 24 : 0); break;
	}
	s->cut[s->n_cuts++] = (struct cut){ .at = len };
}

void stream_make(struct stream *s, uint32_t index)
{
	struct rng r = { mix(stream_seed) ^ mix(0x5eedULL << 32 | index) };
	uint32_t kind = rng_below(&r, 100);

	*s = (struct stream){ .index = index, .name = "" };
	if (stream_only) {
		s->kind = STREAM_FAMILY;
		if (family_named(s, &r, stream_only) < 0)
			abort();
		stream_cut(s, &r);
		return;
	}
	s->kind = kind < 25 ? STREAM_VALID : kind < 60 ? STREAM_FAMILY : STREAM_MUTATED;
	if (s->kind == STREAM_VALID || (s->kind == STREAM_MUTATED && rng_one_in(&r, 2)))
		valid_make(s, &r);
	else
		family_make(s, &r);
	if (s->kind == STREAM_MUTATED)
		mutate(s, &r);
	stream_cut(s, &r);
}

void stream_free(struct stream *s)
{
	text_free(&s->bytes);
	text_free(&s->expect);
}

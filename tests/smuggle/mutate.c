/* SPDX-License-Identifier: MIT */
/* A stream with some bytes changed: nothing is known of it any more but that nobody may see what has no right. */
#include "smuggle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct form bytes[] = {
	F("\r"),
	F("\n"),
	F("\r\n"),
	F("\r\n\r\n"),
	F("\n\n"),
	F("\r\r\n"),
	F("\n\r"),
	F("\0"),
	F("\t"),
	F(" "),
	F(":"),
	F(";"),
	F(","),
	F("0"),
	F("1"),
	F("f"),
	F("\v"),
	F("\f"),
	F("\x7f"),
	F("\x80"),
	F("\xff"),
	F("/"),
	F("\\"),
	F("%"),
	F("%2e"),
	F("%00"),
	F("../"),
	F("?"),
	F("#"),
	F("\""),
	F("-"),
	F("+"),
	F("0x"),
	F("\r\n "),
	F("\r\n\t"),
	F("\x85"),
	F("\r\n0\r\n\r\n"),
	F("Content-Length: 0\r\n"),
	F("Transfer-Encoding: chunked\r\n"),
	F("Connection: close\r\n"),
	F("Content-Length: 5\r\n"),
	F(" HTTP/1.1\r\n"),
	F("GET "),
	F("Upgrade: websocket\r\nConnection: Upgrade\r\n"),
};

/* Takes `cut` bytes out at `at`, and puts others there. */
static void splice(struct text *t, size_t at, size_t cut, const void *in, size_t len)
{
	struct text out = {};

	text_add(&out, t->b, at);
	text_add(&out, in, len);
	text_add(&out, t->b + at + cut, t->len - at - cut);
	text_free(t);
	*t = out;
}

static size_t line_start(const struct text *t, size_t at)
{
	while (at && t->b[at - 1] != '\n')
		at--;
	return at;
}

static size_t line_length(const struct text *t, size_t start)
{
	const char *end = memchr(t->b + start, '\n', t->len - start);

	return end ? (size_t)(end + 1 - t->b) - start : t->len - start;
}

/* Doubles a line, or moves it. */
static void line_elsewhere(struct text *t, struct rng *r, bool move)
{
	size_t from = line_start(t, rng_below(r, t->len)), len = line_length(t, from), to;
	char *line = malloc(len + 1);

	if (!line)
		abort();
	memcpy(line, t->b + from, len);
	if (move)
		splice(t, from, len, "", 0);
	to = t->len ? line_start(t, rng_below(r, t->len)) : 0;
	splice(t, to, 0, line, len);
	free(line);
}

/* A place that matters more than others: next to a CR, a colon, a space or a digit. */
static size_t place(const struct text *t, struct rng *r)
{
	size_t at = rng_below(r, t->len), i;

	if (rng_one_in(r, 3))
		return at;
	for (i = 0; i < 40 && at + i < t->len; i++)
		if (strchr("\r\n: 0;", t->b[at + i]))
			return at + i;
	return at;
}

static void mutate_once(struct text *t, struct rng *r)
{
	size_t at = place(t, r), n = 1 + rng_below(r, 4);
	const struct form *f = RNG_PICK(r, bytes);

	if (n > t->len - at)
		n = t->len - at;
	switch (rng_below(r, 9)) {
	case 0: t->b[at] ^= 1 << rng_below(r, 8); break;
	case 1: splice(t, at, n, "", 0); break;
	case 2:
	case 3: splice(t, at, 0, f->s, f->len); break;
	case 4: splice(t, at, n > f->len ? n : f->len < t->len - at ? f->len : n, f->s, f->len); break;
	case 5: line_elsewhere(t, r, false); break;
	case 6: line_elsewhere(t, r, true); break;
	case 7:
		t->b[at] = isupper((unsigned char)t->b[at]) ? tolower((unsigned char)t->b[at])
							    : toupper((unsigned char)t->b[at]);
		break;
	default: t->b[at] = rng_next(r); break;
	}
}

void mutate(struct stream *s, struct rng *r)
{
	uint32_t n = 1 + rng_below(r, 4);

	for (; n && s->bytes.len > 1; n--)
		mutate_once(&s->bytes, r);
	if (rng_one_in(r, 40) && s->bytes.len > 2)
		s->bytes.len = 1 + rng_below(r, s->bytes.len - 1);
	if (!s->bytes.len)
		text_puts(&s->bytes, "\r");
	s->n_wants = 0;
	s->closes = false;
}

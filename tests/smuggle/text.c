/* SPDX-License-Identifier: MIT */
/* Random numbers that repeat with the seed, and bytes that grow. */
#include "smuggle.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

uint64_t rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ULL;
	return mix(r->state);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (rng_next(r) >> 32) * n >> 32;
}

bool rng_one_in(struct rng *r, uint32_t n)
{
	return !rng_below(r, n);
}

void text_add(struct text *t, const void *bytes, size_t len)
{
	if (t->len + len + 1 > t->cap) {
		t->cap = (t->len + len + 1) * 2;
		t->b = realloc(t->b, t->cap);
		if (!t->b)
			abort();
	}
	if (len)
		memcpy(t->b + t->len, bytes, len);
	t->len += len;
	t->b[t->len] = 0;
}

void text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(line))
		abort();
	text_add(t, line, n);
}

void text_form(struct text *t, const struct form *form, unsigned long n)
{
	size_t i;

	for (i = 0; i < form->len; i++) {
		if (form->s[i] == '@')
			text_printf(t, "%lu", n);
		else if (form->s[i] == '#')
			text_printf(t, "%lx", n);
		else
			text_add(t, form->s + i, 1);
	}
}

void text_free(struct text *t)
{
	free(t->b);
	*t = (struct text){};
}

void text_escape(FILE *to, const char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = bytes[i];

		if (c == '\r')
			fputs("\\r", to);
		else if (c == '\n')
			fputs("\\n", to);
		else if (isprint(c) && c != '\\')
			fputc(c, to);
		else
			fprintf(to, "\\x%02x", c);
	}
}

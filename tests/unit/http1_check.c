// SPDX-License-Identifier: MIT
/* Test helper: guarded memory, feeding in pieces and comparing; see http1_check.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http1_check.h"

#define fail_input(data, len, ...)                                  \
	do {                                                        \
		print_error("input: %s\n", http1_shown(data, len)); \
		fail_msg(__VA_ARGS__);                              \
	} while (0)

const char *http1_shown(const void *data, size_t len)
{
	static char text[4096];
	const uint8_t *p = data;
	size_t i, n = 0;

	for (i = 0; i < len && n < sizeof(text) - 8; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '\\')
			n += sprintf(text + n, "%c", p[i]);
		else if (p[i] == ' ')
			n += sprintf(text + n, " ");
		else
			n += sprintf(text + n, "\\x%02x", p[i]);
	}
	text[n] = '\0';
	return text;
}

/* Room for the longest input; the pages before and behind it fault. */
static uint8_t *room(void)
{
	static uint8_t *base;
	size_t page = sysconf(_SC_PAGESIZE);

	if (!base) {
		base = mmap(NULL, HTTP1_INPUT_MAX + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (base == MAP_FAILED || mprotect(base + page, HTTP1_INPUT_MAX, PROT_READ | PROT_WRITE))
			abort();
		base += page;
	}
	return base;
}

static void fill(uint8_t *to, size_t n, const char *junk)
{
	size_t i, len = strlen(junk);

	for (i = 0; i < n; i++)
		to[i] = junk[i % len];
}

struct http1_buf *http1_guarded(const void *data, size_t len, bool flush_end)
{
	uint8_t *to = room() + (flush_end ? HTTP1_INPUT_MAX - len : 0);

	if (len > HTTP1_INPUT_MAX)
		abort();
	memcpy(to, data, len);
	if (!flush_end)
		fill(to + len, len + 64 > HTTP1_INPUT_MAX ? HTTP1_INPUT_MAX - len : 64, "\n\r\na:");
	return (struct http1_buf *)to;
}

/* data[0..len), of which the first `from` bytes were read before; flush against the page behind. */
static void resume(struct http1 *h, const void *data, size_t from, size_t len)
{
	enum http1_result result = http1_resume(http1_guarded(data, len, true), h, from, len);

	assert_int_equal(result, h->result);
}

struct http1 http1_whole(const void *data, size_t len, bool response)
{
	struct http1 h;

	http1_start(&h, response);
	resume(&h, data, 0, len);
	return h;
}

struct http1 http1_split(const void *data, size_t len, size_t at, bool response)
{
	struct http1 h;

	http1_start(&h, response);
	resume(&h, data, 0, at);
	resume(&h, data, at, len);
	return h;
}

struct http1 http1_bytewise(const void *data, size_t len, const char *junk, bool response, size_t *ret_decided)
{
	uint8_t *buf = room();
	struct http1 h;
	size_t n;

	*ret_decided = 0;
	fill(buf, len + 64 > HTTP1_INPUT_MAX ? HTTP1_INPUT_MAX : len + 64, junk);
	http1_start(&h, response);
	for (n = 1; n <= len; n++) {
		buf[n - 1] = ((const uint8_t *)data)[n - 1];
		if (http1_resume((struct http1_buf *)buf, &h, n - 1, n) != HTTP1_MORE && !*ret_decided)
			*ret_decided = n;
	}
	return h;
}

void http1_assert_same(const struct http1 *a, const struct http1 *b, const void *data, size_t len)
{
	if (memcmp(a, b, sizeof(*a)))
		fail_input(data, len, "results %d and %d, states %d and %d, flags %x and %x, head_len %u and %u",
			   a->result, b->result, a->state, b->state, a->flags, b->flags, a->head_len, b->head_len);
}

static void assert_number(const char *what, uint64_t a, uint64_t b, const void *data, size_t len)
{
	if (a != b)
		fail_input(data, len, "%s: the scanner says %llu, expected %llu", what, (unsigned long long)a,
			   (unsigned long long)b);
}

static void assert_done(const struct http1 *h, const struct http1_reading *r, const void *data, size_t len)
{
	unsigned int mask = HTTP1_LENGTH | HTTP1_CHUNKED;

	assert_number("head_len", h->head_len, r->head_len, data, len);
	assert_number("minor", h->minor, r->minor, data, len);
	assert_number("content_length", h->content_length, r->content_length, data, len);
	if (h->response) {
		assert_number("status", h->status, r->status, data, len);
		assert_number("flags", h->flags & mask, r->flags & mask, data, len);
		return;
	}
	mask = ~(r->flags & HTTP1_BEARER ? 0u : HTTP1_TOKEN_LONG);
	assert_number("flags", h->flags & mask, r->flags, data, len);
	assert_number("method", h->method, r->method, data, len);
	assert_number("target_off", h->target_off, r->target_off, data, len);
	assert_number("target_len", h->target_len, r->target_len, data, len);
	if (((const char *)data)[r->target_off] == '/')
		assert_number("path_len", h->path_len, r->path_len, data, len);
	if (r->host_off)
		assert_number("host_off", h->host_off, r->host_off, data, len);
	if (r->flags & HTTP1_BEARER) {
		assert_number("token_off", h->token_off, r->token_off, data, len);
		assert_number("token_len", h->token_len, r->token_len, data, len);
	}
}

void http1_assert_facts(const struct http1 *h, const struct http1_reading *r, const void *data, size_t len)
{
	assert_number("result (0 more, 1 done, 2 bad)", h->result, r->result, data, len);
	if (r->result == HTTP1_DONE)
		assert_done(h, r, data, len);
}

/* Where the line ends that the byte at `at` is in, its end included. */
static size_t line_end(const uint8_t *data, size_t len, size_t at)
{
	while (at < len && data[at] != '\r' && data[at] != '\n')
		at++;
	return at;
}

/* The reading says BAD: so does the scanner, between the offending byte and the end of its line. */
static void assert_bad(const struct http1 *whole, const struct http1_reading *r, const void *data, size_t len)
{
	size_t decided, end = line_end(data, len, r->bad_at);
	struct http1 h = http1_bytewise(data, len, "\n\r\na:", whole->response, &decided);

	http1_assert_same(whole, &h, data, len);
	if (end == len && h.result == HTTP1_MORE)
		return;
	if (h.result != HTTP1_BAD)
		fail_input(data, len, "the scanner says %d, expected BAD at byte %zu", h.result, r->bad_at);
	if (decided - 1 < r->bad_at || decided - 1 > end)
		fail_input(data, len, "BAD at byte %zu, expected in %zu to %zu", decided - 1, r->bad_at, end);
}

struct http1_reading http1_compare(const void *data, size_t len, size_t at, bool response)
{
	struct http1_reading r = http1_read_slowly(data, len, response);
	struct http1 whole = http1_whole(data, len, response), split = http1_split(data, len, at, response);

	if (r.result == HTTP1_BAD)
		assert_bad(&whole, &r, data, len);
	else
		http1_assert_facts(&whole, &r, data, len);
	http1_assert_same(&whole, &split, data, len);
	return r;
}

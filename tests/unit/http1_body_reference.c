// SPDX-License-Identifier: MIT
/* Test helper: the second reading of chunked bodies; see http1_body_reference.h. */
#include <string.h>

#include "http1_body_reference.h"

struct input {
	const uint8_t *data;
	size_t len, at;
	struct chunk_reading r;
};

void chunk_content_add(struct chunk_reading *r, uint8_t c)
{
	r->content++;
	r->hash = (r->hash ^ c) * 0x100000001b3ULL;
}

bool chunk_same(const struct chunk_reading *a, const struct chunk_reading *b)
{
	return a->end == b->end && a->at == b->at && a->content == b->content && a->hash == b->hash;
}

static bool finish(struct input *in, enum chunk_end end)
{
	in->r.end = end;
	in->r.at = in->at;
	return false;
}

static bool take(struct input *in, int c)
{
	if (in->at == in->len)
		return finish(in, GOES_ON);
	if (in->data[in->at] != c)
		return finish(in, WRONG);
	in->at++;
	return true;
}

static int hex_value(int c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF", *p = c ? strchr(digits, c) : NULL;

	return p ? (p - digits) % 16 : -1;
}

/* chunk-size [ chunk-ext ] CRLF: at most CHUNK_LINE_MAX bytes up to the CR, 14 digits but for zeros in front. */
static bool read_size(struct input *in, uint64_t *ret_size)
{
	size_t start = in->at, digits = 0;
	bool extension = false;
	uint64_t size = 0;

	for (;; in->at++) {
		if (in->at == in->len)
			return finish(in, GOES_ON);
		if (in->at - start == CHUNK_LINE_MAX)
			return finish(in, WRONG);
		if (in->data[in->at] == '\r' && in->at > start)
			break;
		if (!extension && hex_value(in->data[in->at]) >= 0) {
			size = size * 16 + hex_value(in->data[in->at]);
			digits += digits || size;
			if (digits > 14)
				return finish(in, WRONG);
		} else if (!extension && in->at > start && in->data[in->at] == ';') {
			extension = true;
		} else if (!extension || !is_text(in->data[in->at])) {
			return finish(in, WRONG);
		}
	}
	*ret_size = size;
	return take(in, '\r') && take(in, '\n');
}

/* *( field-line CRLF ) CRLF: at most CHUNK_TRAILER_MAX bytes, LFs not counted. */
static bool read_trailers(struct input *in)
{
	enum { START, NAME, VALUE } in_line = START;
	size_t counted = 0;

	while (in->at < in->len) {
		int c = in->data[in->at];

		if (++counted > CHUNK_TRAILER_MAX)
			return finish(in, WRONG);
		if (c == '\r' && in_line != NAME) {
			in->at++;
			if (!take(in, '\n'))
				return false;
			if (in_line == START)
				return true;
			in_line = START;
			continue;
		}
		if (c == ':' && in_line == NAME)
			in_line = VALUE;
		else if (in_line == VALUE ? !is_text(c) : !is_tchar(c))
			return finish(in, WRONG);
		else if (in_line == START)
			in_line = NAME;
		in->at++;
	}
	return finish(in, GOES_ON);
}

struct chunk_reading chunk_read_slowly(const void *data, size_t len)
{
	struct input in = { .data = data, .len = len };
	uint64_t size;

	for (;;) {
		if (!read_size(&in, &size))
			return in.r;
		if (!size)
			break;
		for (; size && in.at < len; size--)
			chunk_content_add(&in.r, in.data[in.at++]);
		if (!take(&in, '\r') || !take(&in, '\n'))
			return in.r;
	}
	if (read_trailers(&in))
		finish(&in, ENDS);
	return in.r;
}

/* ---- the scanner, given content in runs of at most `run` bytes ---- */

static void assert_consistent(const struct http1_body *body, enum chunk_end end)
{
	static const struct http1_body none;

	if (end == ENDS)
		assert_memory_equal(body, &none, sizeof(none));
	else
		assert_int_equal(body->kind, BODY_CHUNKED);
	if (http1_body_plain(body))
		assert_true(body->left > 0);
}

static void follow(struct chunk_reading *r, struct http1_body *body, const uint8_t *data, size_t len, size_t run)
{
	size_t n, i;
	int result;

	while (r->at < len && r->end == GOES_ON) {
		if (http1_body_plain(body)) {
			n = len - r->at < run ? len - r->at : run;
			n = n < body->left ? n : body->left;
			for (i = 0; i < n; i++)
				chunk_content_add(r, data[r->at++]);
			http1_body_skip(body, n);
			assert_consistent(body, GOES_ON);
			continue;
		}
		result = http1_chunk_byte(body, data[r->at]);
		assert_in_range(result + 1, 0, 2);
		r->end = result < 0 ? WRONG : result ? ENDS : GOES_ON;
		r->at += r->end != WRONG;
		if (r->end != WRONG)
			assert_consistent(body, r->end);
	}
}

/* data[0..at) first, then the rest; what is known of the first part moves to the second in `body` alone. */
static struct chunk_reading follow_split(const uint8_t *data, size_t len, size_t at, size_t run)
{
	struct http1 h = { .flags = HTTP1_CHUNKED };
	struct chunk_reading r = {};
	struct http1_body body;

	http1_body_of(&h, &body);
	follow(&r, &body, data, at, run);
	follow(&r, &body, data, len, run);
	return r;
}

struct chunk_reading chunk_compare(const void *data, size_t len, size_t at, size_t run)
{
	struct chunk_reading slow = chunk_read_slowly(data, len), r = follow_split(data, len, at, run);

	if (!chunk_same(&r, &slow)) {
		print_error("input: %s\n", http1_shown(data, len));
		fail_msg("the scanner says %d at %zu, %zu of content; expected %d at %zu, %zu", r.end, r.at, r.content,
			 slow.end, slow.at, slow.content);
	}
	return r;
}

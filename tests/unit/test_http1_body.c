// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/http1_body.h: which body a head announces, counting content down, and random bodies. */
#include <stdio.h>
#include <string.h>

#include "core/util.h"
#include "http1_body_reference.h"

#define BODIES 60000

static void assert_body(const struct http1_body *body, enum body_kind kind, uint64_t left)
{
	struct http1_body expected = { .kind = kind, .left = left };

	assert_memory_equal(body, &expected, sizeof(expected));
}

/* Only Transfer-Encoding and Content-Length say whether a request has a body (RFC 9112, section 6.3). */
static void bodies_of_heads(void **state)
{
	static const uint64_t lengths[] = { 0, 1, 5, 1ULL << 32, 999999999999999999ULL };
	struct http1_body body;
	unsigned int flags;
	size_t i;

	(void)state;
	for (flags = 0; flags < 2 * HTTP1_WEBSOCKET; flags++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct http1 h = {
				.flags = flags,
				.method = flags % 4,
				.minor = flags % 3 == 0,
				.content_length = flags & HTTP1_LENGTH ? lengths[i] : 0,
			};

			memset(&body, 0xff, sizeof(body));
			http1_body_of(&h, &body);
			if (flags & HTTP1_CHUNKED)
				assert_body(&body, BODY_CHUNKED, 0);
			else if (h.content_length)
				assert_body(&body, BODY_LENGTH, h.content_length);
			else
				assert_body(&body, BODY_NONE, 0);
		}
	}
}

/* The same from the text, all the way. */
static void bodies_of_requests(void **state)
{
	static const struct {
		const char *field;
		enum body_kind kind;
		uint64_t left;
	} cases[] = {
		{ "", BODY_NONE, 0 },
		{ "Content-Length: 0\r\n", BODY_NONE, 0 },
		{ "Content-Length: 00\r\n", BODY_NONE, 0 },
		{ "Content-Length: 1\r\n", BODY_LENGTH, 1 },
		{ "content-length:4294967296\r\n", BODY_LENGTH, 1ULL << 32 },
		{ "Content-Length: 999999999999999999\r\n", BODY_LENGTH, 999999999999999999ULL },
		{ "Transfer-Encoding: chunked\r\n", BODY_CHUNKED, 0 },
		{ "TE: chunked\r\nContent-Type: a/5\r\n", BODY_NONE, 0 },
	};
	static const char *const methods[] = { "GET", "HEAD", "POST", "CONNECT", "OPTIONS" };
	struct http1_body body;
	struct http1 h;
	char text[256];
	size_t i, m;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (m = 0; m < ARRAY_SIZE(methods); m++) {
			sprintf(text, "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", methods[m], cases[i].field);
			h = http1_whole(text, strlen(text), false);
			assert_int_equal(h.result, HTTP1_DONE);
			http1_body_of(&h, &body);
			assert_body(&body, cases[i].kind, cases[i].left);
		}
	}
}

static void content_is_counted_down(void **state)
{
	static const struct http1_body none;
	struct http1_body body;
	size_t length, first, second;

	(void)state;
	assert_false(http1_body_plain(&none));
	for (length = 1; length < 40; length++) {
		for (first = 0; first <= length; first++) {
			for (second = 0; first + second <= length; second++) {
				body = (struct http1_body){ .kind = BODY_LENGTH, .left = length };
				assert_true(http1_body_plain(&body));
				http1_body_skip(&body, first);
				assert_int_equal(body.left, length - first);
				assert_int_equal(http1_body_plain(&body), first < length);
				if (first < length)
					http1_body_skip(&body, second);
				assert_int_equal(http1_body_plain(&body), first + second < length);
				if (first + second == length)
					assert_body(&body, BODY_NONE, 0);
			}
		}
	}
}

/* Beyond 32 bits too. */
static void large_content_is_counted_down(void **state)
{
	struct http1_body body = { .kind = BODY_LENGTH, .left = (1ULL << 40) + 5 };

	(void)state;
	http1_body_skip(&body, 1ULL << 40);
	assert_body(&body, BODY_LENGTH, 5);
	http1_body_skip(&body, 4);
	assert_body(&body, BODY_LENGTH, 1);
	http1_body_skip(&body, 1);
	assert_body(&body, BODY_NONE, 0);
}

/* Content is plain in a chunk's data only, and its end is not yet the end of the body. */
static void chunk_data_is_plain(void **state)
{
	static const char text[] = "3;a\r\nxyz\r\n0\r\nb:c\r\n\r\n";
	struct http1_body body = { .kind = BODY_CHUNKED };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(http1_body_plain(&body), i >= 5 && i < 8);
		if (http1_body_plain(&body)) {
			assert_int_equal(body.left, 8 - i);
			http1_body_skip(&body, 1);
			assert_int_equal(body.kind, BODY_CHUNKED);
		} else {
			assert_int_equal(http1_chunk_byte(&body, text[i]), i == sizeof(text) - 2);
		}
	}
	assert_body(&body, BODY_NONE, 0);
}

/* ---- random bodies ---- */

static uint64_t random_state = 0x6368756e6b;

/* xorshift64* (Vigna 2016). */
static uint32_t below(uint32_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

/* Up to `max` bytes of a set. */
static size_t put_some(char *to, const char *set, uint32_t max)
{
	uint32_t i, n = below(max + 1);

	for (i = 0; i < n; i++)
		to[i] = set[below(strlen(set))];
	return n;
}

static size_t put_line_end(char *to)
{
	static const char *const odd[] = { "\n", "\r", "\r\r\n", "", "\n\r", "\r\n\r\n", "\r\n " };

	return sprintf(to, "%s", one_in(60) ? odd[below(ARRAY_SIZE(odd))] : "\r\n");
}

static size_t put_chunk(char *to, size_t size)
{
	static const char *const formats[] = { "%zx", "%zX", "0%zx", "000%zX" };
	static const char *const odd[] = { " %zx", "%zx ", "+%zx", "0x%zx", "-%zx", "%zxg", "1%zx0000000000000", "" };
	static const char text[] = "abc0123\r\n;\"\t=\x80";
	size_t i, n;

	n = sprintf(to, one_in(60) ? odd[below(ARRAY_SIZE(odd))] : formats[below(ARRAY_SIZE(formats))], size);
	if (one_in(4)) {
		to[n++] = ';';
		n += put_some(to + n, "ab=\"; \t\\\x80,", one_in(20) ? 260 : 20);
	}
	n += put_line_end(to + n);
	for (i = 0; i < size; i++)
		to[n++] = text[below(sizeof(text) - 1)];
	return size ? n + put_line_end(to + n) : n;
}

static size_t put_body(char *to)
{
	size_t n = 0, chunks = below(5), trailers = one_in(3) ? below(4) : 0;

	while (chunks--)
		n += put_chunk(to + n, below(40) + 1);
	n += put_chunk(to + n, 0);
	while (trailers--) {
		n += put_some(to + n, "ab-Z!", 8);
		to[n++] = one_in(20) ? ' ' : ':';
		n += put_some(to + n, "a b\t\x80:;", 12);
		n += put_line_end(to + n);
	}
	n += put_line_end(to + n);
	return n + put_some(to + n, "GET /\r\n", 8);
}

static void random_bodies(void **state)
{
	static char text[8192];
	uint32_t i, ends[3] = {};
	size_t len;

	(void)state;
	for (i = 0; i < BODIES; i++) {
		len = put_body(text);
		if (one_in(4))
			text[below(len)] = below(256);
		if (one_in(10))
			len = below(len);
		ends[chunk_compare(text, len, below(len + 1), below(20) + 1).end]++;
	}
	for (i = 0; i < 3; i++)
		assert_true(ends[i] > BODIES / 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_of_heads),	   cmocka_unit_test(bodies_of_requests),
		cmocka_unit_test(content_is_counted_down), cmocka_unit_test(large_content_is_counted_down),
		cmocka_unit_test(chunk_data_is_plain),	   cmocka_unit_test(random_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/http1.h: heads as long as any may be, and the longest token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "http1_check.h"

/* `before`, `each` as often as fits, `after`. */
struct shape {
	const char *before, *each, *after;
	bool response;
	unsigned int flags;
};

static const struct shape shapes[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\nCookie: ", "c", "\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\nCookie: ", "\t", "\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\nCookie: ", "abc\t\xe4 def", "\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\n", "n", ":\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\nb:", "\r\nb:", "\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\nb:", "\r\nCookie: a=b; c=d", "\r\n\r\n", false, HTTP1_HOST },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ", "0", "5\r\n\r\n", false, HTTP1_HOST | HTTP1_LENGTH },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:", "\t", "5\r\n\r\n", false, HTTP1_HOST | HTTP1_LENGTH },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5", " ", "\r\n\r\n", false, HTTP1_HOST | HTTP1_LENGTH },
	{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:", " ", "chunked\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_CHUNKED },
	{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "\t", "\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_CHUNKED },
	{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer", " ", "a\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_AUTH | HTTP1_BEARER },
	{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a", "\t", "\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_AUTH | HTTP1_BEARER },
	{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ", "t", "\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_AUTH | HTTP1_BEARER | HTTP1_TOKEN_LONG },
	{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ", "s", " t\r\n\r\n", false, HTTP1_HOST | HTTP1_AUTH },
	{ "GET / HTTP/1.1\r\nHost: a\r\nUpgrade:", " ", "websocket\r\n\r\n", false,
	  HTTP1_HOST | HTTP1_UPGRADE | HTTP1_WEBSOCKET },
	{ "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: ", "w", "\r\n\r\n", false, HTTP1_HOST | HTTP1_UPGRADE },
	{ "", "M", " / HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST },
	{ "GET /", "p", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST },
	{ "GET /p", "/p", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST },
	{ "GET /", "/", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST | HTTP1_ODD },
	{ "GET /", "%", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST | HTTP1_ODD },
	{ "GET /?", "?", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST },
	{ "GET ", "*", " HTTP/1.1\r\nHost: a\r\n\r\n", false, HTTP1_HOST | HTTP1_ODD },
	{ "HTTP/1.1 200 ", "r", "\r\nContent-Length: 5\r\n\r\n", true, HTTP1_LENGTH },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5", "\r\nSet-Cookie: a=b", "\r\n\r\n", true, HTTP1_LENGTH },
	{ "HTTP/1.1 200 OK\r\nContent-Length: ", "0", "5\r\n\r\n", true, HTTP1_LENGTH },
};

/* At most `len` bytes. Returns how many. */
static size_t shape_write(const struct shape *s, char *to, size_t len)
{
	size_t before = strlen(s->before), each = strlen(s->each), after = strlen(s->after), n = before;

	memcpy(to, s->before, before);
	while (n + each + after <= len) {
		memcpy(to + n, s->each, each);
		n += each;
	}
	memcpy(to + n, s->after, after);
	return n + after;
}

static void heads_up_to_the_longest(void **state)
{
	static const size_t lengths[] = { 4095, 4096, 4097, MPBPF_HELPER_HEAD_MAX - 1, MPBPF_HELPER_HEAD_MAX };
	static char text[HTTP1_INPUT_MAX];
	size_t i, j, len, decided;
	struct http1_reading r;
	struct http1 h, whole;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			len = shape_write(&shapes[i], text, lengths[j]);
			r = http1_compare(text, len, len * (i + 1) / 32, shapes[i].response);
			assert_int_equal(r.result, HTTP1_DONE);
			assert_int_equal(r.flags & ~(unsigned int)HTTP1_TOKEN_LONG,
					 shapes[i].flags & ~(unsigned int)HTTP1_TOKEN_LONG);
			assert_int_equal(http1_compare(text, len - 1, len / 2, shapes[i].response).result, HTTP1_MORE);
		}
		assert_int_equal(r.flags, shapes[i].flags);
		whole = http1_whole(text, len, shapes[i].response);
		h = http1_bytewise(text, len, "\n\r\na:", shapes[i].response, &decided);
		http1_assert_same(&whole, &h, text, len);
		assert_int_equal(decided, len);
	}
}

/* Where each shape has exactly the longest head: one byte more would be one that nobody reads. */
static void the_longest_head_has_no_byte_to_spare(void **state)
{
	static char text[HTTP1_INPUT_MAX];
	size_t i, len, exact = 0;
	struct http1 h;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (strlen(shapes[i].each) != 1)
			continue;
		len = shape_write(&shapes[i], text, MPBPF_HELPER_HEAD_MAX);
		assert_int_equal(len, MPBPF_HELPER_HEAD_MAX);
		h = http1_whole(text, len, shapes[i].response);
		assert_int_equal(h.result, HTTP1_DONE);
		assert_int_equal(h.head_len, MPBPF_HELPER_HEAD_MAX);
		len = shape_write(&shapes[i], text, MPBPF_HELPER_HEAD_MAX + 1);
		h = http1_whole(text, MPBPF_HELPER_HEAD_MAX, shapes[i].response);
		assert_int_equal(h.result, HTTP1_MORE);
		exact++;
	}
	assert_true(exact > 15);
}

/* Bytes that are wrong at the end of all that fits are seen all the same. */
static void the_last_byte_that_fits_is_read(void **state)
{
	static char text[HTTP1_INPUT_MAX];
	size_t i, len = MPBPF_HELPER_HEAD_MAX, decided;
	struct http1 h;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (strlen(shapes[i].each) != 1)
			continue;
		shape_write(&shapes[i], text, len + 100);
		text[len - 1] = 0;
		assert_int_equal(http1_compare(text, len, len - 33, shapes[i].response).result, HTTP1_BAD);
		h = http1_bytewise(text, len, "a", shapes[i].response, &decided);
		assert_int_equal(h.result, HTTP1_BAD);
		assert_int_equal(decided, len);
	}
}

static void tokens_up_to_the_longest(void **state)
{
	static const char before[] = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ";
	static const char *const afters[] = { "\r\n\r\n", " \t\r\n\r\n", " b\r\n\r\n" };
	static char text[HTTP1_INPUT_MAX];
	size_t i, n, len = sizeof(before) - 1;
	struct http1 h;

	(void)state;
	memcpy(text, before, len);
	for (n = MPBPF_TOKEN_MAX - 40; n <= MPBPF_TOKEN_MAX + 40; n++) {
		for (i = 0; i < ARRAY_SIZE(afters); i++) {
			memset(text + len, 't', n);
			strcpy(text + len + n, afters[i]);
			http1_compare(text, strlen(text), len + n, false);
			h = http1_whole(text, strlen(text), false);
			assert_int_equal(h.result, HTTP1_DONE);
			assert_int_equal(!!(h.flags & HTTP1_BEARER), i < 2);
			if (i < 2)
				assert_int_equal(!!(h.flags & HTTP1_TOKEN_LONG), n > MPBPF_TOKEN_MAX);
		}
	}
}

/* The slack behind the buffer, and what an earlier, longer head left in it, say nothing about this one. */
static void what_stands_behind_the_input_does_not_matter(void **state)
{
	static struct http1_buf buf;
	struct http1 a, b;
	char text[512];
	size_t i, n, len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		len = shape_write(&shapes[i], text, 160);
		for (n = 0; n <= len; n++) {
			a = http1_whole(text, n, shapes[i].response);
			memset(&buf, "\n\r:a\xff"[n % 5], sizeof(buf));
			memcpy(buf.b, text, n);
			if (n % 2)
				memcpy(buf.b + n, text + n, len - n);
			http1_start(&b, shapes[i].response);
			http1_scan(&buf, &b, n);
			http1_assert_same(&a, &b, text, n);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_up_to_the_longest),
		cmocka_unit_test(the_longest_head_has_no_byte_to_spare),
		cmocka_unit_test(the_last_byte_that_fits_is_read),
		cmocka_unit_test(tokens_up_to_the_longest),
		cmocka_unit_test(what_stands_behind_the_input_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Unit tests of bpf/include/http1.h: every byte at every place of a head, and every special byte at every place of the
 * scanner's strides, against the slow reading.
 */
#include <stdio.h>
#include <string.h>

#include "core/util.h"
#include "http1_check.h"

#define STRIDES 64 /* two strides of 32 bytes, eight words */

static const char full_request[] = "OPTIONS /a.b/?c HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b=\r\nX: y\r\n"
				   "Content-Length: 10\r\nUpgrade: websocket\r\n\r\n";
static const char chunked_request[] = "HEAD /a/..b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost:\r\n\r\n";
static const char other_request[] = "CONNECT a:80 HTTP/1.0\r\n\r\n";
static const char length_response[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: a\r\n\r\n";
static const char chunked_response[] = "HTTP/1.0 404\r\ntransfer-encoding: Chunked\r\n\r\n";

static const struct {
	const char *text;
	bool response;
} bases[] = {
	{ full_request, false },   { chunked_request, false }, { other_request, false },
	{ length_response, true }, { chunked_response, true },
};

static void every_byte_in_the_place_of_every_other(void **state)
{
	char text[512];
	size_t i, at, len;
	int c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		len = strlen(bases[i].text);
		memcpy(text, bases[i].text, len);
		for (at = 0; at < len; at++) {
			for (c = 0; c < 256; c++) {
				text[at] = c;
				http1_compare(text, len, at, bases[i].response);
			}
			text[at] = bases[i].text[at];
		}
	}
}

static void every_byte_between_every_two(void **state)
{
	char text[512];
	size_t i, at, len;
	int c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		len = strlen(bases[i].text);
		for (at = 0; at <= len; at++) {
			memcpy(text, bases[i].text, at);
			memcpy(text + at + 1, bases[i].text + at, len - at);
			for (c = 0; c < 256; c++) {
				text[at] = c;
				http1_compare(text, len + 1, at + 1, bases[i].response);
			}
		}
	}
}

/* One to three bytes left out, everywhere; and every run of up to 20 bytes said twice. */
static void bytes_missing_and_doubled(void **state)
{
	char text[512];
	size_t i, at, n, len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		len = strlen(bases[i].text);
		for (at = 0; at < len; at++) {
			for (n = 1; n <= 3 && at + n <= len; n++) {
				memcpy(text, bases[i].text, at);
				memcpy(text + at, bases[i].text + at + n, len - at - n);
				http1_compare(text, len - n, at, bases[i].response);
			}
			for (n = 1; n <= 20 && at + n <= len; n++) {
				memcpy(text, bases[i].text, at + n);
				memcpy(text + at + n, bases[i].text + at, len - at);
				http1_compare(text, len + n, at + n, bases[i].response);
			}
		}
	}
}

/* ---- strides ---- */

/* "GET /a…a HTTP/1.1", Host: what follows begins at `pad` modulo STRIDES. Returns its length. */
static size_t padded(char *to, size_t pad)
{
	static const char line[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	size_t n = sizeof(line) - 1;

	pad = (pad + 2 * STRIDES - n) % STRIDES;
	memcpy(to, "GET /", 5);
	memset(to + 5, 'a', pad);
	memcpy(to + 5 + pad, line + 5, n - 5);
	return n + pad;
}

/* Bytes that decide something, and their neighbours. */
static const char special[] = "\0\1\x08\t\n\v\f\r\x1b\x1f !\",./:;=?#[]%\\~\x7e\x7f\x80\x81\xa0\xff";

static void special_bytes_at_every_place_of_a_value(void **state)
{
	char text[512];
	size_t pad, at, len;

	(void)state;
	for (pad = 0; pad < STRIDES; pad++) {
		len = padded(text, pad);
		memcpy(text + len, "a:", 2);
		for (at = 0; at < 70; at++) {
			memset(text + len + 2, 'b', 70);
			memcpy(text + len + 72, "\r\n\r\n", 4);
			text[len + 2 + at] = special[(pad + at) % (sizeof(special) - 1)];
			http1_compare(text, len + 76, len + at, false);
			text[len + 2 + at] = pad * 70 + at;
			http1_compare(text, len + 76, len + at, false);
		}
	}
}

/* Every byte at every offset of a stride, in a value, a token, a target, a query and a name; a second one behind it. */
static void every_byte_at_every_place_of_a_stride(void **state)
{
	static const struct {
		const char *before, *after;
	} places[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\nA:", "\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ", "\r\n\r\n" },
		{ "GET /", " HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "GET /?", " HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nA", ": b\r\n\r\n" },
	};
	char text[512];
	size_t i, at, before, after;
	int c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		before = strlen(places[i].before);
		after = strlen(places[i].after);
		memcpy(text, places[i].before, before);
		memset(text + before, 'b', 80);
		memcpy(text + before + 80, places[i].after, after);
		for (at = 0; at < 72; at++) {
			for (c = 0; c < 256; c++) {
				text[before + at] = c;
				text[before + at + 1 + c % 7] = special[c % (sizeof(special) - 1)];
				http1_compare(text, before + 80 + after, before + at, false);
				memset(text + before + at, 'b', 8);
			}
		}
	}
}

static void names_and_values_of_every_length_at_every_place(void **state)
{
	char text[512];
	size_t pad, name, value, len, n;

	(void)state;
	for (pad = 0; pad < STRIDES; pad++) {
		len = padded(text, pad);
		for (name = 1; name <= 70; name++) {
			value = (name * 37 + pad) % 71;
			n = len;
			memset(text + n, 'n', name);
			n += name;
			text[n++] = ':';
			memset(text + n, 'v', value);
			n += value;
			memcpy(text + n, "\r\nb:\r\n\r\n", 8);
			assert_int_equal(http1_compare(text, n + 8, len + name, false).result, HTTP1_DONE);
			assert_int_equal(http1_compare(text, n + 7, n, false).result, HTTP1_MORE);
		}
	}
}

/* The fields that are read must be known wherever their names and values lie. */
static void known_fields_at_every_place(void **state)
{
	static const struct {
		const char *line;
		unsigned int flags;
	} lines[] = {
		{ "Authorization: Bearer a.b.c", HTTP1_AUTH | HTTP1_BEARER },
		{ "authorization:bEARER  abcdefghijklmnopqrstuvwxyz0123456789", HTTP1_AUTH | HTTP1_BEARER },
		{ "Authorization: Bearer a.b.c \t \t", HTTP1_AUTH | HTTP1_BEARER },
		{ "Authorization: Bearer abc abc", HTTP1_AUTH },
		{ "Content-Length: 12345678901234", HTTP1_LENGTH },
		{ "Transfer-Encoding: chunked", HTTP1_CHUNKED },
		{ "Upgrade: websocket", HTTP1_UPGRADE | HTTP1_WEBSOCKET },
		{ "Upgrade: websocket, h2c", HTTP1_UPGRADE },
		{ "Hostt: a", 0 },
	};
	struct http1_reading r;
	char text[512];
	size_t pad, i, len, n;

	(void)state;
	for (pad = 0; pad < STRIDES; pad++) {
		for (i = 0; i < ARRAY_SIZE(lines); i++) {
			len = padded(text, pad);
			n = len + sprintf(text + len, "%s\r\n\r\n", lines[i].line);
			r = http1_compare(text, n, len + pad % 28, false);
			assert_int_equal(r.result, HTTP1_DONE);
			assert_int_equal(r.flags, lines[i].flags | HTTP1_HOST);
		}
	}
}

/* Path segments of every kind, wherever their slashes lie. */
static void segments_at_every_place(void **state)
{
	static const char *const ends[] = { "/",      "/.",   "/..",  "/...", "//",    "/./", "/../",
					    "/.a",    "/a.",  "/.a/", "/..a", "/a../", "/?",  "//?",
					    "/.?/..", "/..?", "/;",   "/%",   "/a?//", "/\\" };
	char text[512];
	size_t pad, i, n;

	(void)state;
	for (pad = 0; pad < STRIDES; pad++) {
		for (i = 0; i < ARRAY_SIZE(ends); i++) {
			n = sprintf(text, "GET /%.*s%s HTTP/1.1\r\nHost: a\r\n\r\n", (int)pad,
				    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ends[i]);
			assert_int_equal(http1_compare(text, n, 5 + pad, false).result, HTTP1_DONE);
		}
	}
}

/* The judge in the helper asks the table what a token may be made of. */
static void classes_are_those_of_the_grammar(void **state)
{
	static const char token68[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		assert_int_equal(!!(http1_class[c] & HTTP1_TCHAR), is_tchar(c));
		assert_int_equal(!!(http1_class[c] & HTTP1_TEXT), is_text(c));
		assert_int_equal(!!(http1_class[c] & HTTP1_TOKEN68), c && strchr(token68, c));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_in_the_place_of_every_other),
		cmocka_unit_test(every_byte_between_every_two),
		cmocka_unit_test(bytes_missing_and_doubled),
		cmocka_unit_test(special_bytes_at_every_place_of_a_value),
		cmocka_unit_test(every_byte_at_every_place_of_a_stride),
		cmocka_unit_test(names_and_values_of_every_length_at_every_place),
		cmocka_unit_test(known_fields_at_every_place),
		cmocka_unit_test(segments_at_every_place),
		cmocka_unit_test(classes_are_those_of_the_grammar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

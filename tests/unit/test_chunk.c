// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/http1_body.h: chunked bodies, in whatever pieces they come, against the slow reading. */
#include <stdio.h>
#include <string.h>

#include "core/util.h"
#include "http1_body_reference.h"

#define Z50 "00000000000000000000000000000000000000000000000000"
#define Z240 Z50 Z50 Z50 Z50 "0000000000000000000000000000000000000000"

static const struct {
	const char *text; /* up to the end, or up to the wrong byte */
	const char *rest;
	enum chunk_end end;
	const char *content;
} cases[] = {
	{ "0\r\n\r\n", "", ENDS, "" },
	{ "0\r\n\r\n", "GET / HTTP/1.1\r\n", ENDS, "" },
	{ "00\r\n\r\n", "0\r\n\r\n", ENDS, "" },
	{ "5\r\nhello\r\n0\r\n\r\n", "x", ENDS, "hello" },
	{ "a\r\n0123456789\r\n0\r\n\r\n", "", ENDS, "0123456789" },
	{ "A\r\n0123456789\r\n0\r\n\r\n", "", ENDS, "0123456789" },
	{ "f\r\n0123456789abcde\r\n0\r\n\r\n", "", ENDS, "0123456789abcde" },
	{ "F\r\n0123456789abcde\r\n0\r\n\r\n", "", ENDS, "0123456789abcde" },
	{ "10\r\n0123456789abcdef\r\n0\r\n\r\n", "", ENDS, "0123456789abcdef" },
	{ "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "", ENDS, "abcdef" },
	{ "0003\r\nabc\r\n0\r\n\r\n", "", ENDS, "abc" },
	{ Z240 "000000003\r\nabc\r\n0\r\n\r\n", "", ENDS, "abc" },
	{ Z240 "0000000003", "\r\nabc\r\n", WRONG, "" },
	{ "4\r\n\r\n\r\n\r\n0\r\n\r\n", "", ENDS, "\r\n\r\n" },
	{ "7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", "", ENDS, "0\r\n\r\n0\r" },
	/* extensions are text, quotes in them too */
	{ "1;\r\na\r\n0\r\n\r\n", "", ENDS, "a" },
	{ "1;b\r\na\r\n0;c=d\r\n\r\n", "", ENDS, "a" },
	{ "1;b=\"c;d\\\"e\" ; f\t\r\na\r\n0\r\n\r\n", "", ENDS, "a" },
	{ "1;\"\r\na\r\n0\r\n\r\n", "\"", ENDS, "a" },
	{ "1;\xff\x80 a\r\na\r\n0\r\n\r\n", "", ENDS, "a" },
	{ "1;5\r\na\r\n0\r\n\r\n", "", ENDS, "a" },
	{ "1;" Z240 "1234567\r\na\r\n0\r\n\r\n", "", ENDS, "a" },
	{ "1;" Z240 "12345678", "\r\na\r\n", WRONG, "" },
	{ "1;" Z240 "12345678", "9\r\na\r\n", WRONG, "" },
	{ "1;b=\"c", "\nd\"\r\n", WRONG, "" },
	{ "1;b", "\nX\r\n", WRONG, "" },
	{ "1;b\r", "c\r\n", WRONG, "" },
	{ "1;b\r", "\r\n", WRONG, "" },
	{ "1;b", "\x7f\r\n", WRONG, "" },
	{ "1;b", "\x01\r\n", WRONG, "" },
	{ "1;b", "\v\r\n", WRONG, "" },
	/* sizes */
	{ "", "\r\n", WRONG, "" },
	{ "", "\n", WRONG, "" },
	{ "", ";a\r\n", WRONG, "" },
	{ "", " 5\r\nhello", WRONG, "" },
	{ "", "+5\r\nhello", WRONG, "" },
	{ "", "-5\r\nhello", WRONG, "" },
	{ "", "-0\r\n\r\n", WRONG, "" },
	{ "", "g\r\n", WRONG, "" },
	{ "", "G\r\n", WRONG, "" },
	{ "", "@\r\n", WRONG, "" },
	{ "", "`\r\n", WRONG, "" },
	{ "", ":\r\n", WRONG, "" },
	{ "", "/\r\n", WRONG, "" },
	{ "", "\x11\r\n", WRONG, "" },
	{ "", "\xb5\r\n", WRONG, "" },
	{ "0", "x5\r\nhello", WRONG, "" },
	{ "5", " \r\nhello", WRONG, "" },
	{ "5", "\t\r\nhello", WRONG, "" },
	{ "5", " ;a\r\nhello", WRONG, "" },
	{ "5", "_0\r\nhello", WRONG, "" },
	{ "5", ",5\r\nhello", WRONG, "" },
	{ "5", ".0\r\nhello", WRONG, "" },
	{ "5", "\v\r\nhello", WRONG, "" },
	{ "5", "\nhello", WRONG, "" },
	{ "5\r", "hello", WRONG, "" },
	{ "5\r", "\r\nhello", WRONG, "" },
	{ "ffffffffffffff\r\nabc", "", GOES_ON, "abc" },
	{ "00ffffffffffffff\r\nabc", "", GOES_ON, "abc" },
	{ "10000000000000", "0\r\nabc", WRONG, "" },
	{ "ffffffffffffff", "f\r\nabc", WRONG, "" },
	{ "10000000000000", "005\r\nhello", WRONG, "" },
	{ "00000000000000000000005\r\nhello\r\n0\r\n\r\n", "", ENDS, "hello" },
	/* behind the data */
	{ "5\r\nhello", "0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello", "!\r\n0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello", "\n0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello\r", "0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello\r", "\r\n0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello\r\n", "\r\n0\r\n\r\n", WRONG, "hello" },
	{ "5\r\nhello\r\n", ";\r\n", WRONG, "hello" },
	{ "1\r\na\r\n1\r\nb\r\n", "x", WRONG, "ab" },
	/* trailers */
	{ "0\r\na: b\r\n\r\n", "x", ENDS, "" },
	{ "0\r\na:\r\nb:c\r\n\r\n", "x", ENDS, "" },
	{ "0\r\n!#$%&'*+-.^_`|~09AZaz: \t:\"\xff\r\n\r\n", "", ENDS, "" },
	{ "0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "hello", ENDS, "" },
	{ "0;a\r\nb: c\r\n\r\n", "", ENDS, "" },
	{ "0\r\n", " a: b\r\n\r\n", WRONG, "" },
	{ "0\r\n", "\ta: b\r\n\r\n", WRONG, "" },
	{ "0\r\n", ": b\r\n\r\n", WRONG, "" },
	{ "0\r\n", "\n", WRONG, "" },
	{ "0\r\na", "\r\n\r\n", WRONG, "" },
	{ "0\r\na", " : b\r\n\r\n", WRONG, "" },
	{ "0\r\na", "\t: b\r\n\r\n", WRONG, "" },
	{ "0\r\na", "\n\r\n", WRONG, "" },
	{ "0\r\na: b\r\n", " c\r\n\r\n", WRONG, "" },
	{ "0\r\na: b", "\n\r\n", WRONG, "" },
	{ "0\r\na: b", "\x7f\r\n", WRONG, "" },
	{ "0\r\na: b\r", "c", WRONG, "" },
	{ "0\r\na: b\r", "\r\n", WRONG, "" },
	{ "0\r\na: b\r\n", "\n", WRONG, "" },
	{ "0\r\na: b\r\n\r", "x", WRONG, "" },
	{ "0\r\n\r", "\r\n", WRONG, "" },
	{ "0\r\n\r", "0", WRONG, "" },
	{ "0\r\n", "\x80: b\r\n", WRONG, "" },
	/* and what is not all there */
	{ "", "", GOES_ON, "" },
	{ "5", "", GOES_ON, "" },
	{ "5;abc", "", GOES_ON, "" },
	{ "5\r\nhell", "", GOES_ON, "hell" },
	{ "5\r\nhello", "", GOES_ON, "hello" },
	{ "5\r\nhello\r\n0\r\n", "", GOES_ON, "hello" },
	{ "0\r\na: b\r\n", "", GOES_ON, "" },
	{ "0\r\na: b\r\n\r", "", GOES_ON, "" },
};

/* Each case whole, in all pairs of pieces, and its every part: up to the end or the wrong byte it goes on. */
static void chunked_bodies_of_every_kind(void **state)
{
	uint8_t data[1024];
	size_t i, n, end, len;
	struct chunk_reading r, expected;
	const char *c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		len = sprintf((char *)data, "%s%s", cases[i].text, cases[i].rest);
		end = strlen(cases[i].text);
		r = chunk_compare(data, len, 0, len + 1);
		expected = (struct chunk_reading){ .end = cases[i].end, .at = end };
		for (c = cases[i].content; *c; c++)
			chunk_content_add(&expected, *c);
		if (!chunk_same(&r, &expected))
			fail_msg("%s: %d at %zu, expected %d at %zu", http1_shown(data, len), r.end, r.at, expected.end,
				 end);
		for (n = 0; n <= len; n++)
			chunk_compare(data, len, n, n % 9 + 1);
		for (n = 0; n < len; n++)
			assert_int_equal(chunk_compare(data, n, n, n + 1).end,
					 n < end + (r.end == WRONG) ? GOES_ON : cases[i].end);
	}
}

/* Every byte in the place of every other, and between every two. */
static void every_byte_everywhere(void **state)
{
	static const char base[] =
		"a;b=c\r\n0123456789\r\n1F\r\n0123456789abcdef0123456789ABCDE\r\n0\r\na: b\r\nc:\r\n\r\nx";
	char text[sizeof(base) + 1];
	size_t at, len = sizeof(base) - 1;
	int c;

	(void)state;
	for (at = 0; at < len; at++) {
		for (c = 0; c < 256; c++) {
			memcpy(text, base, len);
			text[at] = c;
			chunk_compare(text, len, at, c % 11 + 1);
			memmove(text + at + 1, base + at, len - at);
			chunk_compare(text, len + 1, at, c % 13 + 1);
		}
	}
}

/* Lines of every length up to the longest and beyond, as zeros in front of a size and as an extension. */
static void size_lines_have_a_limit(void **state)
{
	char text[400];
	size_t n, len;

	(void)state;
	for (n = 1; n < 300; n++) {
		memset(text, '0', n);
		len = n + sprintf(text + n - 1, "1\r\na\r\n0\r\n\r\n") - 1;
		assert_int_equal(chunk_compare(text, len, n, 1).end, n + 1 <= CHUNK_LINE_MAX ? ENDS : WRONG);
		memcpy(text, "1;", 2);
		memset(text + 2, 'e', n);
		len = n + 2 + sprintf(text + n + 2, "\r\na\r\n0\r\n\r\n");
		assert_int_equal(chunk_compare(text, len, n, 1).end, n + 3 <= CHUNK_LINE_MAX ? ENDS : WRONG);
	}
}

/* The limit is that of one line, not of all. */
static void any_number_of_size_lines(void **state)
{
	static char text[60000];
	size_t i, len = 0;

	(void)state;
	for (i = 0; i < 200; i++) {
		memset(text + len, '0', 240);
		len += 240;
		len += sprintf(text + len, "1;b\r\nx\r\n");
	}
	len += sprintf(text + len, "0\r\n\r\n");
	assert_int_equal(chunk_compare(text, len, len / 2, 1).end, ENDS);
	assert_int_equal(chunk_compare(text, len, len / 3, 1).content, 200);
}

/* One long trailer, and many short ones. Their LFs are not counted, the CR of the empty line is. */
static void trailers_have_a_limit(void **state)
{
	static char text[2 * CHUNK_TRAILER_MAX + 100];
	size_t n, i, len;

	(void)state;
	for (n = CHUNK_TRAILER_MAX - 10; n < CHUNK_TRAILER_MAX + 10; n++) {
		len = sprintf(text, "0\r\na:");
		memset(text + len, 'b', n - 2);
		len += n - 2 + sprintf(text + len + n - 2, "\r\n\r\n");
		assert_int_equal(chunk_compare(text, len, n, 1).end, n + 2 <= CHUNK_TRAILER_MAX ? ENDS : WRONG);
	}
	for (n = CHUNK_TRAILER_MAX / 3 - 2; n < CHUNK_TRAILER_MAX / 3 + 3; n++) {
		len = sprintf(text, "0\r\n");
		for (i = 0; i < n; i++)
			len += sprintf(text + len, "a:\r\n");
		len += sprintf(text + len, "\r\n");
		assert_int_equal(chunk_compare(text, len, n, 1).end, 3 * n + 1 <= CHUNK_TRAILER_MAX ? ENDS : WRONG);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunked_bodies_of_every_kind), cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(size_lines_have_a_limit),	cmocka_unit_test(any_number_of_size_lines),
		cmocka_unit_test(trailers_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

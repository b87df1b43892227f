// SPDX-License-Identifier: MIT
/*
 * Unit tests of gateway/proxy_*.c. The vectors are written by hand from the specification; each is fed at every length, flush
 * against a page that cannot be read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "gateway/proxy_protocol.h"
#include "http1_check.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRS "\xc0\0\2\1\xcb\0\x71\2\xdc\x04\x01\xbb" /* 192.0.2.1:56324 to 203.0.113.2:443 */
#define V6_ADDRS                                                                       \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" \
	"\xdc\x04\x01\xbb"

static int decode(const void *data, size_t len, struct proxy_header *ret, size_t *ret_len)
{
	return proxy_decode((const uint8_t *)http1_guarded(data, len, true), len, ret, ret_len);
}

/* Every beginning asks for more; what follows the header changes nothing. Returns the header as read last. */
static struct proxy_header whole(const void *data, size_t len)
{
	static uint8_t longer[70000];
	struct proxy_header header;
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (decode(data, i, &header, &n) != -EAGAIN)
			fail_msg("%s: decided after %zu bytes", http1_shown(data, len), i);
	memcpy(longer, data, len);
	memset(longer + len, 'P', 64);
	for (i = 0; i <= 64; i += 16) {
		if (decode(longer, len + 64 - i, &header, &n) != 0 || n != len)
			fail_msg("%s: length %zu", http1_shown(data, len), n);
	}
	return header;
}

static void assert_known(const struct proxy_header *header, int version, const char *source, unsigned int source_port,
			 const char *destination, unsigned int destination_port)
{
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(header->version, version);
	assert_true(header->known);
	assert_string_equal(inet_ntop(AF_INET6, header->source.b, text, sizeof(text)), source);
	assert_string_equal(inet_ntop(AF_INET6, header->destination.b, text, sizeof(text)), destination);
	assert_int_equal(ntohs(header->source_port), source_port);
	assert_int_equal(ntohs(header->destination_port), destination_port);
}

static void assert_unknown(const void *data, size_t len, int version)
{
	struct proxy_header header = whole(data, len);

	assert_int_equal(header.version, version);
	assert_false(header.known);
	assert_int_equal(header.authority.len + header.unique_id.len, 0);
}

/* It is refused when it is whole at the latest, and once refused, whatever follows. */
static void assert_bad(const void *data, size_t len)
{
	struct proxy_header header;
	size_t i, n;
	int r = -EAGAIN;

	for (i = 0; i <= len; i++) {
		int now = decode(data, i, &header, &n);

		if (now == 0 || (r == -EBADMSG && now != r))
			fail_msg("%s: %d after %zu bytes", http1_shown(data, len), now, i);
		r = now;
	}
	if (r != -EBADMSG)
		fail_msg("%s: is not refused", http1_shown(data, len));
}

#define LITERAL(text) text, sizeof(text) - 1

static void test_v1_tells_the_addresses(void **state)
{
	struct proxy_header header;

	(void)state;
	header = whole(LITERAL("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"));
	assert_known(&header, 1, "::ffff:192.168.0.1", 56324, "::ffff:192.168.0.11", 443);
	header = whole(LITERAL("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"));
	assert_known(&header, 1, "::ffff:255.255.255.255", 65535, "::ffff:255.255.255.255", 65535);
	header = whole(LITERAL("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"));
	assert_known(&header, 1, "::ffff:0.0.0.0", 0, "::ffff:0.0.0.0", 0);
	header = whole(LITERAL("PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:2 1 65535\r\n"));
	assert_known(&header, 1, "2001:db8::1", 1, "2001:db8::2", 65535);
	header = whole(LITERAL("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
	assert_known(&header, 1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
		     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	header = whole(LITERAL("PROXY TCP6 ::ffff:192.0.2.1 ::1 2 3\r\n"));
	assert_known(&header, 1, "::ffff:192.0.2.1", 2, "::1", 3);
}

static void test_v1_unknown(void **state)
{
	(void)state;
	assert_unknown(LITERAL("PROXY UNKNOWN\r\n"), 1);
	assert_unknown(LITERAL("PROXY UNKNOWN whatever \0 this is\r\n"), 1);
	assert_unknown(LITERAL("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		       1);
}

#define TAIL " 192.0.2.2 1 2\r\n"

static const struct {
	const char *text;
	size_t len;
} bad_v1[] = {
	{ LITERAL("GET / HTTP/1.1\r\n") },
	{ LITERAL("PROXY\r\n") },
	{ LITERAL("PROXY \r\n") },
	{ LITERAL("proxy TCP4 192.0.2.1" TAIL) },
	{ LITERAL("PROXY  TCP4 192.0.2.1" TAIL) },
	{ LITERAL("PROXY tcp4 192.0.2.1" TAIL) },
	{ LITERAL("PROXY TCP5 192.0.2.1" TAIL) },
	{ LITERAL("PROXY UDP4 192.0.2.1" TAIL) },
	{ LITERAL("PROXY UNKNOWNS\r\n") },
	{ LITERAL("PROXY TCP4\t192.0.2.1" TAIL) },
	{ LITERAL("PROXY TCP4  192.0.2.1" TAIL) },
	{ LITERAL("PROXY TCP4 192.0.2.01" TAIL) },
	{ LITERAL("PROXY TCP4 192.0.2.256" TAIL) },
	{ LITERAL("PROXY TCP4 192.0.2" TAIL) },
	{ LITERAL("PROXY TCP4 192.0.2.1.1" TAIL) },
	{ LITERAL("PROXY TCP4 192.0.2.1\0" TAIL) },
	{ LITERAL("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n") },
	{ LITERAL("PROXY TCP6 192.0.2.1" TAIL) },
	{ LITERAL("PROXY TCP6 2001:db8::1::2 2001:db8::2 1 2\r\n") },
	{ LITERAL("PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n") },
	{ LITERAL("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 02\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 4294967297\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX\n") },
	{ LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n") },
	{ LITERAL("PROXY UNKNOWN \n\r\n") },
	{ LITERAL("PROXY UNKNOWN \r \r\n") },
	/* 108 bytes, without and with an end in sight */
	{ LITERAL(
		"PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n") },
};

static void test_v1_is_strict(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad_v1); i++)
		assert_bad(bad_v1[i].text, bad_v1[i].len);
}

static void test_v2_tells_the_addresses(void **state)
{
	struct proxy_header header;

	(void)state;
	header = whole(LITERAL(SIG "\x21\x11\0\x0c" V4_ADDRS));
	assert_known(&header, 2, "::ffff:192.0.2.1", 56324, "::ffff:203.0.113.2", 443);
	header = whole(LITERAL(SIG "\x21\x21\0\x24" V6_ADDRS));
	assert_known(&header, 2, "2001:db8::1", 56324, "2001:db8::2", 443);
	assert_int_equal(header.authority.len + header.unique_id.len, 0);
}

static void test_v2_tells_tlvs(void **state)
{
	/* NOOP, ALPN, AUTHORITY, an empty one, UNIQUE_ID, CRC32C */
	static const char data[] = SIG "\x21\x11\0\x30" V4_ADDRS "\4\0\2xx"
				       "\1\0\2h2"
				       "\2\0\7a.b.com"
				       "\xe0\0\0"
				       "\5\0\3\0\1\2"
				       "\3\0\4\1\2\3\4";
	struct proxy_header header;
	size_t n;

	(void)state;
	whole(LITERAL(data));
	assert_int_equal(decode(LITERAL(data), &header, &n), 0);
	assert_known(&header, 2, "::ffff:192.0.2.1", 56324, "::ffff:203.0.113.2", 443);
	assert_int_equal(header.authority.len, 7);
	assert_memory_equal(header.authority.data, "a.b.com", 7);
	assert_int_equal(header.unique_id.len, 3);
	assert_memory_equal(header.unique_id.data, "\0\1\2", 3);
}

static void test_v2_that_says_nothing_of_the_client(void **state)
{
	static char unix_addrs[16 + 216] = SIG "\x21\x31\0\xd8";

	(void)state;
	assert_unknown(LITERAL(SIG "\x20\0\0\0"), 2);
	assert_unknown(LITERAL(SIG "\x20\x11\0\x0c" V4_ADDRS), 2);
	assert_unknown(LITERAL(SIG "\x20\xff\0\x02xx"), 2);
	assert_unknown(LITERAL(SIG "\x21\0\0\0"), 2);
	assert_unknown(LITERAL(SIG "\x21\0\0\5abcde"), 2);
	assert_unknown(LITERAL(SIG "\x21\x12\0\x0c" V4_ADDRS), 2);
	assert_unknown(LITERAL(SIG "\x21\x22\0\x24" V6_ADDRS), 2);
	assert_unknown(unix_addrs, sizeof(unix_addrs), 2);
}

static const struct {
	const char *text;
	size_t len;
} bad_v2[] = {
	{ LITERAL("\r\n\r\n\0\r\nQUIT\r") },
	{ LITERAL("\r\n\r\n\1") },
	{ LITERAL(SIG "\x11\x11\0\x0c" V4_ADDRS) },
	{ LITERAL(SIG "\x31\x11\0\x0c" V4_ADDRS) },
	{ LITERAL(SIG "\x22\x11\0\x0c" V4_ADDRS) },
	{ LITERAL(SIG "\x21\x13\0\x0c" V4_ADDRS) },
	{ LITERAL(SIG "\x21\x41\0\x0c" V4_ADDRS) },
	{ LITERAL(SIG "\x21\x11\0\x0b" V4_ADDRS) },
	{ LITERAL(SIG "\x21\x11\0\0" V4_ADDRS) },
	{ LITERAL(SIG "\x21\x21\0\x23" V6_ADDRS) },
	{ LITERAL(SIG "\x21\x11\0\x0d" V4_ADDRS "\4") },
	{ LITERAL(SIG "\x21\x11\0\x0e" V4_ADDRS "\4\0") },
	{ LITERAL(SIG "\x21\x11\0\x10" V4_ADDRS "\4\0\2x") },
	{ LITERAL(SIG "\x21\x11\0\x13" V4_ADDRS "\4\0\1x\2\xff\xff") },
};

static void test_v2_is_strict(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad_v2); i++)
		assert_bad(bad_v2[i].text, bad_v2[i].len);
}

/* A header of `total` bytes: addresses, an authority, and a TLV that fills it up. */
static uint8_t *long_header(size_t total)
{
	static const char start[] = SIG "\x21\x11\0\0" V4_ADDRS "\2\0\1a\x04";
	uint8_t *data = calloc(1, total);
	size_t filler = total - (sizeof(start) - 1) - 2;

	assert_non_null(data);
	memcpy(data, start, sizeof(start) - 1);
	data[14] = (total - 16) >> 8;
	data[15] = total - 16;
	data[sizeof(start) - 1] = filler >> 8;
	data[sizeof(start)] = filler;
	return data;
}

static void test_v2_beyond_what_is_read_is_skipped(void **state)
{
	static const size_t totals[] = { 535, 536, 537, 1000, 65551 };
	struct proxy_header header;
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		_cleanup_free_ uint8_t *data = long_header(totals[i]);
		size_t readable = totals[i] < PROXY_READ_MAX ? totals[i] : PROXY_READ_MAX;

		assert_int_equal(decode(data, readable - 1, &header, &n), -EAGAIN);
		assert_int_equal(decode(data, readable, &header, &n), 0);
		assert_int_equal(n, totals[i]);
		assert_known(&header, 2, "::ffff:192.0.2.1", 56324, "::ffff:203.0.113.2", 443);
		assert_int_equal(header.authority.len, 1);
	}
}

static void assert_encoded(const struct proxy_header *header, const void *want, size_t len)
{
	uint8_t out[PROXY_READ_MAX];

	assert_int_equal(proxy_encode(header, out), len);
	assert_memory_equal(out, want, len);
}

static struct proxy_header header_of(int version, const char *source, const char *destination)
{
	struct proxy_header header = {
		.version = version, .known = true, .source_port = htons(56324), .destination_port = htons(443)
	};

	assert_int_equal(inet_pton(AF_INET6, source, header.source.b), 1);
	assert_int_equal(inet_pton(AF_INET6, destination, header.destination.b), 1);
	return header;
}

static void test_encoding(void **state)
{
	struct proxy_header header = header_of(1, "::ffff:192.0.2.1", "::ffff:203.0.113.2");

	(void)state;
	assert_encoded(&header, LITERAL("PROXY TCP4 192.0.2.1 203.0.113.2 56324 443\r\n"));
	header.version = 2;
	assert_encoded(&header, LITERAL(SIG "\x21\x11\0\x0c" V4_ADDRS));
	header.authority = (struct proxy_value){ (const uint8_t *)"a.b.com", 7 };
	header.unique_id = (struct proxy_value){ (const uint8_t *)"\0\1\2", 3 };
	assert_encoded(&header, LITERAL(SIG "\x21\x11\0\x1c" V4_ADDRS "\2\0\7a.b.com"
					    "\5\0\3\0\1\2"));
	header = header_of(1, "2001:db8::1", "2001:db8::2");
	assert_encoded(&header, LITERAL("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"));
	header.version = 2;
	assert_encoded(&header, LITERAL(SIG "\x21\x21\0\x24" V6_ADDRS));
	header = header_of(1, "::ffff:192.0.2.1", "2001:db8::2");
	assert_encoded(&header, LITERAL("PROXY TCP6 ::ffff:c000:201 2001:db8::2 56324 443\r\n"));
	header = (struct proxy_header){ .version = 1 };
	assert_encoded(&header, LITERAL("PROXY UNKNOWN\r\n"));
	header.version = 2;
	assert_encoded(&header, LITERAL(SIG "\x20\0\0\0"));
}

static void test_values_that_are_too_long_are_left_out(void **state)
{
	static const uint8_t bytes[256];
	struct proxy_header header = header_of(2, "2001:db8::1", "2001:db8::2"), again;
	uint8_t out[PROXY_READ_MAX];
	size_t n;

	(void)state;
	header.authority = (struct proxy_value){ bytes, PROXY_AUTHORITY_MAX };
	header.unique_id = (struct proxy_value){ bytes, PROXY_UNIQUE_ID_MAX };
	assert_int_equal(proxy_encode(&header, out), 16 + 36 + 3 + 255 + 3 + 128);
	assert_int_equal(proxy_decode(out, 16 + 36 + 3 + 255 + 3 + 128, &again, &n), 0);
	assert_int_equal(again.authority.len, 255);
	assert_int_equal(again.unique_id.len, 128);
	header.authority.len++;
	header.unique_id.len++;
	assert_encoded(&header, LITERAL(SIG "\x21\x21\0\x24" V6_ADDRS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1_tells_the_addresses),
		cmocka_unit_test(test_v1_unknown),
		cmocka_unit_test(test_v1_is_strict),
		cmocka_unit_test(test_v2_tells_the_addresses),
		cmocka_unit_test(test_v2_tells_tlvs),
		cmocka_unit_test(test_v2_that_says_nothing_of_the_client),
		cmocka_unit_test(test_v2_is_strict),
		cmocka_unit_test(test_v2_beyond_what_is_read_is_skipped),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_values_that_are_too_long_are_left_out),
	};

	return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}

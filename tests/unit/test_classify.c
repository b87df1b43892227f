// SPDX-License-Identifier: MIT
/*
 * The readers of first payloads, natively: what they find lies in the bytes that there are, whatever lengths are claimed and
 * wherever the bytes end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "classify.h"
#include "core/flows.h"
#include "core/util.h"

static struct classify_buf buf;

/* What stands behind the bytes must not matter. */
static struct classified tcp(const void *bytes, size_t len, uint8_t fill)
{
	struct classified found;

	memset(&buf, fill, sizeof(buf));
	memcpy(buf.b, bytes, len);
	classify_tcp(&buf, len, 0, &found);
	return found;
}

static const char *name_of(const struct classified *found)
{
	static char name[512];

	assert_true(found->name_len < sizeof(name));
	memcpy(name, buf.b + found->name_off, found->name_len);
	name[found->name_len] = '\0';
	return name;
}

struct hello {
	uint8_t b[1024];
	size_t len;
};

static size_t put(struct hello *hello, const void *bytes, size_t len)
{
	size_t at = hello->len;

	assert_true(at + len <= sizeof(hello->b));
	memcpy(hello->b + at, bytes, len);
	hello->len += len;
	return at;
}

static void put_len(struct hello *hello, size_t at)
{
	hello->b[at] = (hello->len - at - 2) >> 8;
	hello->b[at + 1] = hello->len - at - 2;
}

/* A ClientHello with a session and some suites; at[] are the places of its lengths of two bytes. */
static void build(struct hello *hello, const char *name, size_t at[6])
{
	size_t list;

	hello->len = 0;
	put(hello, "\x16\x03\x01", 3);
	at[0] = put(hello, "\0\0", 2);
	put(hello, "\x01\0", 2);
	at[1] = put(hello, "\0\0", 2);
	put(hello,
	    "\x03\x03"
	    "0123456789abcdef0123456789abcdef"
	    "\x20"
	    "0123456789abcdef0123456789abcdef",
	    67);
	at[2] = put(hello, "\x00\x06\x13\x01\x13\x02\x13\x03", 8);
	put(hello, "\x01\x00", 2);
	at[3] = put(hello, "\0\0", 2);
	put(hello, "\xff\x01\x00\x01\x00", 5);
	put(hello, "\x00\x00", 2);
	at[4] = put(hello, "\0\0", 2);
	list = put(hello, "\0\0\0", 3);
	at[5] = put(hello, "\0\0", 2);
	put(hello, name, strlen(name));
	put_len(hello, list);
	put_len(hello, at[5]);
	put_len(hello, at[4]);
	put(hello, "\x00\x2b\x00\x03\x02\x03\x04", 7);
	put_len(hello, at[3]);
	put_len(hello, at[1]);
	put_len(hello, at[0]);
}

static void a_hello_is_read(void **state)
{
	struct classified found;
	struct hello hello;
	size_t at[6];

	(void)state;
	build(&hello, "www.example.com", at);
	found = tcp(hello.b, hello.len, 0xff);
	assert_int_equal(found.protocol, PROTOCOL_TLS);
	assert_int_equal(found.version, TLS_1_3);
	assert_string_equal(name_of(&found), "www.example.com");
}

/* Cut anywhere, and read with any bytes behind the cut: the same, and nothing that is not there. */
static void a_hello_may_end_anywhere(void **state)
{
	struct classified a, b;
	struct hello hello;
	size_t at[6], n;

	(void)state;
	build(&hello, "www.example.com", at);
	for (n = 1; n <= hello.len; n++) {
		a = tcp(hello.b, n, 0);
		b = tcp(hello.b, n, 0xff);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_true(!a.name_len || a.name_off + a.name_len <= n);
		assert_int_equal(a.protocol, n < 6 ? PROTOCOL_OTHER : PROTOCOL_TLS);
		assert_int_equal(a.version, n < 11 ? TLS_UNKNOWN : n < hello.len ? TLS_1_2 : TLS_1_3);
	}
}

/* Each length, whatever it claims. */
static void a_hello_may_lie(void **state)
{
	static const uint16_t lies[] = { 0,   1,   2,	 3,    4,      5,      127,    128,
					 255, 256, 2047, 2048, 0x7fff, 0x8000, 0xfffe, 0xffff };
	struct classified found;
	struct hello hello;
	size_t at[6], i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		for (k = 0; k < ARRAY_SIZE(lies); k++) {
			build(&hello, "www.example.com", at);
			hello.b[at[i]] = lies[k] >> 8;
			hello.b[at[i] + 1] = lies[k];
			found = tcp(hello.b, hello.len, 0x5a);
			assert_int_equal(found.protocol, PROTOCOL_TLS);
			assert_true(found.version < TLS_VERSION_MAX);
			assert_true(!found.name_len || found.name_off + found.name_len <= hello.len);
		}
	}
}

static void a_host_may_end_anywhere(void **state)
{
	static const char head[] =
		"GET /a HTTP/1.1\r\nAccept: */*\r\nHost: www.example.com\r\nUpgrade: websocket\r\n\r\n";
	const char *host = strstr(head, "www"), *upgrade = strstr(head, "websocket") + 9;
	struct classified a, b;
	size_t n, want;

	(void)state;
	for (n = 1; n < sizeof(head); n++) {
		a = tcp(head, n, 0);
		b = tcp(head, n, 'w');
		if (a.name_len)
			assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.protocol, n < 4			    ? PROTOCOL_OTHER
					     : n < (size_t)(upgrade - head) ? PROTOCOL_HTTP1
									    : PROTOCOL_WEBSOCKET);
		assert_int_equal(a.protocol, b.protocol);
		want = n < (size_t)(host - head) ? 0 : n - (host - head);
		assert_int_equal(b.name_len, want < 15 ? want : 15);
	}
}

/* A field is found wherever it begins within the part that is searched, at every place in a word. */
static void a_host_may_begin_anywhere(void **state)
{
	char head[CLASSIFY_MAX];
	struct classified found;
	size_t at, n;

	(void)state;
	for (at = 1; at < HEAD_SEARCH + 64; at++) {
		n = snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\nHost: a.example\r\n\r\n", (int)at, 0);
		found = tcp(head, n, '\n');
		if (strstr(head, "Host") - head <= HEAD_SEARCH)
			assert_string_equal(name_of(&found), "a.example");
		else
			assert_int_equal(found.name_len, 0);
	}
}

static void names_are_shown_harmless(void **state)
{
	struct flow flow = { .name = "a\x1b[2J\\\xff\n b", .name_len = 10 };
	char text[FLOW_NAME_TEXT];

	(void)state;
	assert_string_equal(flow_name_text(&flow, text), "a\\x1b[2J\\x5c\\xff\\x0a\\x20b");
	flow.tries = 1;
	assert_string_equal(flow_name_text(&flow, text), "");
	flow.tries = 0;
	memset(flow.name, 0xff, sizeof(flow.name));
	flow.name_len = 255;
	assert_int_equal(strlen(flow_name_text(&flow, text)), 4 * MPBPF_FLOW_NAME);
	assert_string_equal(protocol_name(PROTOCOL_POSTGRESQL), "postgresql");
	assert_string_equal(protocol_name(99), "other");
	for (unsigned int i = 0; i < PROTOCOL_MAX; i++)
		assert_non_null(protocol_name(i));
	assert_string_equal(tls_version_name(TLS_1_1), "1.1");
	assert_null(tls_version_name(TLS_UNKNOWN));
}

/* In whatever order they come. */
static void the_largest_flows_are_kept(void **state)
{
	struct flows flows;
	size_t i;

	(void)state;
	assert_int_equal(flows_new(10, &flows), 0);
	for (i = 0; i < 1000; i++)
		flows_offer(&flows, &(struct flow){ .bytes = i * 7919 % 1000 });
	flows_sort(&flows);
	assert_int_equal(flows.seen, 1000);
	assert_int_equal(flows.n, 10);
	for (i = 0; i < 10; i++)
		assert_int_equal(flows.list[i].bytes, 999 - i);
	flows_free(&flows);
	assert_int_equal(flows_new(10, &flows), 0);
	flows_offer(&flows, &(struct flow){ .bytes = 1 });
	flows_offer(&flows, &(struct flow){ .bytes = 2 });
	flows_sort(&flows);
	assert_true(flows.n == 2 && flows.list[0].bytes == 2 && flows.list[1].bytes == 1);
	flows_free(&flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_read),
		cmocka_unit_test(a_hello_may_end_anywhere),
		cmocka_unit_test(a_hello_may_lie),
		cmocka_unit_test(a_host_may_end_anywhere),
		cmocka_unit_test(a_host_may_begin_anywhere),
		cmocka_unit_test(names_are_shown_harmless),
		cmocka_unit_test(the_largest_flows_are_kept),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}

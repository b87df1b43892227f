// SPDX-License-Identifier: MIT
/*
 * Test tool: reads inputs from standard input, each behind its length (4 bytes, little endian), takes each for a stream of
 * HTTP/1.1 requests, and prints what it read as one line of JSON an input:
 *
 *   {"messages": [{"method": "GET", "target": "/", "head": 18, "length": 0, "chunked": false, "odd": false, "end": 18}],
 *    "rest": "more"}
 *
 * All offsets are from the start of the input; "end" is where the body ends, null when it does not end in this input. "odd":
 * the target is not a canonical path, and for the helper to judge. "rest": what comes behind the last message, "end", "more" or
 * "bad". Target and method are ASCII, or they would have been refused.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1_body.h"

#define INPUT_MAX (1 << 20)

/* Returns where the body ends, 0 when it goes on, -1 when it is malformed. */
static long body_end(const struct http1 *h, const __u8 *data, size_t off, size_t size)
{
	struct http1_body body;
	size_t n;

	http1_body_of(h, &body);
	while (body.kind != BODY_NONE) {
		if (off == size)
			return 0;
		if (http1_body_plain(&body)) {
			n = body.left < size - off ? body.left : size - off;
			http1_body_skip(&body, n);
			off += n;
		} else if (http1_chunk_byte(&body, data[off++]) < 0) {
			return -1;
		}
	}
	return off;
}

static void print_text(const char *name, const __u8 *p, size_t len)
{
	printf("\"%s\": \"", name);
	for (; len; len--, p++) {
		if (*p == '"' || *p == '\\')
			putchar('\\');
		putchar(*p);
	}
	printf("\", ");
}

/* One message at `at`. Returns where the next one begins, or -1 with *rest set. */
static long message(const __u8 *data, size_t at, size_t size, const char **rest)
{
	static struct http1_buf buf;
	size_t n = size - at < HTTP1_BUF_MAX ? size - at : HTTP1_BUF_MAX;
	struct http1 h;
	long end;

	memcpy(buf.b, data + at, n);
	http1_start(&h, false);
	if (http1_scan(&buf, &h, n) != HTTP1_DONE) {
		*rest = h.result == HTTP1_BAD ? "bad" : "more";
		return -1;
	}
	end = body_end(&h, data, at + h.head_len, size);
	printf("%s{", at ? ", " : "");
	print_text("method", buf.b, h.target_off - 1);
	print_text("target", buf.b + h.target_off, h.target_len);
	printf("\"head\": %zu, \"length\": %llu, \"chunked\": %s, \"odd\": %s, \"end\": ", at + h.head_len,
	       (unsigned long long)h.content_length, h.flags & HTTP1_CHUNKED ? "true" : "false",
	       h.flags & HTTP1_ODD ? "true" : "false");
	if (end > 0)
		printf("%ld}", end);
	else
		printf("null}");
	*rest = end < 0 ? "bad" : "more";
	return end > 0 ? end : -1;
}

static void input(const __u8 *data, size_t size)
{
	const char *rest = "end";
	long at = 0;

	printf("{\"messages\": [");
	while (at >= 0 && (size_t)at < size)
		at = message(data, at, size, &rest);
	printf("], \"rest\": \"%s\"}\n", at >= 0 ? "end" : rest);
}

int main(void)
{
	static __u8 data[INPUT_MAX];
	__u8 len[4];
	size_t n;

	while (fread(len, sizeof(len), 1, stdin) == 1) {
		n = len[0] | len[1] << 8 | len[2] << 16 | (size_t)len[3] << 24;
		if (n > sizeof(data) || fread(data, 1, n, stdin) != n) {
			fputs("http1_cli: bad input\n", stderr);
			return 1;
		}
		input(data, n);
	}
	return 0;
}

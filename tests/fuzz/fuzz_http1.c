// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the head and body readers that the kernel and the helper share. Beyond memory safety it holds them to what
 * the data path relies on: a verdict depends on the bytes given and on nothing else, not on how far they have come in.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http1_body.h"
#include "http1_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* Reads the first `size` bytes, and, when cut is less than that, in two goes. What stands behind them is `fill`. */
static struct http1 scan(const uint8_t *data, size_t cut, size_t size, int fill, bool response)
{
	static struct http1_buf buf;
	struct http1 h;

	memset(buf.slack, fill, sizeof(buf.slack));
	http1_start(&h, response);
	if (cut < size) {
		memcpy(buf.b, data, cut);
		memset(buf.b + cut, fill, cut + 64 < sizeof(buf.b) ? 64 : sizeof(buf.b) - cut);
		must(http1_scan(&buf, &h, cut) == h.result);
	}
	memcpy(buf.b, data, size);
	memset(buf.b + size, fill, size + 64 < sizeof(buf.b) ? 64 : sizeof(buf.b) - size);
	must(http1_resume(&buf, &h, cut < size ? cut : 0, size) == h.result);
	return h;
}

static void check_done(const struct http1 *h, const uint8_t *data, size_t size)
{
	uint32_t i;

	must(h->head_len <= size && h->head_len >= 4);
	must(!memcmp(data + h->head_len - 4, "\r\n\r\n", 4));
	must(!((h->flags & HTTP1_CHUNKED) && (h->flags & HTTP1_LENGTH)));
	if (h->response)
		return;
	must(h->target_len && h->target_off + h->target_len < h->head_len && h->path_len <= h->target_len);
	must(data[h->target_off - 1] == ' ' && data[h->target_off + h->target_len] == ' ');
	must((h->flags & HTTP1_ODD) || data[h->target_off] == '/');
	if (h->flags & HTTP1_BEARER) {
		must(h->token_len && h->token_off + h->token_len < h->head_len);
		must(!!(h->flags & HTTP1_TOKEN_LONG) == (h->token_len > MPBPF_TOKEN_MAX));
		for (i = 0; i < h->token_len; i++)
			must(http1_class[data[h->token_off + i]] & HTTP1_WORD_CHAR);
	}
}

/* Where the host begins, and what it comes to: nothing behind the head has a say in it. */
static void check_host(const struct http1 *h, const uint8_t *data)
{
	struct host_key key = {}, other = {};
	uint8_t *head = malloc(h->head_len);
	size_t n;
	int r;

	must(head && data[h->host_off - 1] == ':' && h->host_off < h->head_len);
	memcpy(head, data, h->head_len);
	r = http1_host((const struct http1_buf *)head, h, &key);
	must(r == 0 || r == -1);
	must(http1_host((const struct http1_buf *)data, h, &other) == r);
	if (!r) {
		n = (key.prefixlen - 32) / 8;
		must(n >= 2 && n <= MPBPF_HOST_KEY && !key.host[n - 1] && !memchr(key.host, 0, n - 1));
		must(!memcmp(key.host, other.host, n));
	}
	free(head);
}

/* Two readings that must come to the same. `mark` and `segment` are of use only on the way. */
static bool same(struct http1 a, struct http1 b)
{
	if (a.result != b.result || a.result != HTTP1_DONE)
		return a.result == b.result;
	a.mark = b.mark = a.segment = b.segment = 0;
	return !memcmp(&a, &b, sizeof(a));
}

/* A shorter input must not be decided otherwise: DONE only with the whole head there, BAD for good. */
static void check_prefixes(const struct http1 *h, const uint8_t *data, size_t size)
{
	size_t step = size / 16 + 1, at;

	for (at = 0; at < size; at += step) {
		struct http1 p = scan(data, at, at, 0x55, h->response);

		must(same(*h, scan(data, at, size, 0x55, h->response)));
		if (h->result == HTTP1_DONE)
			must(p.result == (at >= h->head_len ? HTTP1_DONE : HTTP1_MORE));
		else if (p.result != HTTP1_MORE)
			must(p.result == h->result);
	}
	if (h->result == HTTP1_DONE) {
		must(scan(data, size, h->head_len, 0x55, h->response).head_len == h->head_len);
		must(scan(data, size, h->head_len - 1, '\n', h->response).result == HTTP1_MORE);
	}
}

/* How the bytes behind the head are taken as its body: always forward, never past the end. */
static void check_body(const struct http1 *h, const uint8_t *data, size_t size)
{
	struct http1_body body;
	size_t off = h->head_len;
	uint64_t n;
	int r = 0;

	http1_body_of(h, &body);
	while (off < size && body.kind != BODY_NONE && !r) {
		if (http1_body_plain(&body)) {
			must(body.left);
			n = body.left < size - off ? body.left : size - off;
			http1_body_skip(&body, n);
			off += n;
			continue;
		}
		r = http1_chunk_byte(&body, data[off++]);
		must(r >= -1 && r <= 1);
		must((r == 1) == (body.kind == BODY_NONE));
	}
	must(off <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int response;

	if (size > HTTP1_BUF_MAX)
		return 0;
	for (response = 0; response < 2; response++) {
		struct http1 a = scan(data, size, size, 0, response), b = scan(data, size, size, 'a', response);

		must(same(a, b));
		if (a.result == HTTP1_DONE) {
			check_done(&a, data, size);
			if (a.flags & HTTP1_HOST && !response)
				check_host(&a, data);
			check_body(&a, data, size);
		}
		check_prefixes(&a, data, size);
	}
	return 0;
}

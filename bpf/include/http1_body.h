/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: where an HTTP/1 body ends (RFC 9112, sections 6 and 7.1); the same code in the kernel and in the helper. */
#ifndef MPBPF_BPF_HTTP1_BODY_H
#define MPBPF_BPF_HTTP1_BODY_H

#include "http1.h"

enum chunk_step {
	CHUNK_SIZE, /* the first digit of a chunk's size */
	CHUNK_SIZE_MORE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA, /* http1_body.left bytes of data */
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* the start of a trailer line; http1_body.left counts trailer bytes */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
};

#define CHUNK_LINE_MAX 250     /* bytes of a size line, extensions included */
#define CHUNK_TRAILER_MAX 8192 /* bytes of the trailer section */

/* The body that follows a request's head. */
static __always_inline void http1_body_of(const struct http1 *h, struct http1_body *body)
{
	__builtin_memset(body, 0, sizeof(*body));
	if (h->flags & HTTP1_CHUNKED) {
		body->kind = BODY_CHUNKED;
	} else if (h->content_length) {
		body->kind = BODY_LENGTH;
		body->left = h->content_length;
	}
}

/* Whether the next `left` bytes are content, without framing between them. */
static __always_inline bool http1_body_plain(const struct http1_body *body)
{
	return body->kind == BODY_LENGTH || (body->kind == BODY_CHUNKED && body->step == CHUNK_DATA);
}

/* n <= left bytes of content went by. */
static __always_inline void http1_body_skip(struct http1_body *body, __u64 n)
{
	body->left -= n;
	if (body->left)
		return;
	if (body->kind == BODY_CHUNKED)
		body->step = CHUNK_DATA_CR;
	else
		body->kind = BODY_NONE;
}

static __always_inline int chunk_digit(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static __always_inline int chunk_go(struct http1_body *body, __u8 step)
{
	body->step = step;
	return 0;
}

static __always_inline int chunk_size(struct http1_body *body, __u8 c)
{
	int digit = chunk_digit(c);

	if (++body->line > CHUNK_LINE_MAX)
		return -1;
	if (digit >= 0) {
		if (body->left >> 52)
			return -1;
		body->left = body->left << 4 | (__u32)digit;
		return chunk_go(body, CHUNK_SIZE_MORE);
	}
	if (body->step == CHUNK_SIZE)
		return -1;
	if (c == ';')
		return chunk_go(body, CHUNK_EXTENSION);
	return c == '\r' ? chunk_go(body, CHUNK_SIZE_LF) : -1;
}

static __always_inline int chunk_trailer(struct http1_body *body, __u8 c)
{
	__u8 class = http1_class[c];

	if (++body->left > CHUNK_TRAILER_MAX)
		return -1;
	if (body->step == CHUNK_TRAILER && c == '\r')
		return chunk_go(body, CHUNK_END_LF);
	if (body->step == CHUNK_TRAILER)
		return class & HTTP1_TCHAR ? chunk_go(body, CHUNK_TRAILER_NAME) : -1;
	if (body->step == CHUNK_TRAILER_NAME)
		return c == ':' ? chunk_go(body, CHUNK_TRAILER_VALUE) : class & HTTP1_TCHAR ? 0 : -1;
	if (c == '\r')
		return chunk_go(body, CHUNK_TRAILER_LF);
	return class & HTTP1_TEXT ? 0 : -1;
}

/* One framing byte of a chunked body. Returns 0: go on; 1: that was the last byte of the body; -1: malformed. */
static __always_inline int http1_chunk_byte(struct http1_body *body, __u8 c)
{
	switch (body->step) {
	case CHUNK_SIZE:
	case CHUNK_SIZE_MORE: return chunk_size(body, c);
	case CHUNK_EXTENSION:
		if (++body->line > CHUNK_LINE_MAX)
			return -1;
		if (c == '\r')
			return chunk_go(body, CHUNK_SIZE_LF);
		return http1_class[c] & HTTP1_TEXT ? 0 : -1;
	case CHUNK_SIZE_LF:
		body->line = 0;
		return c == '\n' ? chunk_go(body, body->left ? CHUNK_DATA : CHUNK_TRAILER) : -1;
	case CHUNK_DATA_CR: return c == '\r' ? chunk_go(body, CHUNK_DATA_LF) : -1;
	case CHUNK_DATA_LF: return c == '\n' ? chunk_go(body, CHUNK_SIZE) : -1;
	case CHUNK_TRAILER_LF: return c == '\n' ? chunk_go(body, CHUNK_TRAILER) : -1;
	case CHUNK_END_LF:
		if (c != '\n')
			return -1;
		__builtin_memset(body, 0, sizeof(*body));
		return 1;
	default: return chunk_trailer(body, c);
	}
}

#endif

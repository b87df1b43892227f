/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: where the lines of an HTTP/1 head begin and end, and what a field's name decides (RFC 9112, section 5). */
#ifndef MPBPF_BPF_HTTP1_LINES_H
#define MPBPF_BPF_HTTP1_LINES_H

#include "http1_types.h"

/* A field line begins with the tchar c. Of a response only the framing matters: fields of other initials are passed over. */
static __always_inline int http1_name(struct http1 *h, __u32 pos, __u8 c)
{
	c |= 0x20;
	if (h->response && c != 'c' && c != 't')
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	h->mark = pos;
	return http1_go(h, HTTP1_S_NAME, HTTP1_TCHAR);
}

/* Head complete: what must hold of it as a whole (RFC 9112, sections 3.2 and 6.1). */
static __always_inline int http1_finish(struct http1 *h, __u32 pos)
{
	h->head_len = pos + 1;
	if ((h->flags & HTTP1_LENGTH) && (h->flags & HTTP1_CHUNKED))
		return http1_stop(h, HTTP1_BAD);
	if (!h->response && !h->minor && (h->flags & HTTP1_CHUNKED))
		return http1_stop(h, HTTP1_BAD);
	if (!h->response && h->minor && !(h->flags & HTTP1_HOST))
		return http1_stop(h, HTTP1_BAD);
	return http1_stop(h, HTTP1_DONE);
}

/*
 * The CR that ends a line. Mostly what follows it is there and is taken at once, LF and the first of the next name, or the
 * whole empty line; else it goes byte by byte, by way of the states LF, LINE and END.
 */
static __always_inline int http1_line_end(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	__u8 next;

	if (pos + 2 >= len || buf->b[HTTP1_AT(pos + 1)] != '\n')
		return http1_go(h, HTTP1_S_LF, 0);
	next = buf->b[HTTP1_AT(pos + 2)];
	if (http1_class[next] & HTTP1_TCHAR) {
		http1_name(h, pos + 2, next);
		return 3;
	}
	if (next == '\r' && pos + 3 < len && buf->b[HTTP1_AT(pos + 3)] == '\n')
		return http1_finish(h, pos + 3);
	return http1_go(h, HTTP1_S_LF, 0);
}

static __always_inline bool http1_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/* A field that may stand only once: 0, or BAD the second time. */
static __always_inline int http1_once(struct http1 *h, __u16 flag, __u8 state, __u8 keep)
{
	if (h->flags & flag)
		return http1_stop(h, HTTP1_BAD);
	h->flags |= flag;
	return http1_go(h, state, keep);
}

/* Host's ':'. Where its value begins is all that is kept of it: see http1_host.h. */
static __always_inline int http1_host_field(struct http1 *h, __u32 pos)
{
	h->host_off = pos + 1;
	return http1_once(h, HTTP1_HOST, HTTP1_S_VALUE, HTTP1_TEXT);
}

/* Authorization's ':'. Mostly " Bearer " and a word's first character follow and are taken at once. */
static __always_inline int http1_bearer(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 end)
{
	if (!http1_once(h, HTTP1_AUTH, HTTP1_S_SCHEME_START, 0))
		return 0;
	/* The spaces are looked at by themselves: folded, a NUL would be one. */
	if (pos + 9 >= end || buf->b[HTTP1_AT(pos + 1)] != ' ' || buf->b[HTTP1_AT(pos + 8)] != ' ' ||
	    (http1_word(buf, pos + 1) | HTTP1_LOWER) != HTTP1_WORD(' ', 'b', 'e', 'a', 'r', 'e', 'r', ' ') ||
	    !(http1_class[buf->b[HTTP1_AT(pos + 9)]] & HTTP1_WORD_CHAR))
		return 1;
	h->mark = pos + 2;
	h->token_off = pos + 9;
	http1_go(h, HTTP1_S_TOKEN, HTTP1_WORD_CHAR);
	return 10;
}

/* The name in [mark, pos) decides how its value is read. end: of the input. */
static __always_inline int http1_field(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 end)
{
	__u32 len = pos - h->mark;
	__u64 w, v;

	if (len != 4 && len != 7 && len != 13 && len != 14 && len != 17)
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	/* Before a field stands a start line of 14 bytes at least: no word reaches before the head, none behind the ':'. */
	w = http1_word(buf, len > 7 ? h->mark : pos - 7) | HTTP1_LOWER;
	v = http1_word(buf, pos - 8) | HTTP1_LOWER;
	if (len == 4 && w >> 24 == HTTP1_WORD('h', 'o', 's', 't', ':', 0, 0, 0))
		return http1_host_field(h, pos);
	if (len == 7 && w == HTTP1_WORD('u', 'p', 'g', 'r', 'a', 'd', 'e', ':'))
		return http1_once(h, HTTP1_UPGRADE, HTTP1_S_UPGRADE_START, 0);
	if (len == 13 && w == HTTP1_WORD('a', 'u', 't', 'h', 'o', 'r', 'i', 'z') &&
	    v == HTTP1_WORD('r', 'i', 'z', 'a', 't', 'i', 'o', 'n'))
		return http1_bearer(buf, h, pos, end);
	if (len == 14 && w == HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') &&
	    v == HTTP1_WORD('t', '-', 'l', 'e', 'n', 'g', 't', 'h'))
		return http1_once(h, HTTP1_LENGTH, HTTP1_S_LENGTH_START, 0);
	if (len == 17 && w == HTTP1_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') &&
	    v == HTTP1_WORD('e', 'n', 'c', 'o', 'd', 'i', 'n', 'g') &&
	    (http1_word(buf, h->mark + 4) | HTTP1_LOWER) == HTTP1_WORD('s', 'f', 'e', 'r', '-', 'e', 'n', 'c'))
		return http1_once(h, HTTP1_CHUNKED, HTTP1_S_CODING_START, 0);
	return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
}

/* Whether the first n bytes of a word are `text`, in which letters are small; all else must be equal as it stands. */
static __always_inline bool http1_same(__u64 word, __u64 text, __u32 n)
{
	return !(((word | (text >> 1 & HTTP1_LOWER)) ^ text) << (64 - 8 * n));
}

/*
 * A name has just begun, at `mark`. The most frequent ones are told by whole words, and do what http1_field() does of them; the
 * others go on byte by byte. Returns how many bytes are taken from pos on, or 0 when h->result is final.
 */
static __always_inline int http1_known(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 end)
{
	__u32 at = h->mark;
	__u64 w, v;
	int n;

	if (at + 16 > end)
		return at + 1 - pos;
	w = http1_word(buf, at);
	v = http1_word(buf, at + 8);
	if (http1_same(w, HTTP1_WORD('h', 'o', 's', 't', ':', 0, 0, 0), 5))
		return http1_host_field(h, at + 4) ? at + 5 - pos : 0;
	if (http1_same(w, HTTP1_WORD('a', 'u', 't', 'h', 'o', 'r', 'i', 'z'), 8) &&
	    http1_same(v, HTTP1_WORD('a', 't', 'i', 'o', 'n', ':', 0, 0), 6)) {
		n = http1_bearer(buf, h, at + 13, end);
		return n ? at + 13 + n - pos : 0;
	}
	if (http1_same(w, HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-'), 8)) {
		if (http1_same(v, HTTP1_WORD('l', 'e', 'n', 'g', 't', 'h', ':', 0), 7))
			return http1_once(h, HTTP1_LENGTH, HTTP1_S_LENGTH_START, 0) ? at + 15 - pos : 0;
		if (http1_same(v, HTTP1_WORD('t', 'y', 'p', 'e', ':', 0, 0, 0), 5))
			return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT) + at + 12 - pos;
	}
	if (http1_same(w, HTTP1_WORD('c', 'o', 'n', 'n', 'e', 'c', 't', 'i'), 8) &&
	    http1_same(v, HTTP1_WORD('o', 'n', ':', 0, 0, 0, 0, 0), 3))
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT) + at + 10 - pos;
	return at + 1 - pos;
}

#endif

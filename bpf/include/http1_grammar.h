/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: the grammar of HTTP/1 heads (RFC 9112), one byte that matters at a time. */
#ifndef MPBPF_BPF_HTTP1_GRAMMAR_H
#define MPBPF_BPF_HTTP1_GRAMMAR_H

#include "http1_lines.h"

static __always_inline int http1_method_end(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	__u64 w;

	if (c != ' ' || !pos)
		return http1_stop(h, HTTP1_BAD);
	w = pos >= 7 ? http1_word(buf, 0) : 0;
	if (pos == 7 && w == HTTP1_WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' '))
		h->method = HTTP1_METHOD_CONNECT;
	else if (pos == 7 && w == HTTP1_WORD('O', 'P', 'T', 'I', 'O', 'N', 'S', ' '))
		h->method = HTTP1_METHOD_OPTIONS;
	else if (pos == 4 && buf->b[0] == 'H' && buf->b[1] == 'E' && buf->b[2] == 'A' && buf->b[3] == 'D')
		h->method = HTTP1_METHOD_HEAD;
	h->target_off = pos + 1;
	if (pos + 1 >= len || buf->b[HTTP1_AT(pos + 1)] != '/')
		return http1_go(h, HTTP1_S_TARGET, 0);
	h->segment = pos + 2;
	http1_go(h, HTTP1_S_PATH, HTTP1_PATH);
	return 2;
}

/* A path segment ends at pos: "." and ".." are for the helper, and so is an empty one that is not the last. */
static __always_inline void http1_segment(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c)
{
	__u32 len = pos - h->segment;

	if (!len ? c == '/' : len <= 2 && buf->b[HTTP1_AT(pos - 1)] == '.' && buf->b[HTTP1_AT(h->segment)] == '.')
		h->flags |= HTTP1_ODD;
	h->segment = pos + 1;
}

/* The space behind the target. Mostly the rest of the line is there and is taken at once. */
static __always_inline int http1_target_end(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	int n;

	h->target_len = pos - h->target_off;
	h->mark = pos + 1;
	http1_go(h, HTTP1_S_VERSION, HTTP1_TARGET);
	if (pos + 9 >= len || http1_word(buf, pos + 1) != HTTP1_WORD('H', 'T', 'T', 'P', '/', '1', '.', '1') ||
	    buf->b[HTTP1_AT(pos + 9)] != '\r')
		return 1;
	h->minor = 1;
	n = http1_line_end(buf, h, pos + 9, len);
	return n ? n + 9 : 0;
}

static __always_inline int http1_path(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (c == '/' || c == '?' || c == ' ') {
		http1_segment(buf, h, pos, c);
		if (c == '/')
			return 1;
		h->path_len = pos - h->target_off;
		return c == ' ' ? http1_target_end(buf, h, pos, len) : http1_go(h, HTTP1_S_QUERY, HTTP1_TARGET);
	}
	if (!(http1_class[c] & HTTP1_TARGET))
		return http1_stop(h, HTTP1_BAD);
	h->flags |= HTTP1_ODD;
	return 1;
}

/* "HTTP/1.0" or "HTTP/1.1" in [mark, pos). */
static __always_inline bool http1_version(const struct http1_buf *buf, struct http1 *h, __u32 pos)
{
	__u64 w;

	if (pos - h->mark != 8)
		return false;
	w = http1_word(buf, h->mark);
	h->minor = w == HTTP1_WORD('H', 'T', 'T', 'P', '/', '1', '.', '1');
	return h->minor || w == HTTP1_WORD('H', 'T', 'T', 'P', '/', '1', '.', '0');
}

static __always_inline bool http1_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

/* The space before the status code. Mostly the code and the space behind it are there and are taken at once. */
static __always_inline int http1_status_start(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	__u8 a, b, c;

	h->mark = pos + 1;
	http1_go(h, HTTP1_S_STATUS, 0);
	if (pos + 4 >= len)
		return 1;
	a = buf->b[HTTP1_AT(pos + 1)];
	b = buf->b[HTTP1_AT(pos + 2)];
	c = buf->b[HTTP1_AT(pos + 3)];
	if (a == '0' || !http1_digit(a) || !http1_digit(b) || !http1_digit(c) || buf->b[HTTP1_AT(pos + 4)] != ' ')
		return 1;
	h->status = (a - '0') * 100 + (b - '0') * 10 + (c - '0');
	http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	return 5;
}

static __always_inline int http1_status(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	__u32 n = pos - h->mark;

	if (n < 3 && http1_digit(c)) {
		h->status = h->status * 10 + (c - '0');
		return 1;
	}
	if (n != 3 || h->status < 100 || (c != ' ' && c != '\r'))
		return http1_stop(h, HTTP1_BAD);
	return c == ' ' ? http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT) : http1_line_end(buf, h, pos, len);
}

static __always_inline void http1_token_end(struct http1 *h, __u32 pos)
{
	h->token_len = pos - h->token_off;
	if (h->token_len > MPBPF_TOKEN_MAX)
		h->flags |= HTTP1_TOKEN_LONG;
}

/*
 * Authorization (RFC 9110, section 11.6.2; RFC 6750, section 2.1). What is not `Bearer` and one word is passed over as text
 * and leaves HTTP1_BEARER unset: no token, 401.
 */
static __always_inline int http1_auth(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c)
{
	switch (h->state) {
	case HTTP1_S_SCHEME_START:
		if (http1_blank(c))
			return 1;
		h->mark = pos;
		return http1_go(h, HTTP1_S_SCHEME, HTTP1_TCHAR);
	case HTTP1_S_SCHEME:
		if (c == ' ' && pos - h->mark == 6 &&
		    ((http1_word(buf, pos - 7) | HTTP1_LOWER) >> 8) == HTTP1_WORD('b', 'e', 'a', 'r', 'e', 'r', ' ', 0))
			return http1_go(h, HTTP1_S_TOKEN_START, 0);
		break;
	case HTTP1_S_TOKEN_START:
		if (c == ' ')
			return 1;
		if (!(http1_class[c] & HTTP1_WORD_CHAR))
			break;
		h->token_off = pos;
		return http1_go(h, HTTP1_S_TOKEN, HTTP1_WORD_CHAR);
	case HTTP1_S_TOKEN:
		if (!http1_blank(c))
			break;
		http1_token_end(h, pos);
		return http1_go(h, HTTP1_S_TOKEN_TAIL, 0);
	default:
		if (http1_blank(c))
			return 1;
		break;
	}
	return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
}

/* The end of an Authorization line in one of the states of http1_auth(). */
static __always_inline void http1_auth_end(struct http1 *h, __u32 pos)
{
	if (h->state == HTTP1_S_TOKEN)
		http1_token_end(h, pos);
	if (h->state == HTTP1_S_TOKEN || h->state == HTTP1_S_TOKEN_TAIL)
		h->flags |= HTTP1_BEARER;
}

#define HTTP1_DIGITS 18 /* of a Content-Length: below 10^18 */

/* The digits from pos on, as many as are there. */
static __always_inline int http1_digits(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	__u64 value = h->content_length;
	__u32 n;
	__u8 c;

	for (n = 0; n < HTTP1_DIGITS && pos + n < len; n++) {
		c = buf->b[HTTP1_AT(pos + n)];
		if (!http1_digit(c))
			break;
		if (value > 99999999999999999ULL) {
			h->content_length = value;
			return http1_stop(h, HTTP1_BAD);
		}
		value = value * 10 + (c - '0');
	}
	h->content_length = value;
	http1_go(h, HTTP1_S_LENGTH, 0);
	return n;
}

/* Content-Length: 1*DIGIT, one value (RFC 9112, section 6.3). */
static __always_inline int http1_length(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (http1_digit(c))
		return http1_digits(buf, h, pos, len);
	if (http1_blank(c))
		return http1_go(h, h->state == HTTP1_S_LENGTH ? HTTP1_S_OWS : h->state, 0);
	if (c != '\r' || h->state != HTTP1_S_LENGTH)
		return http1_stop(h, HTTP1_BAD);
	return http1_line_end(buf, h, pos, len);
}

/* Transfer-Encoding: exactly `chunked`. */
static __always_inline int http1_coding(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (h->state == HTTP1_S_CODING_START) {
		if (http1_blank(c))
			return 1;
		h->mark = pos;
		return http1_class[c] & HTTP1_TCHAR ? http1_go(h, HTTP1_S_CODING, HTTP1_TCHAR)
						    : http1_stop(h, HTTP1_BAD);
	}
	if (pos - h->mark != 7 || (!http1_blank(c) && c != '\r') ||
	    ((http1_word(buf, pos - 8) | HTTP1_LOWER) >> 8) != HTTP1_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
		return http1_stop(h, HTTP1_BAD);
	return c == '\r' ? http1_line_end(buf, h, pos, len) : http1_go(h, HTTP1_S_OWS, 0);
}

static __always_inline bool http1_websocket(const struct http1_buf *buf, const struct http1 *h, __u32 pos)
{
	return pos - h->mark == 9 &&
	       (http1_word(buf, h->mark) | HTTP1_LOWER) == HTTP1_WORD('w', 'e', 'b', 's', 'o', 'c', 'k', 'e') &&
	       (buf->b[HTTP1_AT(pos - 1)] | 0x20) == 't';
}

/* Upgrade: one protocol, websocket, is told from all others and from lists. */
static __always_inline int http1_upgrade(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (h->state == HTTP1_S_UPGRADE && http1_websocket(buf, h, pos))
		h->flags |= HTTP1_WEBSOCKET;
	if (c == '\r')
		return http1_line_end(buf, h, pos, len);
	if (http1_blank(c))
		return http1_go(h, h->state == HTTP1_S_UPGRADE ? HTTP1_S_UPGRADE_TAIL : h->state, 0);
	if (h->state == HTTP1_S_UPGRADE_START && (http1_class[c] & HTTP1_TCHAR)) {
		h->mark = pos;
		return http1_go(h, HTTP1_S_UPGRADE, HTTP1_TCHAR);
	}
	h->flags &= ~HTTP1_WEBSOCKET;
	return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
}

/* Bytes inside a field value that `keep` did not pass over. */
static __always_inline int http1_value(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	__u8 state = h->state;

	if (c == '\r' && state == HTTP1_S_VALUE)
		return http1_line_end(buf, h, pos, len);
	if (c != '\r' && !(http1_class[c] & HTTP1_TEXT))
		return http1_stop(h, HTTP1_BAD);
	if (state == HTTP1_S_LENGTH_START || state == HTTP1_S_LENGTH)
		return http1_length(buf, h, pos, c, len);
	if (state == HTTP1_S_CODING_START || state == HTTP1_S_CODING)
		return http1_coding(buf, h, pos, c, len);
	if (state >= HTTP1_S_UPGRADE_START)
		return http1_upgrade(buf, h, pos, c, len);
	if (c == '\r') {
		http1_auth_end(h, pos);
		return http1_line_end(buf, h, pos, len);
	}
	if (state == HTTP1_S_OWS)
		return http1_blank(c) ? 1 : http1_stop(h, HTTP1_BAD);
	if (state == HTTP1_S_VALUE)
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	return http1_auth(buf, h, pos, c);
}

/* The start line's states. */
static __always_inline int http1_start_line(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	switch (h->state) {
	case HTTP1_S_METHOD: return http1_method_end(buf, h, pos, c, len);
	case HTTP1_S_TARGET:
		h->segment = pos + 1;
		if (c == '/')
			return http1_go(h, HTTP1_S_PATH, HTTP1_PATH);
		h->flags |= HTTP1_ODD;
		return http1_class[c] & HTTP1_TARGET ? http1_go(h, HTTP1_S_QUERY, HTTP1_TARGET)
						     : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_PATH: return http1_path(buf, h, pos, c, len);
	case HTTP1_S_QUERY: return c == ' ' ? http1_target_end(buf, h, pos, len) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_STATUS_VERSION:
		if (c != ' ' || !http1_version(buf, h, pos))
			return http1_stop(h, HTTP1_BAD);
		return http1_status_start(buf, h, pos, len);
	case HTTP1_S_STATUS: return http1_status(buf, h, pos, c, len);
	default:
		if (c != '\r' || !http1_version(buf, h, pos))
			return http1_stop(h, HTTP1_BAD);
		return http1_line_end(buf, h, pos, len);
	}
}

static __always_inline int http1_byte(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	__u8 c = buf->b[HTTP1_AT(pos)];

	if (h->state < HTTP1_S_LF)
		return http1_start_line(buf, h, pos, c, len);
	if (h->state >= HTTP1_S_VALUE)
		return http1_value(buf, h, pos, c, len);
	switch (h->state) {
	case HTTP1_S_LF: return c == '\n' ? http1_go(h, HTTP1_S_LINE, 0) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_LINE:
		if (c == '\r')
			return http1_go(h, HTTP1_S_END, 0);
		return http1_class[c] & HTTP1_TCHAR ? http1_name(h, pos, c) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_NAME: return c == ':' ? http1_field(buf, h, pos, len) : http1_stop(h, HTTP1_BAD);
	default: return c == '\n' ? http1_finish(h, pos) : http1_stop(h, HTTP1_BAD);
	}
}

/*
 * http1_event - one byte that the present state does not pass over, and a well-known name that follows
 *
 * Returns how many bytes were taken from pos on, or 0 when h->result is final.
 */
static __always_inline int http1_event(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	int n = http1_byte(buf, h, pos, len);

	if (n && h->state == HTTP1_S_NAME && h->mark + 1 == pos + n)
		n = http1_known(buf, h, pos, len);
	return n;
}

#endif

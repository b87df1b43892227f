/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: HTTP/1 message heads (RFC 9112), read strictly; the same code in the kernel and in the helper.
 *
 * One pass, no allocation, no memory beyond struct http1. A table gives each byte its classes; `keep` names the class that
 * the present state passes over, every other byte is an event. So the long runs (token, cookies, names) cost a load and a
 * test a byte, and the grammar stands in one switch.
 */
#ifndef MPBPF_BPF_HTTP1_H
#define MPBPF_BPF_HTTP1_H

#include "kernel.h"

enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

enum http1_method { HTTP1_METHOD_OTHER, HTTP1_METHOD_HEAD, HTTP1_METHOD_OPTIONS, HTTP1_METHOD_CONNECT };

enum http1_flags {
	HTTP1_HOST = 1 << 0,		/* a Host field was seen */
	HTTP1_AUTH = 1 << 1,		/* an Authorization field was seen */
	HTTP1_BEARER = 1 << 2,		/* and it is `Bearer` and one word, whose characters the helper checks */
	HTTP1_LENGTH = 1 << 3,		/* Content-Length */
	HTTP1_CHUNKED = 1 << 4,		/* Transfer-Encoding: chunked */
	HTTP1_UPGRADE = 1 << 5,		/* an Upgrade field was seen */
	HTTP1_ODD = 1 << 6,		/* the target is not a path in canonical form (RFC 3986, section 6.2.2) */
	HTTP1_TOKEN_LONG = 1 << 7,	/* the token is longer than MPBPF_TOKEN_MAX */
	HTTP1_WEBSOCKET = 1 << 8,	/* and its value is exactly `websocket` (RFC 6455, section 4.1) */
};

/* Offsets and lengths are in bytes from the start of the head. */
struct http1 {
	__u64 content_length;
	__u32 head_len;		/* empty line included; valid when done */
	__u32 target_off, target_len;
	__u32 path_len;		/* the target up to '?' */
	__u32 token_off, token_len;	/* valid with HTTP1_BEARER */
	__u32 mark;		/* where the present element began */
	__u32 segment;		/* where the present path segment began */
	__u16 flags;		/* enum http1_flags */
	__u16 status;		/* responses: 100 to 999 */
	__u8 state;		/* enum http1_state */
	__u8 keep;		/* class that the state passes over */
	__u8 result;		/* enum http1_result */
	__u8 method;		/* enum http1_method */
	__u8 minor;		/* HTTP/1.minor */
	__u8 response;		/* set by the caller through http1_start() */
	__u8 pad[2];
};

/* In the kernel a head is read in a buffer of its own, so that masked offsets prove the bounds; in user space, in place. */
#ifdef __bpf__
#define HTTP1_BUF_MAX MPBPF_HEAD_MAX
#define HTTP1_AT(off) ((off) & (MPBPF_HEAD_MAX - 1))
#else
#define HTTP1_BUF_MAX MPBPF_HELPER_HEAD_MAX
#define HTTP1_AT(off) (off)
#endif

struct http1_buf {
	__u8 b[HTTP1_BUF_MAX];
	__u8 slack[32];		/* a stride read at the last offset stays inside */
};

enum http1_state {
	HTTP1_S_METHOD,
	HTTP1_S_TARGET,
	HTTP1_S_PATH,
	HTTP1_S_QUERY,
	HTTP1_S_VERSION,
	HTTP1_S_STATUS_VERSION,
	HTTP1_S_STATUS,
	HTTP1_S_LF,
	HTTP1_S_LINE,
	HTTP1_S_NAME,
	HTTP1_S_END,
	/* inside a field value */
	HTTP1_S_VALUE,
	HTTP1_S_SCHEME_START,
	HTTP1_S_SCHEME,
	HTTP1_S_TOKEN_START,
	HTTP1_S_TOKEN,
	HTTP1_S_TOKEN_TAIL,
	HTTP1_S_LENGTH_START,
	HTTP1_S_LENGTH,
	HTTP1_S_CODING_START,
	HTTP1_S_CODING,
	HTTP1_S_OWS,
	HTTP1_S_UPGRADE_START,
	HTTP1_S_UPGRADE,
};

enum http1_class {
	HTTP1_TCHAR = 1 << 0,	/* RFC 9110, section 5.6.2 */
	HTTP1_PATH = 1 << 1,	/* pchar (RFC 3986, section 3.3) without '%' and ';', which only the helper reads */
	HTTP1_TARGET = 1 << 2,	/* printable ASCII but '#' */
	HTTP1_TEXT = 1 << 3,	/* field-vchar, SP, HTAB (RFC 9110, section 5.5) */
	HTTP1_TOKEN68 = 1 << 4,	/* RFC 9110, section 11.2 */
	HTTP1_WORD_CHAR = 1 << 5,	/* HTTP1_TEXT without SP and HTAB */
};

#define HTTP1_PRINT (HTTP1_TARGET | HTTP1_TEXT | HTTP1_WORD_CHAR)
#define HTTP1_ALNUM (HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH | HTTP1_TOKEN68)

static const __u8 http1_class[256] = {
	['\t'] = HTTP1_TEXT, [' '] = HTTP1_TEXT,
	['!'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH, ['"'] = HTTP1_PRINT,
	['#'] = HTTP1_TEXT | HTTP1_WORD_CHAR | HTTP1_TCHAR, ['$'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['%'] = HTTP1_PRINT | HTTP1_TCHAR, ['&'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['\''] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH, ['('] = HTTP1_PRINT | HTTP1_PATH,
	[')'] = HTTP1_PRINT | HTTP1_PATH, ['*'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['+'] = HTTP1_ALNUM, [','] = HTTP1_PRINT | HTTP1_PATH, ['-'] = HTTP1_ALNUM, ['.'] = HTTP1_ALNUM,
	['/'] = HTTP1_PRINT | HTTP1_TOKEN68, ['0' ... '9'] = HTTP1_ALNUM, [':'] = HTTP1_PRINT | HTTP1_PATH,
	[';'] = HTTP1_PRINT, ['<'] = HTTP1_PRINT, ['='] = HTTP1_PRINT | HTTP1_PATH | HTTP1_TOKEN68,
	['>'] = HTTP1_PRINT, ['?'] = HTTP1_PRINT, ['@'] = HTTP1_PRINT | HTTP1_PATH, ['A' ... 'Z'] = HTTP1_ALNUM,
	['['] = HTTP1_PRINT, ['\\'] = HTTP1_PRINT, [']'] = HTTP1_PRINT, ['^'] = HTTP1_PRINT | HTTP1_TCHAR,
	['_'] = HTTP1_ALNUM, ['`'] = HTTP1_PRINT | HTTP1_TCHAR, ['a' ... 'z'] = HTTP1_ALNUM, ['{'] = HTTP1_PRINT,
	['|'] = HTTP1_PRINT | HTTP1_TCHAR, ['}'] = HTTP1_PRINT, ['~'] = HTTP1_ALNUM, [0x80 ... 0xff] = HTTP1_TEXT | HTTP1_WORD_CHAR,
};

/* Eight bytes at any offset, the first in the lowest byte on every machine. */
static __always_inline __u64 http1_word(const struct http1_buf *buf, __u32 off)
{
	const __u8 *p = &buf->b[HTTP1_AT(off)];
	__u64 w;

#ifdef __bpf__
	forget(p);	/* of its alignment: clang would make eight loads of one that may be odd */
	w = *(const __u64 *)p;
#else
	__builtin_memcpy(&w, p, sizeof(w));
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

#define HTTP1_WORD(a, b, c, d, e, f, g, h)                                                                        \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 | \
	 (__u64)(g) << 48 | (__u64)(h) << 56)
/* Folds ASCII letters to lower case; what else it maps is no tchar, but for pairs that no name below contains. */
#define HTTP1_LOWER 0x2020202020202020ULL
#define HTTP1_FIRST(n) (~0ULL >> (64 - 8 * (n)))

static __always_inline void http1_start(struct http1 *h, bool response)
{
	__builtin_memset(h, 0, sizeof(*h));
	h->response = response;
	h->state = response ? HTTP1_S_STATUS_VERSION : HTTP1_S_METHOD;
	h->keep = response ? HTTP1_TARGET : HTTP1_TCHAR;
}

/* What an event returns: how many bytes it took, or 0 when h->result is final. */
static __always_inline int http1_go(struct http1 *h, __u8 state, __u8 keep)
{
	h->state = state;
	h->keep = keep;
	return 1;
}

static __always_inline int http1_stop(struct http1 *h, __u8 result)
{
	h->result = result;
	return 0;
}

/* A field line begins with the tchar c. Of a response only the framing matters: fields of other initials are passed over. */
static __always_inline int http1_name(struct http1 *h, __u32 pos, __u8 c)
{
	c |= 0x20;
	if (h->response && c != 'c' && c != 't')
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	h->mark = pos;
	return http1_go(h, HTTP1_S_NAME, HTTP1_TCHAR);
}

/*
 * The CR that ends a line. Mostly the whole of "CR LF first-of-name" is there and is taken at once; else byte by byte, by
 * way of the states LF and LINE.
 */
static __always_inline int http1_line_end(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	if (pos + 2 >= len || buf->b[HTTP1_AT(pos + 1)] != '\n' ||
	    !(http1_class[buf->b[HTTP1_AT(pos + 2)]] & HTTP1_TCHAR))
		return http1_go(h, HTTP1_S_LF, 0);
	http1_name(h, pos + 2, buf->b[HTTP1_AT(pos + 2)]);
	return 3;
}

static __always_inline bool http1_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/* A field that may stand only once: 0, or BAD the second time. */
static __always_inline int http1_once(struct http1 *h, __u16 flag, __u8 state)
{
	if ((h->flags & flag) && !h->response)
		return http1_stop(h, HTTP1_BAD);
	h->flags |= flag;
	return http1_go(h, state, 0);
}

/* The name in [mark, pos) decides how its value is read. */
static __always_inline int http1_field(const struct http1_buf *buf, struct http1 *h, __u32 pos)
{
	__u32 len = pos - h->mark;
	__u64 w, v;

	if (len != 4 && len != 7 && len != 13 && len != 14 && len != 17)
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	/* Before a field stands a start line of 14 bytes at least: no word reaches before the head, none behind the ':'. */
	w = http1_word(buf, len > 7 ? h->mark : pos - 7) | HTTP1_LOWER;
	v = http1_word(buf, pos - 8) | HTTP1_LOWER;
	if (len == 4 && w >> 24 == HTTP1_WORD('h', 'o', 's', 't', ':', 0, 0, 0))
		return http1_once(h, HTTP1_HOST, HTTP1_S_VALUE);
	if (len == 7 && w == HTTP1_WORD('u', 'p', 'g', 'r', 'a', 'd', 'e', ':'))
		return http1_once(h, HTTP1_UPGRADE, HTTP1_S_UPGRADE_START);
	if (len == 13 && w == HTTP1_WORD('a', 'u', 't', 'h', 'o', 'r', 'i', 'z') &&
	    v == HTTP1_WORD('r', 'i', 'z', 'a', 't', 'i', 'o', 'n'))
		return http1_once(h, HTTP1_AUTH, HTTP1_S_SCHEME_START);
	if (len == 14 && w == HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') &&
	    v == HTTP1_WORD('t', '-', 'l', 'e', 'n', 'g', 't', 'h'))
		return http1_once(h, HTTP1_LENGTH, HTTP1_S_LENGTH_START);
	if (len == 17 && w == HTTP1_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') &&
	    v == HTTP1_WORD('e', 'n', 'c', 'o', 'd', 'i', 'n', 'g') &&
	    (http1_word(buf, h->mark + 4) | HTTP1_LOWER) == HTTP1_WORD('s', 'f', 'e', 'r', '-', 'e', 'n', 'c'))
		return http1_once(h, HTTP1_CHUNKED, HTTP1_S_CODING_START);
	return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
}

static __always_inline int http1_method_end(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c)
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
	return http1_go(h, HTTP1_S_TARGET, 0);
}

/* A path segment ends at pos: "." and ".." are for the helper, and so is an empty one that is not the last. */
static __always_inline void http1_segment(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c)
{
	__u32 len = pos - h->segment;

	if (!len ? c == '/' : len <= 2 && buf->b[HTTP1_AT(pos - 1)] == '.' && buf->b[HTTP1_AT(h->segment)] == '.')
		h->flags |= HTTP1_ODD;
	h->segment = pos + 1;
}

static __always_inline int http1_target_end(struct http1 *h, __u32 pos)
{
	h->target_len = pos - h->target_off;
	h->mark = pos + 1;
	return http1_go(h, HTTP1_S_VERSION, HTTP1_TARGET);
}

static __always_inline int http1_path(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c)
{
	if (c == '/' || c == '?' || c == ' ') {
		http1_segment(buf, h, pos, c);
		if (c == '/')
			return 1;
		h->path_len = pos - h->target_off;
		return c == ' ' ? http1_target_end(h, pos) : http1_go(h, HTTP1_S_QUERY, HTTP1_TARGET);
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

static __always_inline int http1_status(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	__u32 n = pos - h->mark;

	if (n < 3 && c >= '0' && c <= '9') {
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

/* Content-Length: 1*DIGIT, one value (RFC 9112, section 6.3). */
static __always_inline int http1_length(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (c >= '0' && c <= '9') {
		if (h->content_length > 99999999999999999ULL)
			return http1_stop(h, HTTP1_BAD);
		h->content_length = h->content_length * 10 + (c - '0');
		return http1_go(h, HTTP1_S_LENGTH, 0);
	}
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
		return http1_class[c] & HTTP1_TCHAR ? http1_go(h, HTTP1_S_CODING, HTTP1_TCHAR) :
						      http1_stop(h, HTTP1_BAD);
	}
	if (pos - h->mark != 7 || (!http1_blank(c) && c != '\r') ||
	    ((http1_word(buf, pos - 8) | HTTP1_LOWER) >> 8) != HTTP1_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
		return http1_stop(h, HTTP1_BAD);
	return c == '\r' ? http1_line_end(buf, h, pos, len) : http1_go(h, HTTP1_S_OWS, 0);
}

/* Upgrade: one protocol, websocket, is told from all others. */
static __always_inline int http1_upgrade(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	if (h->state == HTTP1_S_UPGRADE_START && http1_blank(c))
		return 1;
	if (h->state == HTTP1_S_UPGRADE_START && (http1_class[c] & HTTP1_TCHAR)) {
		h->mark = pos;
		return http1_go(h, HTTP1_S_UPGRADE, HTTP1_TCHAR);
	}
	if (c != '\r')
		return http1_go(h, HTTP1_S_VALUE, HTTP1_TEXT);
	if (h->state == HTTP1_S_UPGRADE && pos - h->mark == 9 &&
	    (http1_word(buf, h->mark) | HTTP1_LOWER) == HTTP1_WORD('w', 'e', 'b', 's', 'o', 'c', 'k', 'e') &&
	    (buf->b[HTTP1_AT(pos - 1)] | 0x20) == 't')
		h->flags |= HTTP1_WEBSOCKET;
	return http1_line_end(buf, h, pos, len);
}

/* Bytes inside a field value that `keep` did not pass over. */
static __always_inline int http1_value(const struct http1_buf *buf, struct http1 *h, __u32 pos, __u8 c, __u32 len)
{
	__u8 state = h->state;

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
	case HTTP1_S_METHOD:
		return http1_method_end(buf, h, pos, c);
	case HTTP1_S_TARGET:
		h->segment = pos + 1;
		if (c == '/')
			return http1_go(h, HTTP1_S_PATH, HTTP1_PATH);
		h->flags |= HTTP1_ODD;
		return http1_class[c] & HTTP1_TARGET ? http1_go(h, HTTP1_S_QUERY, HTTP1_TARGET) :
						       http1_stop(h, HTTP1_BAD);
	case HTTP1_S_PATH:
		return http1_path(buf, h, pos, c);
	case HTTP1_S_QUERY:
		return c == ' ' ? http1_target_end(h, pos) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_STATUS_VERSION:
		if (c != ' ' || !http1_version(buf, h, pos))
			return http1_stop(h, HTTP1_BAD);
		h->mark = pos + 1;
		return http1_go(h, HTTP1_S_STATUS, 0);
	case HTTP1_S_STATUS:
		return http1_status(buf, h, pos, c, len);
	default:
		if (c != '\r' || !http1_version(buf, h, pos))
			return http1_stop(h, HTTP1_BAD);
		return http1_line_end(buf, h, pos, len);
	}
}

/*
 * http1_event - one byte that the present state does not pass over
 *
 * Returns how many bytes were taken from pos on, or 0 when h->result is final. Global: verified once.
 */
__weak __noinline int http1_event(struct http1_buf *buf, struct http1 *h, __u32 pos, __u32 len)
{
	__u8 c;

	if (!buf || !h)
		return 0;
	c = buf->b[HTTP1_AT(pos)];
	if (h->state < HTTP1_S_LF)
		return http1_start_line(buf, h, pos, c, len);
	if (h->state >= HTTP1_S_VALUE)
		return http1_value(buf, h, pos, c, len);
	switch (h->state) {
	case HTTP1_S_LF:
		return c == '\n' ? http1_go(h, HTTP1_S_LINE, 0) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_LINE:
		if (c == '\r')
			return http1_go(h, HTTP1_S_END, 0);
		return http1_class[c] & HTTP1_TCHAR ? http1_name(h, pos, c) : http1_stop(h, HTTP1_BAD);
	case HTTP1_S_NAME:
		return c == ':' ? http1_field(buf, h, pos) : http1_stop(h, HTTP1_BAD);
	default:
		return c == '\n' ? http1_finish(h, pos) : http1_stop(h, HTTP1_BAD);
	}
}

struct http1_run {
	struct http1_buf *buf;
	struct http1 *h;
	__u32 pos, len;
};

#define HTTP1_STRIDE 32

/* A bit 7 in each byte that is below `least` (at most 0x80, in every byte) or DEL; exact up to the lowest such byte. */
static __always_inline __u64 http1_control(__u64 w, __u64 least)
{
	__u64 del = w ^ 0x7f7f7f7f7f7f7f7fULL;

	return (((w - least) & ~w) | ((del - 0x0101010101010101ULL) & ~del)) & 0x8080808080808080ULL;
}

/* Which byte has the lowest bit 7: the product moves a table of the numbers 0 to 7 so that the answer is on top. */
static __always_inline __u32 http1_lowest(__u64 mask)
{
	return ((mask & -mask) >> 7) * (1ULL << 53 | 2ULL << 45 | 3ULL << 37 | 4ULL << 29 | 5ULL << 21 | 6ULL << 13 | 7ULL << 5) >> 61;
}

/* How many of the next HTTP1_STRIDE bytes precede a control character (HTAB is one here) or, in a word, a space. */
static __always_inline __u32 http1_text(const struct http1_buf *buf, __u32 pos, __u8 keep)
{
	__u64 least = keep == HTTP1_TEXT ? 0x2020202020202020ULL : 0x2121212121212121ULL, mask;
	__u32 n;

#pragma GCC unroll 4
	for (n = 0; n < HTTP1_STRIDE; n += 8) {
		mask = http1_control(http1_word(buf, pos + n), least);
		if (mask)
			return n + http1_lowest(mask);
	}
	return n;
}

/* How many of the next bytes, at most HTTP1_STRIDE, the class `keep` passes over. */
static __always_inline __u32 http1_kept(const __u8 *p, __u8 keep, __u32 left)
{
	__u32 n;

#pragma GCC unroll 32
	for (n = 0; n < HTTP1_STRIDE; n++)
		if (n >= left || !(http1_class[p[n]] & keep))
			break;
	return n;
}

/* Pass over what the present state keeps, at most a stride, and take the byte that it does not keep. */
static long http1_step(__u32 i __attribute__((unused)), struct http1_run *run)
{
	__u32 pos = run->pos, left = run->len - pos, n;
	__u8 keep = run->h->keep;

	if (pos >= run->len)
		return 1;
	if ((keep == HTTP1_TEXT || keep == HTTP1_WORD_CHAR) && left >= HTTP1_STRIDE)
		n = http1_text(run->buf, pos, keep);
	else
		n = http1_kept(&run->buf->b[HTTP1_AT(pos)], keep, left);
	forget(n);
	pos += n;
	if (n < HTTP1_STRIDE && n < left) {
		n = http1_event(run->buf, run->h, pos, run->len);
		if (!n)
			return 1;
		pos += n;
	}
	run->pos = pos;
	return 0;
}

/*
 * http1_resume - go on reading the head at the start of buf; http1_start() comes first
 *
 * from: bytes that were read before; len: bytes there now, at most HTTP1_BUF_MAX. Returns enum http1_result; MORE also when
 * the buffer is too small for the head.
 */
__weak __noinline int http1_resume(struct http1_buf *buf, struct http1 *h, __u32 from, __u32 len)
{
	struct http1_run run = { .buf = buf, .h = h, .pos = from, .len = len };

	if (!buf || !h)
		return HTTP1_BAD;
	if (h->result != HTTP1_MORE)
		return h->result;	/* bytes behind a complete head are not part of it */
	bpf_loop(HTTP1_BUF_MAX, http1_step, &run, 0);
	return h->result;
}

static __always_inline int http1_scan(struct http1_buf *buf, struct http1 *h, __u32 len)
{
	return http1_resume(buf, h, 0, len);
}

#endif

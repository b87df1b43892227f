// SPDX-License-Identifier: MIT
/* Test helper: the second reading of HTTP/1 heads; see http1_reference.h. */
#include <string.h>
#include <strings.h>

#include "http1_reference.h"

/* Where the reading is. Once `r.result` is not MORE, or the bytes are at an end, nothing reads on. */
struct reader {
	const uint8_t *data;
	size_t len, at;
	bool response;
	struct http1_reading r;
};

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(int c, const char *set)
{
	return c > 0 && strchr(set, c);
}

bool is_tchar(int c)
{
	return is_alpha(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

bool is_text(int c)
{
	return c == '\t' || c == ' ' || (c >= 0x21 && c <= 0x7e) || (c >= 0x80 && c <= 0xff);
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static bool bad(struct reader *rd, size_t at)
{
	rd->r.result = HTTP1_BAD;
	rd->r.bad_at = at;
	return false;
}

/* The next byte, or -1 at the end of what is there. */
static int peek(const struct reader *rd)
{
	return rd->at < rd->len ? rd->data[rd->at] : -1;
}

/* Takes one byte that must be `c`. */
static bool take(struct reader *rd, int c)
{
	if (peek(rd) < 0)
		return false;
	if (peek(rd) != c)
		return bad(rd, rd->at);
	rd->at++;
	return true;
}

static bool take_crlf(struct reader *rd)
{
	return take(rd, '\r') && take(rd, '\n');
}

static void skip(struct reader *rd, bool (*is)(int))
{
	while (is(peek(rd)))
		rd->at++;
}

/* Takes at least one byte of a kind. False: there is none, or the bytes end within. */
static bool take_some(struct reader *rd, bool (*is)(int))
{
	size_t start = rd->at;

	skip(rd, is);
	if (peek(rd) < 0)
		return false;
	return rd->at > start || bad(rd, rd->at);
}

/* "HTTP/1.0" or "HTTP/1.1". */
static bool read_version(struct reader *rd)
{
	const char *c;

	for (c = "HTTP/1."; *c; c++)
		if (!take(rd, *c))
			return false;
	if (peek(rd) < 0)
		return false;
	if (peek(rd) != '0' && peek(rd) != '1')
		return bad(rd, rd->at);
	rd->r.minor = rd->data[rd->at++] - '0';
	return true;
}

/* ---- request line: method SP request-target SP HTTP-version CRLF (RFC 9112, section 3) ---- */

static bool is_target(int c)
{
	return c >= 0x21 && c <= 0x7e && c != '#';
}

/* pchar (RFC 3986, section 3.3), but for escapes and parameters. */
static bool is_plain_pchar(int c)
{
	return is_alpha(c) || is_digit(c) || is_one_of(c, "-._~") || is_one_of(c, "!$&'()*+,=") || is_one_of(c, ":@");
}

static bool is_odd_segment(const char *s, size_t len, bool last)
{
	return (len == 0 && !last) || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.');
}

static bool is_odd_path(const char *path, size_t len)
{
	size_t i, start = 1;

	if (path[0] != '/')
		return true;
	for (i = 1; i <= len; i++) {
		if (i < len && path[i] != '/') {
			if (!is_plain_pchar((uint8_t)path[i]))
				return true;
			continue;
		}
		if (is_odd_segment(path + start, i - start, i == len))
			return true;
		start = i + 1;
	}
	return false;
}

static enum http1_method method_of(const char *name, size_t len)
{
	if (len == 4 && !memcmp(name, "HEAD", 4))
		return HTTP1_METHOD_HEAD;
	if (len == 7 && !memcmp(name, "OPTIONS", 7))
		return HTTP1_METHOD_OPTIONS;
	if (len == 7 && !memcmp(name, "CONNECT", 7))
		return HTTP1_METHOD_CONNECT;
	return HTTP1_METHOD_OTHER;
}

static bool read_request_line(struct reader *rd)
{
	struct http1_reading *r = &rd->r;
	const char *target;

	if (!take_some(rd, is_tchar))
		return false;
	r->method = method_of((const char *)rd->data, rd->at);
	if (!take(rd, ' '))
		return false;
	r->target_off = rd->at;
	if (!take_some(rd, is_target))
		return false;
	target = (const char *)rd->data + r->target_off;
	r->target_len = rd->at - r->target_off;
	while (r->path_len < r->target_len && target[r->path_len] != '?')
		r->path_len++;
	if (is_odd_path(target, r->path_len))
		r->flags |= HTTP1_ODD;
	return take(rd, ' ') && read_version(rd) && take_crlf(rd);
}

/* ---- status line: HTTP-version SP 3DIGIT [ SP reason-phrase ] CRLF (RFC 9112, section 4) ---- */

static bool read_status_line(struct reader *rd)
{
	int i;

	if (!read_version(rd) || !take(rd, ' '))
		return false;
	for (i = 0; i < 3; i++) {
		if (peek(rd) < 0)
			return false;
		if (!is_digit(peek(rd)) || (i == 0 && peek(rd) == '0'))
			return bad(rd, rd->at);
		rd->r.status = rd->r.status * 10 + (rd->data[rd->at++] - '0');
	}
	if (peek(rd) == ' ')
		skip(rd, is_text);
	return take_crlf(rd);
}

/* ---- fields: field-name ":" OWS field-value OWS CRLF (RFC 9112, section 5) ---- */

static bool is_name(const struct reader *rd, size_t off, const char *name)
{
	return rd->at - off == strlen(name) && !strncasecmp((const char *)rd->data + off, name, strlen(name));
}

/* 1*DIGIT, of at most 18 significant digits, so that what is added to it later fits into 64 bits. */
static bool read_content_length(struct reader *rd)
{
	skip(rd, is_blank);
	if (peek(rd) >= 0 && !is_digit(peek(rd)))
		return bad(rd, rd->at);
	while (is_digit(peek(rd))) {
		if (rd->r.content_length >= 100000000000000000ULL)
			return bad(rd, rd->at);
		rd->r.content_length = rd->r.content_length * 10 + (rd->data[rd->at++] - '0');
	}
	skip(rd, is_blank);
	return take_crlf(rd);
}

static bool read_transfer_encoding(struct reader *rd)
{
	const char *c;

	skip(rd, is_blank);
	for (c = "chunked"; *c; c++) {
		if (peek(rd) < 0)
			return false;
		if (peek(rd) != *c && peek(rd) != *c - 'a' + 'A')
			return bad(rd, rd->at);
		rd->at++;
	}
	skip(rd, is_blank);
	return take_crlf(rd);
}

/* Any text but blanks. */
static bool is_word(int c)
{
	return is_text(c) && !is_blank(c);
}

/* "Bearer" 1*SP and one word (RFC 6750, section 2.1), the scheme in any case. Anything else is no token, but not BAD. */
static void note_authorization(struct reader *rd, size_t off, size_t end)
{
	const char *data = (const char *)rd->data;
	size_t i;

	while (off < end && is_blank(data[off]))
		off++;
	while (off < end && is_blank(data[end - 1]))
		end--;
	if (end - off < 7 || strncasecmp(data + off, "Bearer ", 7))
		return;
	for (off += 7; off < end && data[off] == ' ';)
		off++;
	for (i = off; i < end; i++)
		if (!is_word(rd->data[i]))
			return;
	rd->r.flags |= HTTP1_BEARER;
	rd->r.token_off = off;
	rd->r.token_len = end - off;
	if (end - off > MPBPF_TOKEN_MAX)
		rd->r.flags |= HTTP1_TOKEN_LONG;
}

/* One protocol, websocket, in any case (RFC 6455, section 4.2.1). */
static void note_upgrade(struct reader *rd, size_t off, size_t end)
{
	while (off < end && is_blank(rd->data[off]))
		off++;
	while (off < end && is_blank(rd->data[end - 1]))
		end--;
	if (end - off == 9 && !strncasecmp((const char *)rd->data + off, "websocket", 9))
		rd->r.flags |= HTTP1_WEBSOCKET;
}

static bool read_value(struct reader *rd, unsigned int flag)
{
	size_t off = rd->at;

	if (flag == HTTP1_LENGTH)
		return read_content_length(rd);
	if (flag == HTTP1_CHUNKED)
		return read_transfer_encoding(rd);
	skip(rd, is_text);
	if (peek(rd) == '\r' && flag == HTTP1_AUTH)
		note_authorization(rd, off, rd->at);
	if (peek(rd) == '\r' && flag == HTTP1_UPGRADE)
		note_upgrade(rd, off, rd->at);
	return take_crlf(rd);
}

/* Of a response only the framing matters: a line that cannot be one of its two fields may be any text. */
static bool frames_nothing(const struct reader *rd)
{
	return rd->response && is_tchar(peek(rd)) && !is_one_of(peek(rd), "cCtT");
}

static bool read_field(struct reader *rd)
{
	static const struct {
		const char *name;
		unsigned int flag;
		bool frames; /* it frames the message: once in responses too */
	} known[] = {
		{ "Host", HTTP1_HOST, false },
		{ "Authorization", HTTP1_AUTH, false },
		{ "Content-Length", HTTP1_LENGTH, true },
		{ "Transfer-Encoding", HTTP1_CHUNKED, true },
		{ "Upgrade", HTTP1_UPGRADE, false },
	};
	size_t i, off = rd->at;
	unsigned int flag = 0;
	bool once = false;

	if (frames_nothing(rd)) {
		skip(rd, is_text);
		return take_crlf(rd);
	}
	if (!take_some(rd, is_tchar))
		return false;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (is_name(rd, off, known[i].name)) {
			flag = known[i].flag;
			once = known[i].frames || !rd->response;
		}
	}
	if (peek(rd) == ':' && once && (rd->r.flags & flag))
		return bad(rd, rd->at);
	if (!take(rd, ':'))
		return false;
	rd->r.flags |= flag;
	if (flag == HTTP1_HOST)
		rd->r.host_off = rd->at;
	return read_value(rd, flag);
}

/* The head as a whole (RFC 9112, sections 3.2 and 6.1); `at` is its last byte. */
static void judge_whole(struct reader *rd, size_t at)
{
	unsigned int flags = rd->r.flags;

	rd->r.head_len = at + 1;
	rd->r.result = HTTP1_DONE;
	if ((flags & HTTP1_LENGTH) && (flags & HTTP1_CHUNKED))
		bad(rd, at);
	if (!rd->response && rd->r.minor == 0 && (flags & HTTP1_CHUNKED))
		bad(rd, at);
	if (!rd->response && rd->r.minor == 1 && !(flags & HTTP1_HOST))
		bad(rd, at);
}

struct http1_reading http1_read_slowly(const uint8_t *data, size_t len, bool response)
{
	struct reader rd = { .data = data, .len = len, .response = response };

	if (!(response ? read_status_line(&rd) : read_request_line(&rd)))
		return rd.r;
	while (peek(&rd) != '\r')
		if (!read_field(&rd))
			return rd.r;
	if (take_crlf(&rd))
		judge_whole(&rd, rd.at - 1);
	return rd.r;
}

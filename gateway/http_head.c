// SPDX-License-Identifier: MIT
/* Floor 4: heads of HTTP/1 messages as a gateway passes them on. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/util.h"
#include "gateway/http_head.h"

enum field {
	FIELD_OTHER,
	FIELD_CONNECTION,
	FIELD_HOP, /* concerns one connection alone */
	FIELD_UPGRADE,
	FIELD_HOST,
	FIELD_FORWARDED_PROTO,
	FIELD_KEPT, /* goes on also when Connection names it: what was judged, and where the message ends */
};

static const struct {
	const char *name;
	uint8_t len;
	enum field field;
} known[] = {
	{ "te", 2, FIELD_HOP },
	{ "host", 4, FIELD_HOST },
	{ "upgrade", 7, FIELD_UPGRADE },
	{ "connection", 10, FIELD_CONNECTION },
	{ "keep-alive", 10, FIELD_HOP },
	{ "authorization", 13, FIELD_KEPT },
	{ "content-length", 14, FIELD_KEPT },
	{ "proxy-connection", 16, FIELD_HOP },
	{ "transfer-encoding", 17, FIELD_KEPT },
	{ "x-forwarded-proto", 17, FIELD_FORWARDED_PROTO },
};

/* A field line; `start` and `end` (behind its LF) are offsets in the head. */
struct line {
	size_t start, end;
	struct http_span name, value;
	enum field field;
};

static enum field field_of(const struct http_span *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].len == name->len && !strncasecmp((const char *)name->data, known[i].name, name->len))
			return known[i].field;
	return FIELD_OTHER;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void trim(struct http_span *span)
{
	while (span->len && is_blank(span->data[0])) {
		span->data++;
		span->len--;
	}
	while (span->len && is_blank(span->data[span->len - 1]))
		span->len--;
}

/* Behind the start line. */
static size_t first_line(const uint8_t *head, size_t len)
{
	return (const uint8_t *)memchr(head, '\n', len) - head + 1;
}

/* The line at `at`. 1: there it is; 0: the head ends there; -EBADMSG: it is no field. */
static int line_at(const uint8_t *head, size_t len, size_t at, struct line *ret)
{
	const uint8_t *start = head + at, *end = memchr(start, '\n', len - at), *colon;

	if (end == start + 1)
		return 0;
	colon = memchr(start, ':', end - start);
	if (!colon || colon == start)
		return -EBADMSG;
	*ret = (struct line){ .start = at,
			      .end = end + 1 - head,
			      .name = { start, colon - start },
			      .value = { colon + 1, end - 1 - (colon + 1) } };
	ret->field = field_of(&ret->name);
	return 1;
}

static bool is_token(const struct http_span *span)
{
	size_t i = 0;

	while (i < span->len && (http1_class[span->data[i]] & HTTP1_TCHAR))
		i++;
	return i == span->len;
}

static bool span_is(const struct http_span *span, const char *text)
{
	return span->len == strlen(text) && !strncasecmp((const char *)span->data, text, span->len);
}

/* ---- reading ---- */

static int option_add(struct http_fields *fields, const struct http_span *option)
{
	if (!option->len)
		return 0;
	if (span_is(option, "close"))
		fields->close = true;
	else if (span_is(option, "keep-alive"))
		fields->keep_alive = true;
	else if (fields->n_options == HTTP_OPTIONS_MAX)
		return -EBADMSG;
	else
		fields->options[fields->n_options++] = *option;
	return 0;
}

static int options_read(struct http_fields *fields, struct http_span list)
{
	int r = 0;

	while (r == 0 && list.len) {
		const uint8_t *comma = memchr(list.data, ',', list.len);
		struct http_span option = { list.data, comma ? (size_t)(comma - list.data) : list.len };
		size_t taken = option.len + (comma ? 1 : 0);

		trim(&option);
		r = option_add(fields, &option);
		list.data += taken;
		list.len -= taken;
	}
	return r;
}

static int field_read(struct line *line, struct http_fields *fields)
{
	trim(&line->value);
	switch (line->field) {
	case FIELD_CONNECTION: return options_read(fields, line->value);
	case FIELD_HOST: fields->host = line->value; return 0;
	default: return 0;
	}
}

int http_fields_read(const uint8_t *head, const struct http1 *h, struct http_fields *ret)
{
	size_t at = first_line(head, h->head_len);
	struct line line;
	int r;

	memset(ret, 0, offsetof(struct http_fields, options));
	ret->n_options = 0;
	while ((r = line_at(head, h->head_len, at, &line)) > 0) {
		if (h->response && !is_token(&line.name))
			return -EBADMSG;
		r = line.field == FIELD_OTHER ? 0 : field_read(&line, ret);
		if (r < 0)
			return r;
		at = line.end;
	}
	return r;
}

/* ---- targets ---- */

static size_t scheme_len(const struct http_span *target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (target->len > strlen(schemes[i]) &&
		    !strncasecmp((const char *)target->data, schemes[i], strlen(schemes[i])))
			return strlen(schemes[i]);
	return 0;
}

int http_target_read(const uint8_t *head, const struct http1 *h, struct http_target *ret)
{
	struct http_span target = { head + h->target_off, h->target_len };
	size_t scheme, n;

	*ret = (struct http_target){ .origin = target };
	if (h->method == HTTP1_METHOD_CONNECT || !target.len)
		return -EINVAL;
	if (target.data[0] == '/')
		return 0;
	if (target.len == 1 && target.data[0] == '*')
		return h->method == HTTP1_METHOD_OPTIONS ? 0 : -EINVAL;
	scheme = scheme_len(&target);
	if (!scheme)
		return -EINVAL;
	for (n = scheme; n < target.len && target.data[n] != '/' && target.data[n] != '?'; n++)
		if (target.data[n] == '@')
			return -EINVAL;
	if (n == scheme)
		return -EINVAL;
	ret->authority = (struct http_span){ target.data + scheme, n - scheme };
	ret->origin = (struct http_span){ target.data + n, target.len - n };
	return 0;
}

/* ---- writing ---- */

static uint8_t *put(uint8_t *out, const void *data, size_t len)
{
	memcpy(out, data, len);
	return out + len;
}

static uint8_t *put_text(uint8_t *out, const char *text)
{
	return put(out, text, strlen(text));
}

static bool is_named(const struct http_fields *fields, const struct http_span *name)
{
	for (size_t i = 0; i < fields->n_options; i++)
		if (fields->options[i].len == name->len &&
		    !strncasecmp((const char *)fields->options[i].data, (const char *)name->data, name->len))
			return true;
	return false;
}

/* Which lines go on. */
struct sieve {
	const struct http_fields *fields;
	bool upgrade; /* Upgrade does */
	bool host;    /* Host does */
	bool request;
};

static bool line_stays(const struct sieve *sieve, const struct line *line)
{
	switch (line->field) {
	case FIELD_CONNECTION:
	case FIELD_HOP: return false;
	case FIELD_UPGRADE: return sieve->upgrade;
	case FIELD_HOST: return sieve->host;
	case FIELD_FORWARDED_PROTO: return !sieve->request;
	case FIELD_KEPT: return true;
	default: return !sieve->fields->n_options || !is_named(sieve->fields, &line->name);
	}
}

/* Lines that stay beside each other are copied at once. */
static uint8_t *put_lines(uint8_t *out, const uint8_t *head, const struct http1 *h, const struct sieve *sieve)
{
	size_t from = first_line(head, h->head_len), at = from;
	struct line line;

	while (line_at(head, h->head_len, at, &line) > 0) {
		if (!line_stays(sieve, &line)) {
			out = put(out, head + from, line.start - from);
			from = line.end;
		}
		at = line.end;
	}
	return put(out, head + from, at - from);
}

size_t http_request_write(const uint8_t *head, const struct http1 *h, const struct http_request_out *what, uint8_t *out)
{
	const struct http_target *target = what->target;
	bool upgrade = h->flags & HTTP1_WEBSOCKET;
	const struct sieve sieve = {
		.fields = what->fields, .upgrade = upgrade, .host = !target->authority.data, .request = true
	};
	uint8_t *to = put(out, head, h->target_off);

	if (target->authority.data && (!target->origin.len || target->origin.data[0] != '/'))
		*to++ = '/';
	to = put(to, target->origin.data, target->origin.len);
	to = put_text(to, h->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
	if (target->authority.data) {
		to = put_text(to, "Host: ");
		to = put(to, target->authority.data, target->authority.len);
		to = put_text(to, "\r\n");
	}
	to = put_lines(to, head, h, &sieve);
	if (upgrade)
		to = put_text(to, "Connection: Upgrade\r\n");
	to = put_text(to, "X-Forwarded-For: ");
	to = put_text(to, what->source);
	to = put_text(to, "\r\nX-Forwarded-Proto: http\r\n\r\n");
	return to - out;
}

size_t http_response_write(const uint8_t *head, const struct http1 *h, const struct http_response_out *what,
			   uint8_t *out)
{
	const struct sieve sieve = { .fields = what->fields, .upgrade = h->status == 101, .host = true };
	const size_t version = sizeof("HTTP/1.1") - 1;
	uint8_t *to = put_text(out, "HTTP/1.1");

	to = put(to, head + version, first_line(head, h->head_len) - version);
	to = put_lines(to, head, h, &sieve);
	if (h->status == 101)
		to = put_text(to, "Connection: Upgrade\r\n");
	else if (what->close)
		to = put_text(to, "Connection: close\r\n");
	else if (what->keep_alive)
		to = put_text(to, "Connection: keep-alive\r\n");
	return put_text(to, "\r\n") - out;
}

void http_response_body(const struct http1 *h, bool head, struct http1_body *ret)
{
	*ret = (struct http1_body){};
	if (head || h->status < 200 || h->status == 204 || h->status == 304)
		return;
	if (h->flags & (HTTP1_CHUNKED | HTTP1_LENGTH))
		http1_body_of(h, ret);
	else
		ret->kind = BODY_UNTIL_CLOSE;
}

/* SPDX-License-Identifier: MIT */
/* The known ways to make two readers disagree about where a request line, a field or a path ends. */
#include "smuggle.h"

#include <string.h>

/* '~' stands for the marker. */
static void fill(struct text *t, const struct form *form, const char *id)
{
	size_t i;

	for (i = 0; i < form->len; i++) {
		if (form->s[i] == '~')
			text_puts(t, id);
		else
			text_add(t, form->s + i, 1);
	}
}

static void good_token(struct text *t, struct rng *r)
{
	token_line(t, r, TOKEN_KNOWN);
}

/* ---- request lines ---- */

static const struct form lines[] = {
	F("GET  /b/~ HTTP/1.1\r\n"),
	F("GET /b/~  HTTP/1.1\r\n"),
	F("GET\t/b/~ HTTP/1.1\r\n"),
	F("GET /b/~\tHTTP/1.1\r\n"),
	F("GET\v/b/~ HTTP/1.1\r\n"),
	F("GET\f/b/~\fHTTP/1.1\r\n"),
	F("GET\r/b/~ HTTP/1.1\r\n"),
	F("GET /b/~\rHTTP/1.1\r\n"),
	F(" GET /b/~ HTTP/1.1\r\n"),
	F("\r\nGET /b/~ HTTP/1.1\r\n"),
	F("\nGET /b/~ HTTP/1.1\r\n"),
	F("\r\n\r\n\r\nGET /b/~ HTTP/1.1\r\n"),
	F("\rGET /b/~ HTTP/1.1\r\n"),
	F("\0GET /b/~ HTTP/1.1\r\n"),
	F("GET /b/~ HTTP/1.1 \r\n"),
	F("GET /b/~ HTTP/1.1\t\r\n"),
	F("GET /b/~ HTTP/1.1\n"),
	F("GET /b/~ HTTP/1.1\r\r\n"),
	F("GET /b/~ HTTP/1.1\0\r\n"),
	F("GET /b/~ HTTP/1.2\r\n"),
	F("GET /b/~ HTTP/2.0\r\n"),
	F("GET /b/~ HTTP/0.9\r\n"),
	F("GET /b/~ HTTP/1.10\r\n"),
	F("GET /b/~ HTTP/1.01\r\n"),
	F("GET /b/~ HTTP/01.1\r\n"),
	F("GET /b/~ HTTP/1\r\n"),
	F("GET /b/~ HTTP/1.\r\n"),
	F("GET /b/~ HTTP/+1.1\r\n"),
	F("GET /b/~ HTTP/1,1\r\n"),
	F("GET /b/~ http/1.1\r\n"),
	F("GET /b/~ HTTP /1.1\r\n"),
	F("GET /b/~ ICY/1.1\r\n"),
	F("GET /b/~ RTSP/1.0\r\n"),
	F("GET /b/~\r\n"),
	F("GET /b/~\n"),
	F("GET /b/~ \r\n"),
	F("GET /b/~ HTTP/1.1 HTTP/1.1\r\n"),
	F("GET /b/~ /healthz HTTP/1.1\r\n"),
	F("GET /healthz /b/~ HTTP/1.1\r\n"),
	F("GET /healthz\t/b/~ HTTP/1.1\r\n"),
	F("GET /healthz HTTP/1.1\rGET /b/~ HTTP/1.1\r\n"),
	F("GET /healthz HTTP/1.1\nX: /b/~\r\n"),
	F("GET /healthz\0/b/~ HTTP/1.1\r\n"),
	F("GET /healthz#/b/~ HTTP/1.1\r\n"),
	F("get /b/~ HTTP/1.1\r\n"),
	F("GeT /b/~ HTTP/1.1\r\n"),
	F("G\0ET /b/~ HTTP/1.1\r\n"),
	F("GET: /b/~ HTTP/1.1\r\n"),
	F("\"GET /b/~ HTTP/1.1\r\n"),
	F("BREW /b/~ HTTP/1.1\r\n"),
	F("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /b/~ HTTP/1.1\r\n"),
	F("GET b/~ HTTP/1.1\r\n"),
	F("GET http://server/b/~ HTTP/1.1\r\n"),
	F("GET http:/b/~ HTTP/1.1\r\n"),
	F("GET http:///b/~ HTTP/1.1\r\n"),
	F("GET HTTP://SERVER/b/~ HTTP/1.1\r\n"),
	F("GET https://server/b/~ HTTP/1.1\r\n"),
	F("GET ftp://server/b/~ HTTP/1.1\r\n"),
	F("GET http://user@server/b/~ HTTP/1.1\r\n"),
	F("GET http://server:80:80/b/~ HTTP/1.1\r\n"),
	F("GET http://server\\b/~ HTTP/1.1\r\n"),
	F("GET http://server?/b/~ HTTP/1.1\r\n"),
	F("GET //server/b/~ HTTP/1.1\r\n"),
	F("GET server:80 HTTP/1.1\r\n"),
	F("CONNECT server:80 HTTP/1.1\r\n"),
	F("CONNECT /b/~ HTTP/1.1\r\n"),
	F("CONNECT /healthz/~ HTTP/1.1\r\n"),
	F("OPTIONS * HTTP/1.1\r\n"),
	F("GET * HTTP/1.1\r\n"),
	F("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	F("TRACE /b/~ HTTP/1.1\r\n"),
	F("GET /b/~? HTTP/1.1\r\n"),
	F("GET /b/~\x80 HTTP/1.1\r\n"),
	F("GET /b/~\x7f HTTP/1.1\r\n"),
	F("GET /b/~ HTTP/1.1\x85\r\n"),
	F("HTTP/1.1 200 OK\r\n"),
};

static void lines_make(struct stream *s, struct rng *r)
{
	bool good = rng_one_in(r, 2);
	struct text *t = &s->bytes;
	char id[ID_LEN + 1];

	s->name = "request line";
	if (rng_one_in(r, 4))
		simple_request(s, r, t, rng_one_in(r, 2) ? RIGHT_TOKEN : RIGHT_NONE, false);
	next_id(s, id, good ? RIGHT_SEEN : RIGHT_NONE);
	fill(t, RNG_PICK(r, lines), id);
	text_puts(t, rng_one_in(r, 16) ? "" : "Host: server\r\n");
	if (good)
		good_token(t, r);
	text_puts(t, "\r\n");
	closing_request(s, r);
}

/* ---- paths: no token, so that a service may see only what is below an exempt path as it reads it ---- */

static const struct form paths[] = {
	F("/healthz/~"),
	F("/healthz"),
	F("/healthz/"),
	F("/healthz?~"),
	F("/healthzX/~"),
	F("/healthz.x/~"),
	F("/healthz~"),
	F("/HEALTHZ/~"),
	F("/healthz/../b/~"),
	F("/healthz/./../b/~"),
	F("/healthz/x/../../b/~"),
	F("/healthz/..;/b/~"),
	F("/healthz;/../b/~"),
	F("/healthz;x=/../b/~"),
	F("/healthz/..%2fb/~"),
	F("/healthz/..%2Fb/~"),
	F("/healthz/%2e%2e/b/~"),
	F("/healthz/.%2e/b/~"),
	F("/healthz/%2E./b/~"),
	F("/healthz/%252e%252e/b/~"),
	F("/healthz/..%5cb/~"),
	F("/healthz/..\\b/~"),
	F("/healthz\\..\\b\\~"),
	F("/healthz%2f../b/~"),
	F("/healthz/..%00/b/~"),
	F("/healthz%00/../b/~"),
	F("/healthz/..%c0%afb/~"),
	F("/healthz/..%ef%bc%8fb/~"),
	F("/healthz/%u002e%u002e/b/~"),
	F("/healthz/..//b/~"),
	F("/healthz//../../b/~"),
	F("//healthz/~"),
	F("/./healthz/~"),
	F("/x/../healthz/~"),
	F("/%68ealthz/~"),
	F("/%68ealthz/../b/~"),
	F("/healthz%/../b/~"),
	F("/healthz/%zz/../b/~"),
	F("/b/~/../../healthz"),
	F("/b/~?/../../healthz"),
	F("/b/~#/healthz"),
	F("/b/~;/healthz"),
	F("/b/~%3f/healthz"),
	F("/healthz/..?/b/~"),
	F("/healthz?/../b/~"),
	F("/healthz%3f/../b/~"),
	F("/healthz%23/../b/~"),
	F("/healthz/..%3b/b/~"),
	F("/healthz/%09../b/~"),
	F("/healthz/.. /b/~"),
	F("/healthz/..\t/b/~"),
	F("http://server/healthz/~"),
	F("http://server/healthz/../b/~"),
	F("http://healthz/b/~"),
	F("http:///healthz/../b/~"),
	F("http://x/healthz@server/b/~"),
	F("http://server/b/~?http://server/healthz"),
	F("http://server\\healthz/../b/~"),
	F("healthz/~"),
	F("./healthz/~"),
	F("*/../b/~"),
	F("?/healthz/../b/~"),
	F("/?/healthz/~"),
	F("/metrics/../b/~"),
	F("/ready/..;a/../b/~"),
	F("/ready/.;/../b/~"),
	F("/healthz/.../b/~"),
	F("/healthz/..%0d%0a/b/~"),
	F("/healthz%20/../b/~"),
	F("/healthz/\xe2\x80\xa5/b/~"),
	F("/healthz/..\x80/b/~"),
	F("/healthz/%2e%2e%2fb/~"),
};

static void paths_make(struct stream *s, struct rng *r)
{
	static const char *const methods[] = { "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE" };
	struct text *t = &s->bytes;
	uint32_t n = 1 + rng_below(r, 3);
	char id[ID_LEN + 1];

	s->name = "path";
	while (n--) {
		next_id(s, id, RIGHT_SEEN);
		text_printf(t, "%s ", *RNG_PICK(r, methods));
		fill(t, RNG_PICK(r, paths), id);
		text_puts(t, " HTTP/1.1\r\nHost: server\r\n");
		if (rng_one_in(r, 8))
			token_line(t, r, token_pick(r, false));
		if (rng_one_in(r, 6)) /* poison behind an exempt request, as a body that not everyone reads */
			text_puts(t, "Content-Length: 0\r\n\r\n");
		else
			text_puts(t, "\r\n");
	}
	if (rng_one_in(r, 3))
		simple_request(s, r, t, RIGHT_NONE, false);
	closing_request(s, r);
}

/* ---- fields; '!' stands for a line with a good token ---- */

static const struct form fields[] = {
	F("Host: server\r\nX-A: b\r!"),
	F("Host: server\r\nX-A: b\n!"),
	F("Host: server\r\nX-A: b\r\n !"),
	F("Host: server\r\nX-A: b\r\n\t!"),
	F("Host: server\r\nX-A: b\0\r\n!"),
	F("Host: server\r\nX-A\r\n!"),
	F("Host: server\r\n: b\r\n!"),
	F("Host: server\r\nX A: b\r\n!"),
	F("Host: server\r\nX-A : b\r\n!"),
	F("Host: server\r\n!Authorization: Bearer x\r\n"),
	F("Host: server\r\nAuthorization: Bearer x\r\n!"),
	F("Host: server\r\n!Authorization:\r\n"),
	F("Host: server\r\n!!"),
	F("Host: server\r\n\r!"),
	F("Host: server\r\n\n!"),
	F("Host: server\n\n!"),
	F("Host: server\r\n\r\n!"),
	F("Host: server\r\r\n!"),
	F("Host: server\r\n\0!"),
	F("Host: server\r\nX-\x80: b\r\n!"),
	F("Host: server\r\nX-A: b\x7f\r\n!"),
	F("Host: server\r\nX-A: b\x01\r\n!"),
	F("Host: server\r\nX-A: b\v\r\n!"),
	F("Host: server\r\nX-A: b\x85!"),
	F("Host: server\r\nX-A: b\xc4\x8d\xc4\x8a!"),
	F("Host: server\r\n\xef\xbb\xbf!"),
	F("Host: server\r\n(comment): b\r\n!"),
	F("Host: server\r\n\"Authorization\": Bearer x\r\n!"),
	F("Host: server\r\nX-A: \"b\r\n!"),
	F("!"),
	F("Host:\r\n!"),
	F("Host: \r\n!"),
	F("Host: server\r\nHost: other\r\n!"),
	F("Host: server, other\r\n!"),
	F("Host : server\r\n!"),
	F(" Host: server\r\n!"),
	F("Host: ser ver\r\n!"),
	F("Host: server/healthz\r\n!"),
	F("Host: server\0\r\n!"),
	F("Host: @server:80:90\r\n!"),
	F("Host: [::1\r\n!"),
	F("Host: ../healthz\r\n!"),
	F("Host: server\r\nX-Forwarded-Host: healthz\r\nX-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\n"),
	F("Host: server\r\nX-HTTP-Method-Override: CONNECT\r\n!"),
	F("Host: server\r\nConnection: close, Authorization\r\n!"),
	F("Host: server\r\nConnection: Authorization\r\n!"),
	F("Host: server\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive, close\r\n!"),
	F("Host: server\r\nProxy-!"),
	F("Host: server\r\nX-!"),
	F("Host: server\r\nTrailer: Authorization\r\n"),
};

static void fields_add(struct text *t, struct rng *r, const struct form *form)
{
	size_t i;

	for (i = 0; i < form->len; i++) {
		if (form->s[i] == '!')
			good_token(t, r);
		else
			text_add(t, form->s + i, 1);
	}
}

static void fields_make(struct stream *s, struct rng *r)
{
	struct text *t = &s->bytes;
	char id[ID_LEN + 1];

	s->name = "field";
	next_id(s, id, RIGHT_SEEN);
	text_printf(t, "GET /b/%s HTTP/1.%d\r\n", id, rng_one_in(r, 8) ? 0 : 1);
	fields_add(t, r, RNG_PICK(r, fields));
	text_puts(t, "\r\n");
	if (rng_one_in(r, 2))
		simple_request(s, r, t, RIGHT_NONE, false);
	closing_request(s, r);
}

static const struct {
	const char *name;
	int weight;
	void (*make)(struct stream *s, struct rng *r);
} families[] = {
	{ "framing", 7, framing_make }, { "chunks", 4, chunks_make }, { "lines", 2, lines_make },
	{ "paths", 3, paths_make },	{ "fields", 2, fields_make }, { "upgrades", 2, upgrade_make },
};

#define WEIGHTS 20

void family_make(struct stream *s, struct rng *r)
{
	int left = rng_below(r, WEIGHTS);
	size_t i;

	for (i = 0; left >= families[i].weight; i++)
		left -= families[i].weight;
	families[i].make(s, r);
}

int family_named(struct stream *s, struct rng *r, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (!strcmp(families[i].name, name)) {
			families[i].make(s, r);
			return 0;
		}
	return -1;
}

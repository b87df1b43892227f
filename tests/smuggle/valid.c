/* SPDX-License-Identifier: MIT */
/* Streams that leave no doubt: what a service must see of them, and what it must not, is known when they are made. */
#include "smuggle.h"

#include <string.h>

static const char *const methods[] = {
	"GET", "GET", "GET", "POST", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"
};
static const char *const plain_fields[] = {
	"User-Agent: smuggle/1.0\r\n",
	"Accept: */*\r\n",
	"accept-encoding: gzip, deflate, br\r\n",
	"Cookie: a=b; c=d\r\n",
	"X-Empty:\r\n",
	"X-Tab:\ta\tb \r\n",
	"Keep-Alive: timeout=5\r\n",
	"Cache-Control: no-cache\r\n",
	"X-Text: \"a, b\";c=d\r\n",
	"TE: trailers\r\n",
	"X-High: \xe4\xf6\xfc\r\n",
	"Via: 1.1 a, 1.1 b\r\n",
	"Content-Type: text/plain\r\n",
};

/* Which kind of token a request bears. */
enum token_kind token_pick(struct rng *r, bool good)
{
	uint32_t n = rng_below(r, 16);

	if (good)
		return n < 11 ? TOKEN_KNOWN : n < 12 ? TOKEN_STATIC : TOKEN_NEW;
	return TOKEN_VALID_MAX + rng_below(r, TOKEN_MAX - TOKEN_VALID_MAX);
}

void simple_request(struct stream *s, struct rng *r, struct text *t, enum right right, bool closing)
{
	char id[ID_LEN + 1];

	next_id(s, id, right);
	text_printf(t, "GET /b/%s HTTP/1.1\r\nHost: server\r\nX-Id: %s\r\n", id, id);
	token_line(t, r, token_pick(r, right == RIGHT_TOKEN));
	text_puts(t, closing ? "Connection: close\r\n\r\n" : "\r\n");
}

void closing_request(struct stream *s, struct rng *r)
{
	if (rng_one_in(r, 4))
		return;
	simple_request(s, r, &s->bytes, rng_one_in(r, 3) ? RIGHT_NONE : RIGHT_TOKEN, true);
}

/* Text of `len` bytes without NUL; or a request that has no right, or even one that would have it if it were one. */
static void body_make(struct stream *s, struct rng *r, struct text *t)
{
	static const uint32_t sizes[] = { 0, 1, 7, 40, 300, 1400, 5000 };
	uint32_t len = rng_below(r, *RNG_PICK(r, sizes) + 1), i;
	char c;

	if (rng_one_in(r, 3) && s->n_ids < 15) {
		text_puts(t, rng_below(r, 3) ? "" : "\r\n\r\n");
		simple_request(s, r, t, rng_one_in(r, 2) ? RIGHT_TOKEN : RIGHT_NONE, false);
	}
	for (i = 0; i < len; i++) {
		c = "\r\n: 0;\tabcdefghijklmnopqrstuvwxyz"[rng_one_in(r, 30) ? rng_below(r, 7) : 7 + rng_below(r, 26)];
		text_add(t, &c, 1);
	}
}

static void chunk_size_line(struct rng *r, struct text *t, size_t n)
{
	static const struct form lines[] = {
		F("#"),		  F("#"),	  F("#"), F("0#"), F("0000#"), F("#;a"), F("#;name=value"),
		F("#;a=\"b c\""), F("#;a=1;b=2"),
	};

	text_form(t, RNG_PICK(r, lines), n);
	text_puts(t, "\r\n");
}

static void chunked_make(struct rng *r, struct text *t, const char *body, size_t len)
{
	size_t n;

	while (len) {
		n = 1 + rng_below(r, len);
		chunk_size_line(r, t, n);
		text_add(t, body, n);
		text_puts(t, "\r\n");
		body += n;
		len -= n;
	}
	chunk_size_line(r, t, 0);
	if (rng_one_in(r, 4))
		text_puts(t, "X-Trailer: a\r\n");
	if (rng_one_in(r, 8))
		text_puts(t, "Expires: never\r\nX-B:\r\n");
	text_puts(t, "\r\n");
}

static void target_make(struct rng *r, struct want *want, struct text *t, bool exempt)
{
	static const char *const queries[] = { "", "", "", "?a=b", "?q=/healthz", "?//", "?a=%20&b=;c" };
	static const char *const tails[] = { "", "", "/", "/a.b-c_d~e", "/%C3%A4", "/a;b=c", "/a:b@c!$&'()*+,=" };
	const char *absolute = rng_one_in(r, 12) ? "http://server" : "";

	want->target_off = t->len;
	want->body_read = !rng_one_in(r, 4);
	if (exempt)
		text_printf(t, "%s/healthz/%s%s", absolute, want->id, *RNG_PICK(r, queries));
	else
		text_printf(t, "%s/%c/%s%s%s", absolute, want->body_read ? 'b' : 'e', want->id, *RNG_PICK(r, tails),
			    *RNG_PICK(r, queries));
	want->target_len = t->len - want->target_off;
	want->body_read &= !exempt;
}

static void fields_make(struct rng *r, struct text *t)
{
	uint32_t n = rng_below(r, 5), i;

	for (; n; n--)
		text_puts(t, *RNG_PICK(r, plain_fields));
	if (rng_one_in(r, 12))
		text_puts(t, "Upgrade: h2c\r\n");
	if (!rng_one_in(r, 16))
		return;
	text_puts(t, "X-Long: "); /* some heads are too long for the kernel, and some for one segment */
	for (i = rng_below(r, 6000); i; i--)
		text_add(t, &"abcdefgh"[i & 7], 1);
	text_puts(t, "\r\n");
}

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

static void head_make(struct stream *s, struct rng *r, struct want *want, enum token_kind kind, enum framing framing,
		      bool last)
{
	struct text *t = &s->bytes;
	int minor = last && framing != FRAMING_CHUNKED && rng_one_in(r, 12) ? 0 : 1;

	text_printf(t, "%s %.*s HTTP/1.%d\r\n", want->method, (int)want->target_len, s->expect.b + want->target_off,
		    minor);
	want->fields_off = t->len;
	if (rng_one_in(r, 2))
		fields_make(r, t);
	text_puts(t, rng_one_in(r, 4) ? "host:server\r\n" : "Host: server\r\n");
	if (rng_one_in(r, 2))
		token_line(t, r, kind);
	else
		kind |= 0x80;
	text_printf(t, "X-Id: %s\r\n", want->id);
	if (framing == FRAMING_LENGTH)
		text_printf(t, rng_one_in(r, 4) ? "content-length:  %zu \r\n" : "Content-Length: %zu\r\n",
			    want->body_len);
	if (framing == FRAMING_CHUNKED)
		text_puts(t, rng_one_in(r, 4) ? "transfer-encoding:Chunked\r\n" : "Transfer-Encoding: chunked\r\n");
	if (kind & 0x80)
		token_line(t, r, kind & 0x7f);
	if (want->body_len && minor && rng_one_in(r, 10))
		text_puts(t, "Expect: 100-continue\r\n");
	if (last && rng_one_in(r, 3)) {
		text_puts(t, "Connection: close\r\n");
		s->closes = want->allowed; /* a denial does not end the connection */
	} else if (!minor) {
		s->closes = want->allowed;
	}
	want->fields_len = t->len - want->fields_off;
	text_puts(t, "\r\n");
}

static void request_make(struct stream *s, struct rng *r, bool last)
{
	struct want *want = &s->want[s->n_wants++];
	bool exempt = rng_one_in(r, 10), good = rng_below(r, 10) < 7;
	enum token_kind kind = token_pick(r, good);
	enum framing framing = rng_below(r, 3);

	want->method = *RNG_PICK(r, methods);
	want->head = !strcmp(want->method, "HEAD");
	want->allowed = exempt || good;
	next_id(s, want->id, exempt ? RIGHT_SEEN : good ? RIGHT_TOKEN : RIGHT_NONE);
	target_make(r, want, &s->expect, exempt);
	want->body_off = s->expect.len;
	if (framing != FRAMING_NONE)
		body_make(s, r, &s->expect);
	want->body_len = s->expect.len - want->body_off;
	head_make(s, r, want, kind, framing, last);
	if (framing == FRAMING_LENGTH)
		text_add(&s->bytes, s->expect.b + want->body_off, want->body_len);
	else if (framing == FRAMING_CHUNKED)
		chunked_make(r, &s->bytes, s->expect.b + want->body_off, want->body_len);
}

void valid_make(struct stream *s, struct rng *r)
{
	uint32_t n = 1 + rng_below(r, rng_one_in(r, 2) ? 2 : 6);

	s->name = "valid";
	for (; n; n--)
		request_make(s, r, n == 1);
}

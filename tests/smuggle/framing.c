/* SPDX-License-Identifier: MIT */
/* Two readers, two ends of one body: CL.TE, TE.CL, TE.TE, CL.0, 0.CL in every pairing, and chunks that are counted in two ways. */
#include "smuggle.h"

#include <string.h>

static const struct form codings[] = {
	F(""),
	F("Transfer-Encoding: chunked\r\n"),
	F("Transfer-Encoding:chunked\r\n"),
	F("tRANSFER-ENCODING: cHUNKED\r\n"),
	F("Transfer-Encoding:\tchunked\t\r\n"),
	F("Transfer-Encoding : chunked\r\n"),
	F("Transfer-Encoding\t: chunked\r\n"),
	F("Transfer-Encoding\r\n: chunked\r\n"),
	F("Transfer-Encoding\n: chunked\r\n"),
	F("Transfer-Encoding\0: chunked\r\n"),
	F("Transfer-Encoding:\r\n chunked\r\n"),
	F("Transfer-Encoding:\r\n\tchunked\r\n"),
	F("Transfer-Encoding:\n chunked\r\n"),
	F(" Transfer-Encoding: chunked\r\n"),
	F("X-A: b\r\n Transfer-Encoding: chunked\r\n"),
	F("X-A: b\nTransfer-Encoding: chunked\r\n"),
	F("X-A: b\rTransfer-Encoding: chunked\r\n"),
	F("X-A: b\r\n\rTransfer-Encoding: chunked\r\n"),
	F("X-A: b\0\r\nTransfer-Encoding: chunked\r\n"),
	F("Transfer-Encoding: xchunked\r\n"),
	F("Transfer-Encoding: chunkedx\r\n"),
	F("Transfer-Encoding: chunk\r\n"),
	F("Transfer-Encoding: \vchunked\r\n"),
	F("Transfer-Encoding: chunked\v\r\n"),
	F("Transfer-Encoding: chunked\f\r\n"),
	F("Transfer-Encoding: chunked\0\r\n"),
	F("Transfer-Encoding: chunked\r\r\n"),
	F("Transfer-Encoding: chunked\n"),
	F("Transfer-Encoding: chunked\n\r\n"),
	F("Transfer-Encoding: \"chunked\"\r\n"),
	F("Transfer-Encoding: 'chunked'\r\n"),
	F("Transfer-Encoding: chunked;q=1\r\n"),
	F("Transfer-Encoding: chunked, chunked\r\n"),
	F("Transfer-Encoding: gzip, chunked\r\n"),
	F("Transfer-Encoding: chunked, gzip\r\n"),
	F("Transfer-Encoding: identity\r\n"),
	F("Transfer-Encoding: identity, chunked\r\n"),
	F("Transfer-Encoding: chunked, identity\r\n"),
	F("Transfer-Encoding: ,chunked\r\n"),
	F("Transfer-Encoding: chunked,\r\n"),
	F("Transfer-Encoding:\r\n"),
	F("Transfer-Encoding: \r\nTransfer-Encoding: chunked\r\n"),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
	F("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
	F("Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n"),
	F("Transfer_Encoding: chunked\r\n"),
	F("Transfer-Encoding\xa0: chunked\r\n"),
	F("Transfer-Encoding: \xa0"
	  "chunked\r\n"),
	F("Transfer-Encoding: \x85"
	  "chunked\r\n"),
	F("Transfer-\xc4\xb1ncoding: chunked\r\n"),
	F("\x00Transfer-Encoding: chunked\r\n"),
	F("TE: chunked\r\n"),
	F("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"),
	F("Content-Encoding: chunked\r\n"),
};

#define LENGTH_RIGHT 2

static const struct form lengths[] = {
	F(""),
	F(""),
	F("Content-Length: @\r\n"),
	F("Content-Length: 0\r\n"),
	F("Content-Length: 0\r\n"),
	F("Content-Length: 4\r\n"),
	F("Content-Length: 5\r\n"),
	F("Content-Length: 0@\r\n"),
	F("Content-Length: +@\r\n"),
	F("Content-Length: -@\r\n"),
	F("Content-Length: -0\r\n"),
	F("Content-Length: -1\r\n"),
	F("Content-Length: 0x#\r\n"),
	F("Content-Length: #\r\n"),
	F("Content-Length: @, @\r\n"),
	F("Content-Length: @, 0\r\n"),
	F("Content-Length: 0, @\r\n"),
	F("Content-Length: @,\r\n"),
	F("Content-Length: ,@\r\n"),
	F("Content-Length: @;\r\n"),
	F("Content-Length: @.0\r\n"),
	F("Content-Length: @e0\r\n"),
	F("Content-Length: @ 0\r\n"),
	F("Content-Length: 1 @\r\n"),
	F("Content-Length: \"@\"\r\n"),
	F("Content-Length: @ \r\n"),
	F("Content-Length: \v@\r\n"),
	F("Content-Length: @\v\r\n"),
	F("Content-Length: @\0\r\n"),
	F("Content-Length: \0@\r\n"),
	F("Content-Length:\r\n"),
	F("Content-Length:\r\n @\r\n"),
	F("Content-Length: 0\r\n @\r\n"),
	F("Content-Length: @\r\n\t0\r\n"),
	F("Content-Length : @\r\n"),
	F("Content-Length\t: @\r\n"),
	F("Content-Length\r\n: @\r\n"),
	F("Content-Length\0: @\r\n"),
	F(" Content-Length: @\r\n"),
	F("Content_Length: @\r\n"),
	F("Content-Length: 0\r\nContent-Length: @\r\n"),
	F("Content-Length: @\r\nContent-Length: 0\r\n"),
	F("Content-Length: @\r\nContent-Length: @\r\n"),
	F("Content-Length: 0\rContent-Length: @\r\n"),
	F("Content-Length: 0\nContent-Length: @\r\n"),
	F("Content-Length: @\n"),
	F("X-A: b\rContent-Length: @\r\n"),
	F("X-A: b\nContent-Length: @\r\n"),
	F("Content-Length: 18446744073709551616\r\n"),
	F("Content-Length: 18446744073709551615\r\n"),
	F("Content-Length: 9223372036854775808\r\n"),
	F("Content-Length: 4294967296\r\n"),
	F("Content-Length: 1000000000000000000000000000000000@\r\n"),
	F("Content-Length: 000000000000000000000000000000000@\r\n"),
	F("Connection: Content-Length\r\nContent-Length: @\r\n"),
	F("Connection: close, Content-Length\r\nContent-Length: @\r\n"),
	F("Expect: 100-continue\r\nContent-Length: @\r\n"),
	F("Expect: 100-continue\r\nExpect: x\r\nContent-Length: @\r\n"),
	F("Expect: y 100-continue\r\nContent-Length: @\r\n"),
	F("Expect:\r\n 100-continue\r\nContent-Length: @\r\n"),
};

/* What stands behind the head; the inner request has no right, or one of its own. */
static void body_layout(struct stream *s, struct rng *r, struct text *t)
{
	struct text inner = {};

	simple_request(s, r, &inner, rng_one_in(r, 5) ? RIGHT_TOKEN : RIGHT_NONE, false);
	switch (rng_below(r, 10)) {
	case 0: text_add(t, inner.b, inner.len); break;
	case 1:
	case 7:
	case 8:
		text_puts(t, "0\r\n\r\n");
		text_add(t, inner.b, inner.len);
		break;
	case 2:
		text_printf(t, "%zx\r\n", inner.len);
		text_add(t, inner.b, inner.len);
		text_puts(t, "\r\n0\r\n\r\n");
		break;
	case 3: /* a first chunk of which TE.CL takes the size line only */
		text_printf(t, "%zx\r\n", inner.len + 4);
		text_puts(t, "\r\n\r\n");
		text_add(t, inner.b, inner.len);
		text_puts(t, "\r\n0\r\n\r\n");
		break;
	case 4:
		text_puts(t, "1\r\nZ\r\n0\r\n\r\n");
		text_add(t, inner.b, inner.len);
		break;
	case 5:
		text_puts(t, "\r\n");
		text_add(t, inner.b, inner.len);
		break;
	case 6: /* ends within: what follows on the connection completes it */
		text_puts(t, "0\r\n\r\n");
		text_puts(t, "GET /b/x HTTP/1.1\r\nX-Swallow: ");
		break;
	default: text_puts(t, "abcde"); break;
	}
	text_free(&inner);
}

static void outer_head(struct stream *s, struct rng *r)
{
	static const char *const methods[] = { "POST", "POST",	  "POST",   "GET",  "PUT",
					       "HEAD", "OPTIONS", "DELETE", "TRACE" };
	bool good = rng_below(r, 5);
	char id[ID_LEN + 1];

	next_id(s, id, good ? RIGHT_TOKEN : RIGHT_NONE);
	text_printf(&s->bytes, "%s /%c/%s HTTP/1.%d\r\nHost: server\r\nX-Id: %s\r\n", *RNG_PICK(r, methods),
		    rng_one_in(r, 2) ? 'b' : 'e', id, rng_one_in(r, 16) ? 0 : 1, id);
	token_line(&s->bytes, r, token_pick(r, good));
}

void framing_make(struct stream *s, struct rng *r)
{
	const struct form *coding = rng_one_in(r, 3) ? &codings[1] : RNG_PICK(r, codings);
	const struct form *length = rng_one_in(r, 3) ? &lengths[LENGTH_RIGHT] : RNG_PICK(r, lengths);
	struct text body = {};

	s->name = "framing";
	body_layout(s, r, &body);
	outer_head(s, r);
	if (rng_one_in(r, 2)) {
		text_form(&s->bytes, length, body.len);
		text_form(&s->bytes, coding, 0);
	} else {
		text_form(&s->bytes, coding, 0);
		text_form(&s->bytes, length, body.len);
	}
	text_puts(&s->bytes, "\r\n");
	text_add(&s->bytes, body.b, body.len);
	text_free(&body);
	closing_request(s, r);
}

/* ---- chunks ---- */

static const struct form size_lines[] = {
	F("#\r\n"),
	F("0#\r\n"),
	F("00000000000000000000#\r\n"),
	F("0x#\r\n"),
	F("0X#\r\n"),
	F("+#\r\n"),
	F("-#\r\n"),
	F(" #\r\n"),
	F("\t#\r\n"),
	F("# \r\n"),
	F("#\t\r\n"),
	F("#\v\r\n"),
	F("#\0\r\n"),
	F("\0#\r\n"),
	F("#g\r\n"),
	F("_#\r\n"),
	F("#_\r\n"),
	F("#,\r\n"),
	F("#\n"),
	F("#\r"),
	F("#\r\r\n"),
	F("#\n\r\n"),
	F("#\r\n\r\n"),
	F("#;\r\n"),
	F("#;a\r\n"),
	F("#;a=b\r\n"),
	F("# ;a=b\r\n"),
	F("#;a=\"b\"\r\n"),
	F("#;a=\"\r\n\"\r\n"),
	F("#;a=\"b\r\n"),
	F("#;\n"),
	F("#;a\n"),
	F("#;a\nb\r\n"),
	F("#;a\rb\r\n"),
	F("#;\0\r\n"),
	F("#;\x80\r\n"),
	F("#;a=b;;;\r\n"),
	F("1000000000000000#\r\n"),
	F("10000000000000000#\r\n"),
	F("100000000#\r\n"),
	F("ffffffffffffffff\r\n"),
	F("fffffffffffffff0\r\n"),
	F("7fffffffffffffff\r\n"),
	F("80000000\r\n"),
	F("@\r\n"),
	F("#.0\r\n"),
	F("#e0\r\n"),
	F("\r\n"),
	F("\r\n#\r\n"),
	F(";#\r\n"),
};

static const struct form data_ends[] = {
	F("\r\n"),   F("\r\n"),	 F("\r\n"), F("\r\n"), F("\n"),	  F("\r"),    F(""),	     F("XX"),
	F("\r\r\n"), F(" \r\n"), F("\n\n"), F("\n\r"), F("\0\0"), F("X\r\n"), F("\r\n\r\n"),
};

static const struct form last_chunks[] = {
	F("0\r\n\r\n"),
	F("0\r\n\r\n"),
	F("0\r\n\r\n"),
	F("0\r\n"),
	F("0\n\n"),
	F("0\r\n\n"),
	F("0\n\r\n"),
	F("00\r\n\r\n"),
	F("0;a\r\n\r\n"),
	F("0;\n\r\n"),
	F("-0\r\n\r\n"),
	F("0x0\r\n\r\n"),
	F("0\r\nX-A: b\r\n\r\n"),
	F("0\r\nX-A\r\n\r\n"),
	F("0\r\nX-A: b\n\r\n"),
	F("0\r\nX-A: b\r\n c\r\n\r\n"),
	F("0\r\nX-A : b\r\n\r\n"),
	F("0\r\n: b\r\n\r\n"),
	F("0\r\nX-A: b\0\r\n\r\n"),
	F("0\r\nContent-Length: 50\r\n\r\n"),
	F("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	F("0\r\nHost: b\r\nAuthorization: Bearer x\r\n\r\n"),
	F("0\r\r\n\r\n"),
	F("0\r\n\r"),
	F("0\r\nX-A: b\rX-C: d\r\n\r\n"),
	F(" 0\r\n\r\n"),
	F("0 \r\n\r\n"),
	F(""),
};

/*
 * A size line that ends at `end` for one reader and at CR LF for the other. The first sees a chunk of two bytes, the last
 * chunk, a trailer, and then a request; the other sees that request within a chunk.
 */
static void extension_make(struct stream *s, struct rng *r)
{
	static const struct form ends[] = { F(";a\n"),	  F(";\n"),   F(";a\r"), F(";a=\"\r\n"),
					    F(";a=\"\n"), F(";\0\n"), F(" \n"),	 F("\n") };
	struct text *t = &s->bytes, inner = {};

	simple_request(s, r, &inner, RIGHT_NONE, false);
	text_puts(t, "2");
	text_form(t, RNG_PICK(r, ends), 0);
	text_puts(t, "xx\r\n00\r\n");
	text_printf(t, rng_one_in(r, 2) ? "%zx;a: b\r\n" : "%zx;:\r\n", inner.len + 2);
	text_puts(t, "\r\n");
	text_add(t, inner.b, inner.len);
	text_puts(t, "\r\n0\r\n\r\n");
	text_free(&inner);
}

void chunks_make(struct stream *s, struct rng *r)
{
	static const int off[] = { 0, 0, 0, 0, 0, 0, 1, 2, -1, -2, 5, 100 };
	struct text *t = &s->bytes, data = {};
	uint32_t n = 1 + rng_below(r, 3);

	s->name = "chunks";
	outer_head(s, r);
	text_puts(t, "Transfer-Encoding: chunked\r\n\r\n");
	if (rng_one_in(r, 6)) {
		extension_make(s, r);
		closing_request(s, r);
		return;
	}
	while (n--) {
		data.len = 0;
		if (rng_one_in(r, 2))
			simple_request(s, r, &data, rng_one_in(r, 5) ? RIGHT_TOKEN : RIGHT_NONE, false);
		else
			text_puts(&data, "abcdefgh\r\n0\r\n\r\n");
		text_form(t, rng_one_in(r, 3) ? &size_lines[0] : RNG_PICK(r, size_lines), data.len + *RNG_PICK(r, off));
		text_add(t, data.b, data.len);
		text_form(t, RNG_PICK(r, data_ends), 0);
	}
	text_free(&data);
	text_form(t, RNG_PICK(r, last_chunks), 0);
	if (rng_one_in(r, 2))
		simple_request(s, r, t, RIGHT_NONE, false);
	closing_request(s, r);
}

// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/http1.h: heads made and spoilt at random, the same in every run, against the slow reading. */
#include <stdio.h>
#include <string.h>

#include "core/util.h"
#include "http1_check.h"

#define REQUESTS 160000
#define RESPONSES 40000

/* xorshift64* (Vigna 2016). */
static uint64_t random_state;

static uint32_t below(uint32_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

struct text {
	char b[2048];
	size_t len;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->len + n > sizeof(t->b))
		return;
	memcpy(t->b + t->len, s, n);
	t->len += n;
}

static void put_byte(struct text *t, int c)
{
	if (t->len < sizeof(t->b))
		t->b[t->len++] = c;
}

#define put_one_of(t, list) put(t, (list)[below(ARRAY_SIZE(list))])

/* Up to `max` characters of a set. */
static void put_some(struct text *t, const char *set, uint32_t max)
{
	uint32_t n = below(max + 1);

	while (n--)
		put_byte(t, set[below(strlen(set))]);
}

/* Mostly `usual`, else one of a list of things that make trouble. */
static void put_mostly(struct text *t, const char *usual, const char *const *others, size_t n)
{
	put(t, one_in(30) ? others[below(n)] : usual);
}

#define PUT_MOSTLY(t, usual, ...)                                    \
	do {                                                         \
		static const char *const others[] = { __VA_ARGS__ }; \
		put_mostly(t, usual, others, ARRAY_SIZE(others));    \
	} while (0)

static const char tchars[] = "abcXYZ019-_.!#$%&'*+^`|~";
static const char text_chars[] = "abc XYZ\t019-_.,:;=\"/\\()<>@[]{}?~\x80\xa0\xff";

static void put_line_end(struct text *t)
{
	static const char *const odd[] = {
		"\n", "\r", "\r\r\n", "\n\r", "\r\n ", "\r\n\t", "", "\v", "\r\n\r\n", "\n\n"
	};

	put(t, one_in(80) ? odd[below(ARRAY_SIZE(odd))] : "\r\n");
}

/* ---- start lines ---- */

static void put_target(struct text *t)
{
	static const char *const segments[] = { "a",   "b.c", ".",	"..",  "",    "...", ".a", "a.",  "..a",
						"a..", "%2e", "%2e%2e", "%2F", "%",   "a;b", ";",  "..;", "\\",
						"*",   "@",   ":",	"~",   "a=b", "{x}", "|" };
	static const char *const others[] = { "*", "http://a/b", "http://a", "a:80", "?",  "",
					      "#", "a/b",	 "//",	     "\\",   "/#", ";/" };
	static const char query_chars[] = "abc=&?/.;%\\{}|\"<>[]^`+!*'(),:@";
	uint32_t n = below(5);

	if (one_in(12)) {
		put_one_of(t, others);
	} else {
		do {
			put(t, "/");
			if (one_in(3))
				put_one_of(t, segments);
			else
				put_some(t, "abcdefgh-_.~", 20);
		} while (n--);
	}
	if (one_in(3)) {
		put(t, "?");
		put_some(t, query_chars, 40);
	}
}

static void put_request_line(struct text *t)
{
	static const char *const methods[] = { "GET",	 "HEAD",     "OPTIONS", "CONNECT", "POST",  "PUT",
					       "DELETE", "PATCH",    "TRACE",	"head",	   "HEADX", "OPTIONSX",
					       "CONNEC", "CONNECTX", "G",	"M-SEARCH" };

	if (one_in(10))
		put_some(t, tchars, 12);
	else
		put_one_of(t, methods);
	PUT_MOSTLY(t, " ", "  ", "\t", "", "\n", ":", "\v", "\xa0");
	put_target(t);
	PUT_MOSTLY(t, " ", "  ", "\t", "", "\n", " a ", "#", "\v");
	if (one_in(5))
		put(t, "HTTP/1.0");
	else
		PUT_MOSTLY(t, "HTTP/1.1", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/1.10", "HTTP/11", "",
			   "HTTP/1");
	put_line_end(t);
}

static void put_status_line(struct text *t)
{
	PUT_MOSTLY(t, "HTTP/1.1", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.0", "HTTP/1", "ICY", "");
	PUT_MOSTLY(t, " ", "  ", "\t", "");
	PUT_MOSTLY(t, "200", "100", "101", "204", "304", "999", "000", "099", "20", "2000", "2x0", "-20", "");
	PUT_MOSTLY(t, " ", "", "  ", "\t", "a");
	put_some(t, text_chars, 20);
	put_line_end(t);
}

/* ---- fields ---- */

struct field {
	const char *name;
	const char *usual;
	const char *values[14];
};

static const struct field fields[] = {
	{ "Content-Length",
	  "12",
	  { "0", "00", "5", "+5", "5, 5", "0x5", "5 5", "-1", "999999999999999999", "1000000000000000000",
	    "18446744073709551621", "", "5a", "5;" } },
	{ "Transfer-Encoding",
	  "chunked",
	  { "CHUNKED", "xchunked", "chunkedx", "chunked, chunked", "gzip, chunked", "identity", "chunked;a",
	    "\vchunked", "chunked\v", "", "chunk", "\"chunked\"", "chunked,", "c" } },
	{ "Authorization",
	  "Bearer abc.def-0",
	  { "bearer abc", "Bearer", "Bearer ", "Bearer  a", "Bearer\ta", "Bearer a b", "Bearer a, b", "Bearer \"a\"",
	    "Basic YTpi", "", "Bearera", "Bearer a=", "Bearer =a", "Bearer \xe4" } },
	{ "Upgrade",
	  "websocket",
	  { "WebSocket", "h2c", "websocket, h2c", "websocket/13", "", "websockets", "websocke", "xebsocket",
	    "foo websocket", "websocket websocket", "\"websocket\"", "websockeT", "w", "," } },
	{ "Host", "a", { "", "a:80", "a, b", "[::1]", "\xff", "a b", "b", "c", "d", "e", "f", "g", "h", "i" } },
	{ "Cookie", "a=b; c=\"d\"", { "", ";", "=", "a", "b", "c", "d", "e", "f", "\xe4", "\t", " ", "x y", "z" } },
};

static void put_name(struct text *t, const char *name)
{
	uint32_t spoil = one_in(40) ? below(strlen(name)) + 1 : 0;
	bool fold = one_in(3);

	for (; *name; name++) {
		if (spoil && !--spoil)
			put_byte(t, one_in(2) ? *name ^ 0x20 : tchars[below(sizeof(tchars) - 1)]);
		else
			put_byte(t, fold && ((*name | 0x20) >= 'a') ? *name ^ (one_in(2) ? 0x20 : 0) : *name);
	}
}

static void put_blanks(struct text *t)
{
	if (one_in(4))
		put_some(t, " \t", 3);
	else
		put(t, " ");
}

static void put_field(struct text *t, const struct field *f)
{
	put_name(t, f->name);
	PUT_MOSTLY(t, ":", " :", "\t:", "", "::", ";", "\v:", "=");
	put_blanks(t);
	put(t, one_in(8) ? f->values[below(ARRAY_SIZE(f->values))] : f->usual);
	if (one_in(6))
		put_blanks(t);
	put_line_end(t);
}

static void put_any_field(struct text *t)
{
	if (one_in(2)) {
		put_some(t, tchars, one_in(10) ? 70 : 20);
		put(t, ":");
		put_some(t, text_chars, one_in(10) ? 200 : 40);
		put_line_end(t);
	} else if (one_in(3)) {
		put_field(t, &fields[below(ARRAY_SIZE(fields))]);
	} else {
		put_field(t, &fields[ARRAY_SIZE(fields) - 1]);
	}
}

/* A head that is mostly good: Host nearly always, one kind of framing, perhaps a token, and others between. */
static void put_fields(struct text *t, bool response)
{
	uint32_t n = below(4), framing = below(4);

	if (!response && !one_in(20))
		put_field(t, &fields[4]);
	while (n--)
		put_any_field(t);
	if (framing < 2)
		put_field(t, &fields[framing]);
	if (one_in(2))
		put_field(t, &fields[2]);
	if (one_in(6))
		put_field(t, &fields[3]);
	n = below(3);
	while (n--)
		put_any_field(t);
	if (!one_in(20))
		put_line_end(t);
	if (one_in(6))
		put_some(t, "abc\r\n: \x80", 20);
}

/* ---- spoiling ---- */

static void insert(struct text *t, size_t at, int c)
{
	if (t->len == sizeof(t->b))
		return;
	memmove(t->b + at + 1, t->b + at, t->len - at);
	t->b[at] = c;
	t->len++;
}

static void spoil(struct text *t)
{
	static const char bytes[] = "\r\n\0\t :;,=\"#\v\x7f\x80\xff\x0c/.\\%aA0";
	size_t at = t->len ? below(t->len) : 0;
	int c = one_in(3) ? (int)below(256) : bytes[below(sizeof(bytes) - 1)];

	switch (below(5)) {
	case 0: insert(t, at, c); break;
	case 1:
		if (t->len)
			memmove(t->b + at, t->b + at + 1, --t->len - at);
		break;
	case 2: t->len = at; break;
	default:
		if (t->len)
			t->b[at] = c;
	}
}

static void run(uint32_t n, bool response, uint32_t results[3], uint32_t flags[16])
{
	struct http1_reading r;
	struct text t;
	uint32_t i, spoils;

	for (i = 0; i < n; i++) {
		t.len = 0;
		if (response)
			put_status_line(&t);
		else
			put_request_line(&t);
		put_fields(&t, response);
		for (spoils = one_in(3) ? below(3) + 1 : 0; spoils; spoils--)
			spoil(&t);
		r = http1_compare(t.b, t.len, below(t.len + 1), response);
		results[r.result]++;
		for (spoils = 0; spoils < 16; spoils++)
			flags[spoils] += r.result == HTTP1_DONE && (r.flags >> spoils & 1);
	}
}

/* Whatever the generator makes of it, every result and every fact must have come often. */
static void random_requests(void **state)
{
	uint32_t results[3] = {}, flags[16] = {}, i;

	(void)state;
	random_state = 0x6d70627066;
	run(REQUESTS, false, results, flags);
	for (i = 0; i < 3; i++)
		assert_true(results[i] > REQUESTS / 50);
	for (i = 0; 1 << i <= HTTP1_WEBSOCKET; i++)
		if (1 << i != HTTP1_TOKEN_LONG)
			assert_true(flags[i] > REQUESTS / 100);
}

static void random_responses(void **state)
{
	uint32_t results[3] = {}, flags[16] = {}, i;

	(void)state;
	random_state = 0x68747470;
	run(RESPONSES, true, results, flags);
	for (i = 0; i < 3; i++)
		assert_true(results[i] > RESPONSES / 50);
	assert_true(flags[3] > RESPONSES / 20 && flags[4] > RESPONSES / 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_requests),
		cmocka_unit_test(random_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

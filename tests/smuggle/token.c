/* SPDX-License-Identifier: MIT */
/* Bearer tokens: made, and read back by a reading of their own. */
#include "smuggle.h"

#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define KNOWN 32
#define EXP_FUTURE "4102444800"
#define EXP_PAST "1000000000"
#define HEADER64 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" /* {"alg":"HS256","typ":"JWT"} */
#define SIGNATURE_CHARS 43

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url(struct text *t, const unsigned char *b, size_t len)
{
	char four[4];
	uint32_t v;
	size_t i, n;

	for (i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		v = b[i] << 16 | (n > 1 ? b[i + 1] << 8 : 0) | (n > 2 ? b[i + 2] : 0);
		four[0] = alphabet[v >> 18];
		four[1] = alphabet[v >> 12 & 63];
		four[2] = alphabet[v >> 6 & 63];
		four[3] = alphabet[v & 63];
		text_add(t, four, n + 1);
	}
}

static void base64url_decode(struct text *t, const char *s, size_t len)
{
	uint32_t v = 0, bits = 0;
	const char *p;
	unsigned char c;

	for (; len; s++, len--) {
		p = *s ? strchr(alphabet, *s) : NULL;
		if (!p)
			return;
		v = v << 6 | (p - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			c = v >> bits;
			text_add(t, &c, 1);
		}
	}
}

static void sign(struct text *t, const char *key, const char *text, size_t len)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	HMAC(EVP_sha256(), key, strlen(key), (const unsigned char *)text, len, digest, &n);
	base64url(t, digest, n);
}

static void jwt(struct text *t, const char *claims, const char *key)
{
	size_t start = t->len, end;

	text_puts(t, HEADER64 ".");
	base64url(t, (const unsigned char *)claims, strlen(claims));
	end = t->len;
	text_puts(t, ".");
	sign(t, key, t->b + start, end - start);
}

static void token_text(struct text *t, struct rng *r, enum token_kind kind)
{
	uint32_t n = rng_below(r, KNOWN);
	char claims[160];

	switch (kind) {
	case TOKEN_STATIC: text_puts(t, TOKEN_STATIC_TEXT); return;
	case TOKEN_NEW:
		snprintf(claims, sizeof(claims), "{\"sub\":\"new-%016lx\",\"exp\":%s}", (unsigned long)rng_next(r),
			 EXP_FUTURE);
		break;
	case TOKEN_EXPIRED: snprintf(claims, sizeof(claims), "{\"sub\":\"late-%u\",\"exp\":%s}", n, EXP_PAST); break;
	case TOKEN_EARLY:
		snprintf(claims, sizeof(claims), "{\"sub\":\"early-%u\",\"nbf\":%s,\"exp\":%s}", n, EXP_FUTURE,
			 EXP_FUTURE);
		break;
	default: snprintf(claims, sizeof(claims), "{\"sub\":\"known-%u\",\"exp\":%s}", n, EXP_FUTURE); break;
	}
	jwt(t, claims, kind == TOKEN_FORGED ? "another-secret" : TOKEN_SECRET);
}

void token_line(struct text *t, struct rng *r, enum token_kind kind)
{
	static const char *const names[] = { "Authorization", "Authorization", "Authorization", "authorization",
					     "AUTHORIZATION" };
	static const char *const schemes[] = {
		" Bearer ", " Bearer ", " Bearer ", " bearer ", ":Bearer ", "\tBEARER  "
	};
	const char *scheme = *RNG_PICK(r, schemes);

	if (kind == TOKEN_NONE)
		return;
	text_printf(t, "%s:", *RNG_PICK(r, names));
	if (kind == TOKEN_BASIC) {
		text_puts(t, " Basic c3RhdGljOnRva2Vu\r\n");
		return;
	}
	text_puts(t, *scheme == ':' ? scheme + 1 : scheme);
	token_text(t, r, kind);
	text_puts(t, rng_one_in(r, 12) ? " \t\r\n" : "\r\n");
}

/* The signature is ours, and the claims are those of the valid ones. */
static bool jwt_valid(const char *token, size_t len)
{
	struct text signature = {}, claims = {};
	const char *dot;
	size_t start = strlen(HEADER64) + 1, end;
	bool ok;

	if (len < start + SIGNATURE_CHARS + 2 || memcmp(token, HEADER64 ".", start))
		return false;
	dot = memchr(token + start, '.', len - start);
	if (!dot || (size_t)(token + len - dot) != SIGNATURE_CHARS + 1)
		return false;
	end = dot - token;
	sign(&signature, TOKEN_SECRET, token, end);
	base64url_decode(&claims, token + start, end - start);
	text_puts(&claims, "");
	ok = !memcmp(signature.b, dot + 1, SIGNATURE_CHARS) && strstr(claims.b, "\"exp\":" EXP_FUTURE) &&
	     !strstr(claims.b, "nbf");
	text_free(&signature);
	text_free(&claims);
	return ok;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

bool token_valid(const char *value, size_t len)
{
	for (; len && blank(*value); value++)
		len--;
	while (len && blank(value[len - 1]))
		len--;
	if (len < 8 || strncasecmp(value, "Bearer ", 7))
		return false;
	for (value += 7, len -= 7; len && *value == ' '; value++)
		len--;
	if (len == strlen(TOKEN_STATIC_TEXT) && !memcmp(value, TOKEN_STATIC_TEXT, len))
		return true;
	return jwt_valid(value, len);
}

// SPDX-License-Identifier: MIT
/*
 * Floor 4: JSON Web Tokens with an HMAC. The signature is libjwt's business; the form, which libjwt takes lightly, and
 * the choice of the algorithm, which it leaves to the token, are checked before it sees the token.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <jwt.h>
#include <openssl/crypto.h>

#include "core/util.h"
#include "userspace-auth/base64.h"
#include "userspace-auth/jwt.h"
#include "userspace-auth/jwt_json.h"

static const struct {
	jwt_alg_t alg;
	ssize_t signature_len;
} algorithms[] = {
	[JWT_HS256] = { JWT_ALG_HS256, 32 },
	[JWT_HS384] = { JWT_ALG_HS384, 48 },
	[JWT_HS512] = { JWT_ALG_HS512, 64 },
};

enum part { HEADER, PAYLOAD, SIGNATURE, PARTS };

struct span {
	const char *p;
	size_t len;
};

/* Exactly two dots, and something in each of the three parts. */
static int split(const char *token, size_t len, struct span parts[PARTS])
{
	const char *end = token + len, *dot;
	int i;

	for (i = 0; i < PARTS; i++) {
		dot = memchr(token, '.', (size_t)(end - token));
		if ((i == SIGNATURE) != !dot)
			return -EBADMSG;
		parts[i].p = token;
		parts[i].len = (size_t)((dot ? dot : end) - token);
		if (parts[i].len == 0)
			return -EBADMSG;
		token = dot ? dot + 1 : end;
	}
	return 0;
}

/* Decodes a part that must be JSON into `text`, terminated. A NUL inside would hide what follows from a C parser. */
static int decode_text(struct span part, char text[MPBPF_TOKEN_MAX])
{
	ssize_t n;

	n = base64_decode(BASE64_URL, part.p, part.len, (unsigned char *)text);
	if (n < 0 || memchr(text, '\0', (size_t)n))
		return -EBADMSG;
	text[n] = '\0';
	return 0;
}

static int check_form(const struct auth_config *auth, const struct span parts[PARTS])
{
	unsigned char signature[MPBPF_TOKEN_MAX];
	char header[MPBPF_TOKEN_MAX];
	int r;

	if (base64_decode(BASE64_URL, parts[SIGNATURE].p, parts[SIGNATURE].len, signature) !=
	    algorithms[auth->algorithm].signature_len)
		return -EBADMSG;
	r = decode_text(parts[HEADER], header);
	return r < 0 ? r : jwt_header_check(header, auth->algorithm);
}

static void text_free(char **text)
{
	if (*text)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
}

/* libjwt reads on without a key when the pointer is NULL, and anybody can sign with an empty one: both stay outside. */
static int check_signature(const struct auth_config *auth, const char *token, size_t len)
{
	_cleanup_(text_free) char *text = NULL;
	jwt_t *jwt = NULL;
	int r;

	text = strndup(token, len);
	if (!text)
		return -ENOMEM;
	errno = 0;
	r = jwt_decode(&jwt, text, (const unsigned char *)auth->secret, (int)auth->secret_len);
	if (r) /* what its libraries run out of, libjwt reports as EINVAL */
		return r == ENOMEM || errno == ENOMEM ? -ENOMEM : -EBADMSG;
	r = jwt_get_alg(jwt) == algorithms[auth->algorithm].alg ? 0 : -EBADMSG;
	jwt_free(jwt);
	return r;
}

int jwt_verify(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2],
	       struct jwt_claims *ret)
{
	char payload[MPBPF_TOKEN_MAX];
	struct span parts[PARTS];
	int r;

	if (!auth->secret || auth->secret_len == 0 || auth->secret_len > INT_MAX || len > MPBPF_TOKEN_MAX)
		return -EBADMSG;
	r = split(token, len, parts);
	if (r < 0)
		return r;
	r = check_form(auth, parts);
	if (r < 0)
		return r;
	r = decode_text(parts[PAYLOAD], payload);
	if (r < 0)
		return r;
	r = check_signature(auth, token, len);
	if (r < 0)
		return r;
	return jwt_claims_read(payload, auth->leeway_s, hash_key, ret);
}

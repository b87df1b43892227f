// SPDX-License-Identifier: MIT
/* Floor 4: the compact form of a token taken apart, and its signature held against the keys that it may be made with. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/util.h"
#include "userspace-auth/jws.h"
#include "userspace-auth/jwt_json.h"
#include "userspace-auth/signature.h"

enum part { HEADER, PAYLOAD, SIGNATURE, PARTS };

struct span {
	const char *p;
	size_t len;
};

/* Exactly two dots. Only the payload may be empty. */
static int split(const char *text, size_t len, struct span parts[PARTS])
{
	const char *end = text + len, *dot;
	int i;

	for (i = 0; i < PARTS; i++) {
		dot = memchr(text, '.', (size_t)(end - text));
		if ((i == SIGNATURE) != !dot)
			return -EBADMSG;
		parts[i].p = text;
		parts[i].len = (size_t)((dot ? dot : end) - text);
		if (parts[i].len == 0 && i != PAYLOAD)
			return -EBADMSG;
		text = dot ? dot + 1 : end;
	}
	return 0;
}

static ssize_t decode(struct span part, char out[MPBPF_TOKEN_MAX])
{
	ssize_t n = base64_decode(BASE64_URL, part.p, part.len, (unsigned char *)out);

	if (n < 0)
		return -EBADMSG;
	out[n] = '\0';
	return n;
}

static bool has_kid(const struct auth_config *auth)
{
	size_t i;

	for (i = 0; i < auth->n_keys; i++)
		if (auth->keys[i].kid)
			return true;
	return false;
}

static int try_key(const struct jwt_header *header, const char *kid, const struct jwt_key *key,
		   const struct signature *signature)
{
	if (kid && (!key->kid || strcmp(kid, key->kid)))
		return -EBADMSG;
	if (!(key->algorithms & JWT_BIT(header->algorithm)))
		return -EBADMSG;
	return signature_check(key, header->algorithm, signature);
}

static int try_keys(const struct auth_config *auth, const struct jwt_header *header, const struct signature *signature)
{
	const struct jwt_key own = { .algorithms = auth->secret && auth->secret_len ? JWT_HMACS : 0,
				     .secret = auth->secret,
				     .secret_len = auth->secret_len };
	const char *kid = has_kid(auth) ? header->kid : NULL;
	size_t i;
	int r;

	r = try_key(header, kid, &own, signature);
	for (i = 0; i < auth->n_keys && r == -EBADMSG; i++)
		r = try_key(header, kid, &auth->keys[i], signature);
	return r;
}

static int header_read(const struct auth_config *auth, struct span part, struct jwt_header *ret)
{
	char text[MPBPF_TOKEN_MAX];
	ssize_t n;
	int r;

	n = decode(part, text);
	if (n < 0)
		return -EBADMSG;
	r = jwt_header_read(text, (size_t)n, ret);
	if (r < 0)
		return r;
	return auth->algorithms & JWT_BIT(ret->algorithm) ? 0 : -EBADMSG;
}

int jws_verify(const struct auth_config *auth, const char *text, size_t len, char payload[MPBPF_TOKEN_MAX],
	       size_t *ret_len)
{
	_cleanup_(jwt_header_free) struct jwt_header header = {};
	unsigned char bytes[MPBPF_TOKEN_MAX];
	struct signature signature;
	struct span parts[PARTS];
	ssize_t n, payload_len;
	int r;

	if (len > MPBPF_TOKEN_MAX || split(text, len, parts) < 0)
		return -EBADMSG;
	n = base64_decode(BASE64_URL, parts[SIGNATURE].p, parts[SIGNATURE].len, bytes);
	payload_len = decode(parts[PAYLOAD], payload);
	if (n <= 0 || payload_len < 0)
		return -EBADMSG;
	r = header_read(auth, parts[HEADER], &header);
	if (r < 0)
		return r;
	signature = (struct signature){ .bytes = bytes,
					.len = (size_t)n,
					.input = (const unsigned char *)text,
					.input_len = (size_t)(parts[PAYLOAD].p + parts[PAYLOAD].len - text) };
	r = try_keys(auth, &header, &signature);
	if (r < 0)
		return r;
	*ret_len = (size_t)payload_len;
	return 0;
}

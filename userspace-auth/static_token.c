// SPDX-License-Identifier: MIT
/* Floor 4: tokens that stand in the configuration itself, compared in constant time. */
#include <string.h>
#include <openssl/crypto.h>

#include "bpf/include/siphash.h"
#include "core/base64.h"
#include "userspace-auth/static_token.h"

/*
 * Of the token as presented, and of what it decodes to, the keyed hash. Hashes are all of one length, so comparing them
 * tells nothing of the lengths behind them; nobody without the key can make two texts with one hash.
 */
struct readings {
	__u64 hash[STATIC_TOKEN_READINGS][2];
	size_t n;
};

static void readings_add(struct readings *r, const void *data, size_t len, const __u64 key[2])
{
	siphash128(key, data, (__u32)len, r->hash[r->n++]);
}

static void readings_decode(struct readings *r, const char *token, size_t len, const __u64 key[2])
{
	unsigned char out[MPBPF_TOKEN_MAX];
	ssize_t bare, n;

	bare = base64_unpadded(token, len);
	if (bare < 0)
		return;
	n = base64_decode(BASE64_STANDARD, token, (size_t)bare, out);
	if (n < 0)
		n = base64_decode(BASE64_URL, token, (size_t)bare, out);
	if (n > 0)
		readings_add(r, out, (size_t)n, key);
	OPENSSL_cleanse(out, sizeof(out));
}

static void readings_of(const char *token, size_t len, const __u64 key[2], struct readings *ret)
{
	ret->n = 0;
	if (len == 0 || len > MPBPF_TOKEN_MAX)
		return;
	readings_add(ret, token, len, key);
	readings_decode(ret, token, len, key);
}

size_t static_token_hashes(const char *token, size_t len, const uint64_t hash_key[2],
			   uint64_t ret[STATIC_TOKEN_READINGS])
{
	const __u64 key[2] = { hash_key[0], hash_key[1] };
	struct readings r;
	size_t i;

	readings_of(token, len, key, &r);
	for (i = 0; i < r.n; i++)
		ret[i] = r.hash[i][0] ?: 1;
	return r.n;
}

bool static_token_match(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2],
			uint64_t *ret_hash)
{
	const __u64 key[2] = { hash_key[0], hash_key[1] };
	uint64_t found[STATIC_TOKEN_READINGS] = {};
	struct readings r;
	size_t i, j;

	readings_of(token, len, key, &r);
	for (i = 0; i < auth->n_tokens; i++) {
		__u64 want[2];

		siphash128(key, (const __u8 *)auth->tokens[i], (__u32)strlen(auth->tokens[i]), want);
		/* No way out early: every configured token is compared with every reading. */
		for (j = 0; j < r.n; j++)
			if (!CRYPTO_memcmp(want, r.hash[j], sizeof(want)))
				found[j] = want[0] ?: 1;
	}
	/* One that is also another's encoding stands for that one too, and falls with it. */
	for (j = 0; j < r.n; j++)
		if (found[j])
			*ret_hash = found[j];
	return found[0] || found[1];
}

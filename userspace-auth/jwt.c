// SPDX-License-Identifier: MIT
/* Floor 4: JSON Web Tokens: a signature over claims. */
#include <errno.h>

#include "userspace-auth/jws.h"
#include "userspace-auth/jwt.h"
#include "userspace-auth/jwt_json.h"

int jwt_verify(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2],
	       struct jwt_claims *ret)
{
	char payload[MPBPF_TOKEN_MAX];
	size_t n;
	int r;

	r = jws_verify(auth, token, len, payload, &n);
	return r < 0 ? r : jwt_claims_read(payload, n, auth, hash_key, ret);
}

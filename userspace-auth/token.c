// SPDX-License-Identifier: MIT
/* Floor 4: is this bearer token good? Static tokens first, then JWT. */
#include <errno.h>

#include "userspace-auth/jwt.h"
#include "userspace-auth/static_token.h"
#include "userspace-auth/token.h"

/* Everything but the generation, which is the caller's. */
static void verdict_set(struct verdict *v, enum request_reason reason, const struct jwt_claims *claims)
{
	v->reason = reason;
	v->not_before = claims->not_before;
	v->expires = claims->expires;
	v->subject = claims->subject;
	v->jti = claims->jti;
}

int token_validate(const struct auth_config *auth, const char *token, size_t len, int64_t now,
		   const uint64_t hash_key[2], struct verdict *ret)
{
	struct jwt_claims claims = { .not_before = INT64_MIN, .expires = INT64_MAX };
	enum request_reason reason;
	int r;

	if (static_token_match(auth, token, len, hash_key, &claims.jti)) {
		verdict_set(ret, REQUEST_ALLOWED, &claims);
		return 0;
	}
	r = jwt_verify(auth, token, len, hash_key, &claims);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		reason = REQUEST_BAD_TOKEN;
	else
		reason = now >= claims.not_before && now < claims.expires ? REQUEST_ALLOWED : REQUEST_EXPIRED;
	verdict_set(ret, reason, &claims);
	return 0;
}

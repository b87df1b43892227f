/* SPDX-License-Identifier: MIT */
/* Floor 4: JSON Web Tokens (RFC 7519, with the advice of RFC 8725). */
#ifndef MPBPF_AUTH_JWT_H
#define MPBPF_AUTH_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

/* What a well-signed token claims. */
struct jwt_claims {
	int64_t not_before; /* CLOCK_REALTIME seconds, leeway taken off; INT64_MIN: no nbf */
	int64_t expires;    /* CLOCK_REALTIME seconds, leeway added; INT64_MAX: no exp */
	uint64_t subject;   /* keyed hash of sub; 0: no sub */
	uint64_t jti;	    /* keyed hash of jti; 0: no jti */
};

/*
 * jwt_verify - token: `len` bytes in compact form
 *
 * The signature is right as jws_verify() says, issuer, audience and required claims are as the block demands. Times are
 * not judged.
 *
 * Returns 0, -EBADMSG: not such a token, or -ENOMEM. *ret is untouched on failure.
 */
int jwt_verify(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2],
	       struct jwt_claims *ret);

#endif

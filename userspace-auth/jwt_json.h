/* SPDX-License-Identifier: MIT */
/* Floor 4: the two JSON objects inside a JWT. */
#ifndef MPBPF_AUTH_JWT_JSON_H
#define MPBPF_AUTH_JWT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "userspace-auth/jwt.h"

struct jwt_header {
	enum jwt_algorithm algorithm;
	char *kid; /* NULL: none */
};

/*
 * jwt_header_read - text: the decoded header, `len` bytes and a NUL
 *
 * Returns 0, -EBADMSG: not an object, a name that stands twice, `crit`, an algorithm that is not supported, `kid` no
 * string, or `typ` of something else than an access token; -ENOMEM. *ret is untouched on failure.
 */
int jwt_header_read(const char *text, size_t len, struct jwt_header *ret);
void jwt_header_free(struct jwt_header *header);

/*
 * jwt_claims_read - text: the decoded payload, `len` bytes and a NUL, of a token whose signature is right
 *
 * Returns 0, -EBADMSG: not an object, a name that stands twice, exp, nbf, sub or jti of a wrong type, or a claim that is
 * not as the block demands; -ENOMEM. *ret is untouched on failure.
 */
int jwt_claims_read(const char *text, size_t len, const struct auth_config *auth, const uint64_t hash_key[2],
		    struct jwt_claims *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 4: the two JSON objects inside a JWT. */
#ifndef MPBPF_AUTH_JWT_JSON_H
#define MPBPF_AUTH_JWT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "userspace-auth/jwt.h"

/*
 * jwt_header_check - text: the decoded header, terminated
 *
 * Returns 0, -EBADMSG: not an object, a name that stands twice, `crit`, or another algorithm; -ENOMEM.
 */
int jwt_header_check(const char *text, enum jwt_algorithm algorithm);

/*
 * jwt_claims_read - text: the decoded payload, terminated, of a token whose signature is right
 *
 * Returns 0, -EBADMSG: not an object, a name that stands twice, or exp, nbf, sub or jti of a wrong type; -ENOMEM.
 */
int jwt_claims_read(const char *text, uint32_t leeway_s, const uint64_t hash_key[2], struct jwt_claims *ret);

#endif

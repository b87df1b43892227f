/* SPDX-License-Identifier: MIT */
/* Floor 4: is this bearer token good? Static tokens in constant time, JWT (RFC 7519). */
#ifndef MPBPF_AUTH_TOKEN_H
#define MPBPF_AUTH_TOKEN_H

#include <stdint.h>
#include <stddef.h>

#include "core/config.h"

/*
 * token_validate - token: `len` bytes, not terminated, 1 to MPBPF_TOKEN_MAX
 * now: CLOCK_REALTIME seconds; only used to tell REQUEST_EXPIRED from REQUEST_ALLOWED in ret->reason
 *
 * Fills ret->reason (REQUEST_ALLOWED, REQUEST_BAD_TOKEN or REQUEST_EXPIRED), not_before, expires (leeway applied as abi.h
 * says), subject and jti (from `sub`, `jti` and the key given; 0: none; jti of a static token: from its text in the
 * configuration). generation is left to the caller. A token that is neither a static one nor a JWT that jwt_verify() takes is
 * REQUEST_BAD_TOKEN with not_before = S64_MIN and expires = S64_MAX. A well-signed JWT outside its times is given with its true
 * times: the caller and the kernel compare
 * the clock again on every hit.
 *
 * Returns 0, or -ENOMEM (then ret is untouched: nothing may be cached).
 */
int token_validate(const struct auth_config *auth, const char *token, size_t len, int64_t now,
		   const uint64_t hash_key[2], struct verdict *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: one JSON Web Key (RFC 7517; RFC 7518, section 6; RFC 8037). */
#ifndef MPBPF_CORE_JWK_H
#define MPBPF_CORE_JWK_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "core/jwt_key.h"

/*
 * jwk_read - kty oct, RSA, EC or OKP; alg, use and key_ops narrow what it is good for. Members that are not known
 * (x5c and the like) are not looked at.
 *
 * Returns 0; -EINVAL: it cannot verify tokens; -EKEYREJECTED: it holds a private key, which has no place here; *ret_why
 * says why in either case, in the form "it is ..."; -ENOMEM. *ret is untouched on failure, and the caller's on success.
 */
int jwk_read(const cJSON *jwk, struct jwt_key *ret, const char **ret_why);

/* Is it meant for signatures, as far as use and key_ops say (RFC 7517, sections 4.2 and 4.3)? */
bool jwk_may_verify(const cJSON *jwk);

#endif

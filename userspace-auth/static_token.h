/* SPDX-License-Identifier: MIT */
/* Floor 4: tokens that stand in the configuration itself. */
#ifndef MPBPF_AUTH_STATIC_TOKEN_H
#define MPBPF_AUTH_STATIC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

/* A text stands for itself and for what it is the base64 encoding of. */
#define STATIC_TOKEN_READINGS 2

/* The hashes, as in a verdict (never 0), of all that `token` may stand for: first itself. Returns their number, 0 when too long. */
size_t static_token_hashes(const char *token, size_t len, const uint64_t hash_key[2],
			   uint64_t ret[STATIC_TOKEN_READINGS]);

/*
 * static_token_match - is `token` one of auth->tokens, as it stands or base64-encoded (either alphabet, padded or not)?
 * hash_key: secret and random; the comparison is between hashes under it
 * ret_hash: of the configured token that it stands for; untouched when there is none
 *
 * How long it takes depends on the token presented and on the configuration as a whole, not on which configured token
 * matches, nor on how many of its bytes.
 */
bool static_token_match(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2],
			uint64_t *ret_hash);

#endif

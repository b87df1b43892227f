/* SPDX-License-Identifier: MIT */
/* Floor 4: tokens that stand in the configuration itself. */
#ifndef MPBPF_AUTH_STATIC_TOKEN_H
#define MPBPF_AUTH_STATIC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

/*
 * static_token_match - is `token` one of auth->tokens, as it stands or base64-encoded (either alphabet, padded or not)?
 * hash_key: secret and random; the comparison is between hashes under it
 *
 * How long it takes depends on the token presented and on the configuration as a whole, not on which configured token
 * matches, nor on how many of its bytes.
 */
bool static_token_match(const struct auth_config *auth, const char *token, size_t len, const uint64_t hash_key[2]);

#endif

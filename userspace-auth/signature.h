/* SPDX-License-Identifier: MIT */
/* Floor 4: one signature, one key. */
#ifndef MPBPF_AUTH_SIGNATURE_H
#define MPBPF_AUTH_SIGNATURE_H

#include <stddef.h>

#include "core/jwt_key.h"

struct signature {
	const unsigned char *bytes; /* as they are in a token: for ES* r and s beside each other */
	size_t len;
	const unsigned char *input; /* what was signed */
	size_t input_len;
};

/*
 * signature_check - key: one whose algorithms contain `algorithm`
 *
 * Returns 0, -EBADMSG: not signed so with this key; -ENOMEM. Takes as long for one wrong HMAC as for another.
 */
int signature_check(const struct jwt_key *key, enum jwt_algorithm algorithm, const struct signature *signature);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 4: JSON Web Signatures in compact form (RFC 7515; RFC 7518, section 3; RFC 8037), verified with OpenSSL. */
#ifndef MPBPF_AUTH_JWS_H
#define MPBPF_AUTH_JWS_H

#include <stddef.h>

#include "core/config.h"

/*
 * jws_verify - text: `len` bytes in compact form
 * payload: what was signed, a NUL behind it
 *
 * Accepts exactly one text for each token: canonical base64url, a header that names an algorithm of auth->algorithms, no
 * name in it twice, no `crit`, `typ` left out, JWT or at+jwt. Keys come from the configuration alone, never from the
 * token (jwk, jku, x5c and the like are not looked at), and a key is tried for the algorithms of its own type alone. With
 * a `kid` in the header and one on any key, only the key of that kid is tried; else all that fit.
 *
 * Returns 0, -EBADMSG: not such a token, or -ENOMEM. *ret_len is untouched on failure.
 */
int jws_verify(const struct auth_config *auth, const char *text, size_t len, char payload[MPBPF_TOKEN_MAX],
	       size_t *ret_len);

#endif

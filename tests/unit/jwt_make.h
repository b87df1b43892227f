/* SPDX-License-Identifier: MIT */
/* Test helper: makes JWTs, good and odd ones, with OpenSSL alone, so that the code under test is not its own judge. */
#ifndef MPBPF_TESTS_JWT_MAKE_H
#define MPBPF_TESTS_JWT_MAKE_H

#include <stddef.h>

#include "core/config.h"

#define JWT_TEXT_MAX 16384

/* base64url without padding; returns the length. */
size_t base64url_make(char *out, const void *data, size_t len);
/* "input.signature", whatever input is; returns the length. */
size_t jwt_sign(char *out, const char *input, enum jwt_algorithm algorithm, const void *key, size_t key_len);
/* header and payload as they stand, encoded and signed; returns the length. */
size_t jwt_make(char *out, const char *header, const char *payload, enum jwt_algorithm algorithm, const void *key,
		size_t key_len);
/* The same for texts that contain NUL. */
size_t jwt_make_raw(char *out, const void *header, size_t header_len, const void *payload, size_t payload_len,
		    enum jwt_algorithm algorithm, const void *key, size_t key_len);

#endif

/* SPDX-License-Identifier: MIT */
/* Test helper: one configuration and one clock, and what token_validate() says under them. */
#ifndef MPBPF_TESTS_TOKEN_JUDGE_H
#define MPBPF_TESTS_TOKEN_JUDGE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/jwt_make.h"
#include "userspace-auth/token.h"

#define NOW 1700000000
#define SECRET "correct horse battery staple"
#define H256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static const uint64_t hash_key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };
static struct auth_config auth = {
	.secret = SECRET, .secret_len = sizeof(SECRET) - 1, .algorithms = JWT_BIT(JWT_HS256), .leeway_s = 60
};
static char token[JWT_TEXT_MAX]; /* scratch */

/* The token stands at the end of an allocation of exactly its length: a byte read behind it is seen. */
static inline struct verdict judge_as(const struct auth_config *a, const char *text, size_t len)
{
	struct verdict v = { .generation = 77 };
	char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);
	assert_int_equal(token_validate(a, exact, len, NOW, hash_key, &v), 0);
	free(exact);
	assert_int_equal(v.generation, 77);
	if (v.reason == REQUEST_BAD_TOKEN) {
		assert_true(v.not_before == INT64_MIN && v.expires == INT64_MAX);
		assert_int_equal(v.subject, 0);
		assert_int_equal(v.jti, 0);
	}
	return v;
}

static inline enum request_reason judge(const char *text, size_t len)
{
	return judge_as(&auth, text, len).reason;
}

static inline enum request_reason judge_json(const char *header, const char *payload)
{
	return judge(token, jwt_make(token, header, payload, JWT_HS256, SECRET, strlen(SECRET)));
}

#endif

/* SPDX-License-Identifier: MIT */
/* What the tests of public keys share: an auth block with keys, read from files by the product's own reader. */
#ifndef MPBPF_TESTS_JWKS_TEST_H
#define MPBPF_TESTS_JWKS_TEST_H

#include "config_test.h"

#define EVERY_ALGORITHM \
	"[\"HS256\",\"HS384\",\"HS512\",\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"

/* {"version": "1", "auth": {`block`}}. 0, or the error with err->text. */
static inline int block_read(const char *block, struct config **ret, struct config_error *err)
{
	_cleanup_free_ char *text = NULL;

	assert_true(asprintf(&text, "{\"version\": \"1\", \"auth\": {%s}}", block) > 0);
	return parse_bytes(text, strlen(text), ret, err);
}

static inline struct config *block_must_read(const char *block)
{
	struct config_error err = {};
	struct config *config = NULL;

	if (block_read(block, &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

/* A JWK Set of these keys, allowed for every algorithm; NULL: refused. */
static inline struct config *jwks_try(const char *keys, struct config_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct config *config = NULL;

	assert_true(asprintf(&text, "{\"keys\":[%s]}", keys) > 0);
	put_text("jwks.json", text);
	block_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": " EVERY_ALGORITHM, &config, err);
	return config;
}

static inline struct config *jwks_must(const char *keys)
{
	struct config_error err = {};
	struct config *config = jwks_try(keys, &err);

	if (!config)
		fail_msg("%s", err.text);
	return config;
}

#endif

// SPDX-License-Identifier: MIT
/* Test: which texts stand for a static token of the configuration, and which come near but do not. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/util.h"
#include "tests/unit/jwt_make.h"
#include "userspace-auth/token.h"

static const uint64_t hash_key[2] = { 0x1122334455667788ULL, 0x99aabbccddeeff00ULL };

/* The third one's base64 has both characters in which the alphabets differ, the fourth is itself base64 ("token-x"). */
static char *tokens[] = { "token1", "another-secret", "subjects?\xfb\xef\xbe~", "dG9rZW4teA==" };
static struct auth_config auth = { .tokens = tokens, .n_tokens = ARRAY_SIZE(tokens), .leeway_s = 60 };

static enum request_reason judge(const struct auth_config *a, const char *text, size_t len)
{
	struct verdict v = { .generation = 77 };
	char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);
	assert_int_equal(token_validate(a, exact, len, 1700000000, hash_key, &v), 0);
	free(exact);
	assert_int_equal(v.generation, 77);
	assert_true(v.not_before == INT64_MIN && v.expires == INT64_MAX);
	assert_int_equal(v.subject, 0);
	return v.reason;
}

static bool good(const char *text)
{
	enum request_reason reason = judge(&auth, text, strlen(text));

	assert_true(reason == REQUEST_ALLOWED || reason == REQUEST_BAD_TOKEN);
	return reason == REQUEST_ALLOWED;
}

static void raw(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(tokens); i++)
		assert_true(good(tokens[i]));
}

static void encoded(void **state)
{
	static const char *const texts[] = {
		"dG9rZW4x",		/* token1 */
		"YW5vdGhlci1zZWNyZXQ=", /* another-secret, padded */
		"YW5vdGhlci1zZWNyZXQ",	/* and not */
		"c3ViamVjdHM/++++fg==", /* standard alphabet */
		"c3ViamVjdHM/++++fg",
		"c3ViamVjdHM_----fg==", /* url alphabet */
		"c3ViamVjdHM_----fg",
		"ZEc5clpXNHRlQT09", /* dG9rZW4teA== */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!good(texts[i]))
			fail_msg("%s", texts[i]);
}

static void near_misses(void **state)
{
	static const char *const texts[] = {
		"token",
		"token2",
		"token11",
		"Token1",
		" token1",
		"token1 ",
		"another-secre",
		"another-secret1",
		"nother-secret",
		"token1another-secret",
		"dG9rZW4",
		"dG9rZW4y",
		"dG9rZW4xMQ==",
		"dG9rZW4x=",
		"dG9rZW4x==",
		"dG9rZW4xA", /* six bits too many, all zero */
		"dG9rZW4x====",
		"YW5vdGhlci1zZWNyZXQ==",
		"YW5vdGhlci1zZWNyZXR=",
		"YW5vdGhlci1zZWNyZXR",
		"YW5vdGhlci1zZWNyZXQ=A",
		"c3ViamVjdHM/++++fg=", /* half of the padding */
		"c3ViamVjdHM/++++fh",  /* unused bits */
		"c3ViamVjdHM_++++fg",  /* two alphabets in one text */
		"c3ViamVjdHM/----fg",
		"ZEc5clpXNHg=", /* token1 encoded twice */
		"token-x",	/* what the fourth token would decode to */
		"=",
		"==",
		"====",
		"A",
		".",
		"dG9r ZW4x",
		"dG9rZW4x\n",
		"bearer token1",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (good(texts[i]))
			fail_msg("%s", texts[i]);
}

static void every_change_of_one_byte(void **state)
{
	char text[64];
	size_t i, k, n;
	int c;

	(void)state;
	for (k = 0; k < ARRAY_SIZE(tokens); k++) {
		n = strlen(tokens[k]);
		memcpy(text, tokens[k], n);
		for (i = 0; i < n; i++) {
			for (c = 0; c < 256; c++) {
				text[i] = (char)c;
				assert_int_equal(judge(&auth, text, n),
						 (char)c == tokens[k][i] ? REQUEST_ALLOWED : REQUEST_BAD_TOKEN);
			}
			text[i] = tokens[k][i];
		}
	}
}

static void nul_does_not_end_a_token(void **state)
{
	(void)state;
	assert_int_equal(judge(&auth, "token1\0", 7), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&auth, "token1\0x", 8), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&auth, "dG9rZW4xAA==", 12), REQUEST_BAD_TOKEN); /* token1 and a NUL */
	assert_int_equal(judge(&auth, "dG9rZW4xAA", 10), REQUEST_BAD_TOKEN);
}

static void empty_configurations(void **state)
{
	char *empty_token[] = { "", "x" };
	struct auth_config none = { .leeway_s = 60 }, empty = { .tokens = empty_token, .n_tokens = 2 };

	(void)state;
	assert_int_equal(judge(&none, "token1", 6), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&none, "dG9rZW4x", 8), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&empty, "x", 1), REQUEST_ALLOWED);
	assert_int_equal(judge(&empty, "", 0), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&empty, "=", 1), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&empty, "====", 4), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&empty, "\0", 1), REQUEST_BAD_TOKEN);
}

static void longest(void **state)
{
	static char text[MPBPF_TOKEN_MAX + 2];
	char *one[] = { text };
	struct auth_config a = { .tokens = one, .n_tokens = 1 };

	(void)state;
	memset(text, 'A', MPBPF_TOKEN_MAX);
	assert_int_equal(judge(&a, text, MPBPF_TOKEN_MAX), REQUEST_ALLOWED);
	assert_int_equal(judge(&a, text, MPBPF_TOKEN_MAX - 1), REQUEST_BAD_TOKEN);
	text[MPBPF_TOKEN_MAX] = 'A';
	assert_int_equal(judge(&a, text, MPBPF_TOKEN_MAX), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(&a, text, MPBPF_TOKEN_MAX + 1), REQUEST_BAD_TOKEN);
}

/* A text that is both: the configuration's own word comes first, whatever a JWT of that text would claim. */
static void static_before_jwt(void **state)
{
	char text[JWT_TEXT_MAX];
	char *one[] = { text };
	struct auth_config a = { .secret = "s", .secret_len = 1, .tokens = one, .n_tokens = 1 };
	size_t n;

	(void)state;
	n = jwt_make(text, "{\"alg\":\"HS256\"}", "{\"exp\":1,\"sub\":\"a\"}", JWT_HS256, "s", 1);
	assert_int_equal(judge(&a, text, n), REQUEST_ALLOWED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw),
		cmocka_unit_test(encoded),
		cmocka_unit_test(near_misses),
		cmocka_unit_test(every_change_of_one_byte),
		cmocka_unit_test(nul_does_not_end_a_token),
		cmocka_unit_test(empty_configurations),
		cmocka_unit_test(longest),
		cmocka_unit_test(static_before_jwt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

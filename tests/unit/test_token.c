// SPDX-License-Identifier: MIT
/* Test: which JWTs are good: form, algorithm and signature. JSON, claims and static tokens have files of their own. */
#include <errno.h>
#include <stdio.h>
#include <cjson/cJSON.h>
#include <openssl/evp.h>

#include "core/util.h"
#include "tests/unit/token_judge.h"

static void published_example(void **state)
{
	/* RFC 7515, appendix A.1 */
	static const char text[] =
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
		".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	static const char key64[] =
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
	char key[66];
	struct auth_config a = { .secret = key, .secret_len = 64, .algorithms = JWT_BIT(JWT_HS256) };
	struct verdict v;

	(void)state;
	assert_int_equal(EVP_DecodeBlock((unsigned char *)key, (const unsigned char *)key64, strlen(key64)), 66);
	v = judge_as(&a, text, strlen(text));
	assert_int_equal(v.reason, REQUEST_EXPIRED);
	assert_int_equal(v.expires, 1300819380);
	assert_true(v.not_before == INT64_MIN);
	assert_int_equal(token_validate(&a, text, strlen(text), 1300819379, hash_key, &v), 0);
	assert_int_equal(v.reason, REQUEST_ALLOWED);
}

static void only_the_configured_algorithm(void **state)
{
	static const char *const names[] = { "HS256", "HS384", "HS512" };
	int configured, named, signed_with, good = 0;
	char header[64];
	size_t n;

	(void)state;
	for (configured = JWT_HS256; configured <= JWT_HS512; configured++) {
		for (named = JWT_HS256; named <= JWT_HS512; named++) {
			for (signed_with = JWT_HS256; signed_with <= JWT_HS512; signed_with++) {
				struct auth_config a = auth;
				bool want = named == configured && signed_with == configured;

				a.algorithms = JWT_BIT(configured);
				snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[named]);
				n = jwt_make(token, header, "{}", signed_with, SECRET, strlen(SECRET));
				assert_int_equal(judge_as(&a, token, n).reason,
						 want ? REQUEST_ALLOWED : REQUEST_BAD_TOKEN);
				good += want;
			}
		}
	}
	assert_int_equal(good, 3);
}

static void other_algorithms(void **state)
{
	static const char *const values[] = {
		"\"none\"",   "\"None\"",   "\"NONE\"",	 "\"nonE\"",	"\"\"",		 "\"hs256\"",
		"\"HS256 \"", "\" HS256\"", "\"RS256\"", "\"RS384\"",	"\"RS512\"",	 "\"ES256\"",
		"\"ES384\"",  "\"ES512\"",  "\"PS256\"", "\"EdDSA\"",	"\"HS\"",	 "\"HS2560\"",
		"null",	      "256",	    "true",	 "[\"HS256\"]", "{\"HS256\":1}", "\"HS256\\u0000\"",
	};
	char header[128];
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(header, sizeof(header), "{\"alg\":%s}", values[i]);
		if (judge_json(header, "{}") != REQUEST_BAD_TOKEN)
			fail_msg("alg %s with a signature", values[i]);
		n = (size_t)(strrchr(token, '.') - token);
		if (judge(token, n + 1) != REQUEST_BAD_TOKEN || judge(token, n) != REQUEST_BAD_TOKEN)
			fail_msg("alg %s without a signature", values[i]);
	}
	assert_int_equal(judge_json("{}", "{}"), REQUEST_BAD_TOKEN);
	assert_int_equal(judge_json("{\"ALG\":\"HS256\"}", "{}"), REQUEST_BAD_TOKEN);
	assert_int_equal(judge_json("{\"alg\":\"HS256\"}", "{}"), REQUEST_ALLOWED);
	assert_int_equal(judge_json("{\"\\u0061lg\":\"HS\\u003256\"}", "{}"), REQUEST_ALLOWED);
}

static void wrong_keys(void **state)
{
	static const char *const keys[] = { "", "correct horse battery stapl", "correct horse battery staples",
					    "Correct horse battery staple", "x" };
	struct auth_config none = { .algorithms = JWT_BIT(JWT_HS256) };
	struct auth_config empty = { .secret = "", .algorithms = JWT_BIT(JWT_HS256) };
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		n = jwt_make(token, H256, "{}", JWT_HS256, keys[i], strlen(keys[i]));
		assert_int_equal(judge(token, n), REQUEST_BAD_TOKEN);
		assert_int_equal(judge_as(&none, token, n).reason, REQUEST_BAD_TOKEN);
		assert_int_equal(judge_as(&empty, token, n).reason, REQUEST_BAD_TOKEN);
	}
	/* Secrets are bytes: a NUL is one, too. */
	struct auth_config binary = { .secret = "a\0b\xff", .secret_len = 4, .algorithms = JWT_BIT(JWT_HS256) };

	n = jwt_make(token, H256, "{}", JWT_HS256, "a\0b\xff", 4);
	assert_int_equal(judge_as(&binary, token, n).reason, REQUEST_ALLOWED);
	n = jwt_make(token, H256, "{}", JWT_HS256, "a", 1);
	assert_int_equal(judge_as(&binary, token, n).reason, REQUEST_BAD_TOKEN);
}

static void every_truncation(void **state)
{
	size_t n, i;

	(void)state;
	n = jwt_make(token, H256, "{\"sub\":\"alice\",\"exp\":1700000100}", JWT_HS256, SECRET, strlen(SECRET));
	assert_int_equal(judge(token, n), REQUEST_ALLOWED);
	for (i = 0; i < n; i++) {
		assert_int_equal(judge(token, i), REQUEST_BAD_TOKEN);
		if (i)
			assert_int_equal(judge(token + i, n - i), REQUEST_BAD_TOKEN);
	}
}

static void every_change_of_one_byte(void **state)
{
	size_t n, i;
	int c;

	(void)state;
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"exp\":1700000100}", JWT_HS256, SECRET,
		     strlen(SECRET));
	for (i = 0; i < n; i++) {
		char was = token[i];

		for (c = 0; c < 256; c++) {
			token[i] = (char)c;
			if ((char)c != was && judge(token, n) != REQUEST_BAD_TOKEN)
				fail_msg("byte %zu as 0x%02x", i, c);
		}
		token[i] = was;
		assert_int_equal(judge(token, n), REQUEST_ALLOWED);
	}
}

static void bytes_put_in_or_left_out(void **state)
{
	static const char extra[] = { '.', '=', 'A', ' ', '\n', '\0', '-', '+', '%' };
	char changed[JWT_TEXT_MAX];
	size_t n, i, j;

	(void)state;
	n = jwt_make(token, H256, "{\"sub\":\"a\"}", JWT_HS256, SECRET, strlen(SECRET));
	for (i = 0; i <= n; i++) {
		memcpy(changed, token, i);
		memcpy(changed + i + 1, token + i, n - i);
		for (j = 0; j < sizeof(extra); j++) {
			changed[i] = extra[j];
			assert_int_equal(judge(changed, n + 1), REQUEST_BAD_TOKEN);
		}
		if (i < n) {
			memcpy(changed + i, token + i + 1, n - i - 1);
			assert_int_equal(judge(changed, n - 1), REQUEST_BAD_TOKEN);
		}
	}
}

/* Each is signed as it stands: only its form is wrong. */
static void base64url_has_one_form(void **state)
{
	static const struct {
		const char *input;
		bool good;
	} cases[] = {
		{ "eyJhbGciOiJIUzI1NiJ9.e30", true },  /* {"alg":"HS256"} and {} */
		{ "eyJhbGciOiJIUzI1NiJ9.e31", false }, /* unused bits not zero */
		{ "eyJhbGciOiJIUzI1NiJ9.e33", false },
		{ "eyJhbGciOiJIUzI1NiJ9.e30=", false },
		{ "eyJhbGciOiJIUzI1NiJ9.e30 ", false },
		{ "eyJhbGciOiJIUzI1NiJ9.e30A", false }, /* {} and a NUL */
		{ "eyJhbGciOiJIUzI1NiJ9.e", false },
		{ "eyJhbGciOiJIUzI1NiJ9A.e30", false }, /* six bits too many, all zero */
		{ "eyJhbGciOiJIUzI1NiJ9.e30.e30", false },
		{ "eyJhbGciOiJIUzI1NiJ9..e30", false },
		{ ".eyJhbGciOiJIUzI1NiJ9.e30", false },
		{ "eyJhbGciOiJIUzI1NiJ9.", false },
		{ ".e30", false },
		{ ".", false },
		{ "eyJhbGciOiJIUzI1NiIgfQ.e30", true }, /* {"alg":"HS256" } */
		{ "eyJhbGciOiJIUzI1NiIgfR.e30", false },
		{ "eyJhbGciOiJIUzI1NiIgfQ==.e30", false },
		{ "eyJhbGciOiJIUzI1NiJ9.eyJhIjoiw7_Dv34_In0", true }, /* {"a":"ÿÿ~?"} */
		{ "eyJhbGciOiJIUzI1NiJ9.eyJhIjoiw7/Dv34/In0", false },
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		n = jwt_sign(token, cases[i].input, JWT_HS256, SECRET, strlen(SECRET));
		if ((judge(token, n) == REQUEST_ALLOWED) != cases[i].good)
			fail_msg("%s", cases[i].input);
	}
}

static long allocations_left;

static void *scarce_malloc(size_t n)
{
	if (allocations_left-- > 0)
		return malloc(n);
	errno = ENOMEM;
	return NULL;
}

/* Out of memory is no verdict: it must not be cached as a bad token. */
static void lack_of_memory_is_not_a_bad_token(void **state)
{
	cJSON_Hooks hooks = { .malloc_fn = scarce_malloc, .free_fn = free };
	struct verdict before, v;
	int failures = 0, r;
	size_t n;
	long i;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	n = jwt_make(token, H256, "{\"sub\":\"alice\"}", JWT_HS256, SECRET, strlen(SECRET));
	for (i = 0;; i++) {
		v = before;
		allocations_left = i;
		cJSON_InitHooks(&hooks);
		r = token_validate(&auth, token, n, NOW, hash_key, &v);
		cJSON_InitHooks(NULL);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_memory_equal(&v, &before, sizeof(v));
		failures++;
	}
	assert_int_equal(v.reason, REQUEST_ALLOWED);
	assert_true(failures >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_example),
		cmocka_unit_test(only_the_configured_algorithm),
		cmocka_unit_test(other_algorithms),
		cmocka_unit_test(wrong_keys),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_change_of_one_byte),
		cmocka_unit_test(bytes_put_in_or_left_out),
		cmocka_unit_test(base64url_has_one_form),
		cmocka_unit_test(lack_of_memory_is_not_a_bad_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

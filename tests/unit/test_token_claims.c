// SPDX-License-Identifier: MIT
/* Test: what the claims of a well-signed JWT come to: exp and nbf with leeway, sub as a keyed hash. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "core/util.h"
#include "tests/unit/jwt_make.h"
#include "userspace-auth/token.h"

#define SECRET "correct horse battery staple"
#define ALWAYS INT64_MIN
#define NEVER INT64_MAX

static const uint64_t hash_key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };

static struct verdict judge(const char *payload, uint32_t leeway_s, int64_t now, const uint64_t key[2])
{
	struct auth_config auth = {
		.secret = SECRET, .secret_len = strlen(SECRET), .algorithms = JWT_BIT(JWT_HS256), .leeway_s = leeway_s
	};
	char token[JWT_TEXT_MAX];
	struct verdict v = {};
	size_t n;

	n = jwt_make(token, "{\"alg\":\"HS256\"}", payload, JWT_HS256, SECRET, strlen(SECRET));
	assert_int_equal(token_validate(&auth, token, n, now, key, &v), 0);
	return v;
}

static void reason_is(const char *payload, uint32_t leeway_s, int64_t now, enum request_reason want)
{
	struct verdict v = judge(payload, leeway_s, now, hash_key);

	if (v.reason != want)
		fail_msg("%s leeway %u now %lld: %u", payload, leeway_s, (long long)now, v.reason);
}

static void edges_of_the_leeway(void **state)
{
	(void)state;
	reason_is("{\"exp\":1000}", 60, 999, REQUEST_ALLOWED);
	reason_is("{\"exp\":1000}", 60, 1059, REQUEST_ALLOWED);
	reason_is("{\"exp\":1000}", 60, 1060, REQUEST_EXPIRED);
	reason_is("{\"exp\":1000}", 0, 999, REQUEST_ALLOWED);
	reason_is("{\"exp\":1000}", 0, 1000, REQUEST_EXPIRED);
	reason_is("{\"nbf\":1000}", 60, 939, REQUEST_EXPIRED);
	reason_is("{\"nbf\":1000}", 60, 940, REQUEST_ALLOWED);
	reason_is("{\"nbf\":1000}", 0, 999, REQUEST_EXPIRED);
	reason_is("{\"nbf\":1000}", 0, 1000, REQUEST_ALLOWED);
	reason_is("{\"nbf\":1000,\"exp\":2000}", 0, 999, REQUEST_EXPIRED);
	reason_is("{\"nbf\":1000,\"exp\":2000}", 0, 1000, REQUEST_ALLOWED);
	reason_is("{\"nbf\":1000,\"exp\":2000}", 0, 1999, REQUEST_ALLOWED);
	reason_is("{\"nbf\":1000,\"exp\":2000}", 0, 2000, REQUEST_EXPIRED);
	/* iat is no limit. */
	reason_is("{\"iat\":5000}", 0, 1000, REQUEST_ALLOWED);
	/* An interval that leeway alone does not open. */
	reason_is("{\"nbf\":2000,\"exp\":1000}", 0, 1500, REQUEST_EXPIRED);
}

static void true_times_are_given(void **state)
{
	static const struct {
		const char *payload;
		uint32_t leeway_s;
		int64_t not_before, expires;
	} cases[] = {
		{ "{}", 60, ALWAYS, NEVER },
		{ "{\"exp\":1000}", 60, ALWAYS, 1060 },
		{ "{\"nbf\":1000}", 60, 940, NEVER },
		{ "{\"exp\":0,\"nbf\":0}", 60, -60, 60 },
		{ "{\"exp\":-5,\"nbf\":-7}", 0, -7, -5 },
		{ "{\"exp\":1000.5,\"nbf\":1000.5}", 0, 1000, 1001 },
		{ "{\"exp\":1000.0,\"nbf\":1000.0}", 0, 1000, 1000 },
		{ "{\"exp\":1e3,\"nbf\":1E+3}", 0, 1000, 1000 },
		{ "{\"exp\":-0.5,\"nbf\":-0.5}", 0, -1, 0 },
		{ "{\"exp\":-1.5,\"nbf\":-1.5}", 0, -2, -1 },
		{ "{\"exp\":1000.0000001,\"nbf\":999.9999999}", 10, 989, 1011 },
		{ "{\"exp\":1e300,\"nbf\":-1e300}", 60, ALWAYS, NEVER },
		{ "{\"exp\":-1e300,\"nbf\":1e300}", 60, NEVER - 60, ALWAYS + 60 },
		{ "{\"exp\":9223372036854775807,\"nbf\":-9223372036854775808}", 86400, ALWAYS, NEVER },
		{ "{\"exp\":9223372036854774784,\"nbf\":-9223372036854774784}", 86400, ALWAYS, NEVER },
		{ "{\"exp\":99999999999999999999,\"nbf\":-99999999999999999999}", 60, ALWAYS, NEVER },
		{ "{\"exp\":6917529027641081856}", 1, ALWAYS, 6917529027641081857 },
		{ "{\"exp\":4503599627370496.5}", 0, ALWAYS, 4503599627370496 },
		{ "{\"exp\":4503599627370495.5}", 0, ALWAYS, 4503599627370496 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct verdict v = judge(cases[i].payload, cases[i].leeway_s, 1500, hash_key);

		if (v.not_before != cases[i].not_before || v.expires != cases[i].expires)
			fail_msg("%s: %lld %lld", cases[i].payload, (long long)v.not_before, (long long)v.expires);
		assert_true(v.reason == REQUEST_ALLOWED || v.reason == REQUEST_EXPIRED);
		assert_int_equal(v.reason == REQUEST_ALLOWED, v.not_before <= 1500 && 1500 < v.expires);
	}
}

/* The whole range of the clock against the whole range of the claims: nothing wraps. */
static void nothing_wraps(void **state)
{
	(void)state;
	reason_is("{\"exp\":9223372036854775807}", 86400, INT64_MAX - 1, REQUEST_ALLOWED);
	reason_is("{\"exp\":-1e300}", 86400, INT64_MAX, REQUEST_EXPIRED);
	reason_is("{\"exp\":-1e300}", 86400, 0, REQUEST_EXPIRED);
	reason_is("{\"exp\":-9223372036854775808}", 0, INT64_MIN, REQUEST_EXPIRED);
	reason_is("{\"nbf\":1e300}", 86400, 1700000000, REQUEST_EXPIRED);
	reason_is("{\"nbf\":9223372036854775807}", 0, 1700000000, REQUEST_EXPIRED);
	reason_is("{\"nbf\":-1e300}", 86400, INT64_MIN, REQUEST_ALLOWED);
}

static void times_of_a_wrong_type(void **state)
{
	static const char *const values[] = { "\"1800000000\"",
					      "\"\"",
					      "null",
					      "true",
					      "false",
					      "[]",
					      "[1800000000]",
					      "{}",
					      "{\"exp\":1800000000}",
					      "1e999",
					      "-1e999",
					      "01",
					      "1.",
					      ".5",
					      "+1",
					      "0x10",
					      "NaN",
					      "Infinity",
					      "1 2" };
	char payload[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(payload, sizeof(payload), "{\"exp\":%s}", values[i]);
		reason_is(payload, 60, 1000, REQUEST_BAD_TOKEN);
		snprintf(payload, sizeof(payload), "{\"nbf\":%s}", values[i]);
		reason_is(payload, 60, 1000, REQUEST_BAD_TOKEN);
		snprintf(payload, sizeof(payload), "{\"nbf\":1,\"exp\":%s}", values[i]);
		reason_is(payload, 60, 1000, REQUEST_BAD_TOKEN);
	}
}

/* A time of a wrong type is bad, not expired: no time of it may be believed. */
static void bad_comes_before_expired(void **state)
{
	(void)state;
	reason_is("{\"exp\":1,\"nbf\":\"x\"}", 0, 1000, REQUEST_BAD_TOKEN);
	reason_is("{\"exp\":1,\"sub\":7}", 0, 1000, REQUEST_BAD_TOKEN);
	reason_is("{\"exp\":1}", 0, 1000, REQUEST_EXPIRED);
}

/* The first eight bytes of SipHash-2-4-128 by OpenSSL, as a little-endian number. */
static uint64_t openssl_siphash(const uint64_t key[2], const char *text)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	unsigned char raw[16], out[16];
	size_t n = 16;
	OSSL_PARAM params[] = { OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &n), OSSL_PARAM_END };
	uint64_t value = 0;
	int i;

	for (i = 0; i < 16; i++)
		raw[i] = (unsigned char)(key[i / 8] >> (8 * (i % 8)));
	assert_true(EVP_MAC_init(ctx, raw, sizeof(raw), params));
	assert_true(EVP_MAC_update(ctx, (const unsigned char *)text, strlen(text)));
	assert_true(EVP_MAC_final(ctx, out, &n, sizeof(out)));
	for (i = 0; i < 8; i++)
		value |= (uint64_t)out[i] << (8 * i);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return value;
}

static void subject_is_a_keyed_hash(void **state)
{
	static const uint64_t other_key[2] = { 1, 2 };
	struct verdict v;

	(void)state;
	v = judge("{\"sub\":\"alice\"}", 0, 0, hash_key);
	assert_true(v.subject != 0);
	assert_true(v.subject == openssl_siphash(hash_key, "alice"));
	v = judge("{\"sub\":\"alice\"}", 0, 0, other_key);
	assert_true(v.subject == openssl_siphash(other_key, "alice"));
	v = judge("{\"sub\":\"\\u0061li\\u0063e\",\"exp\":5}", 0, 10, hash_key);
	assert_int_equal(v.reason, REQUEST_EXPIRED);
	assert_true(v.subject == openssl_siphash(hash_key, "alice"));
	v = judge("{\"sub\":\"\"}", 0, 0, hash_key);
	assert_true(v.subject == openssl_siphash(hash_key, ""));
	v = judge("{\"sub\":\"\\u00e4\\ud83d\\ude00\"}", 0, 0, hash_key);
	assert_true(v.subject == openssl_siphash(hash_key, "\xc3\xa4\xf0\x9f\x98\x80"));
	v = judge("{\"Sub\":\"alice\"}", 0, 0, hash_key);
	assert_int_equal(v.reason, REQUEST_ALLOWED);
	assert_int_equal(v.subject, 0);
}

static void subject_of_a_wrong_type(void **state)
{
	static const char *const values[] = { "1", "null", "true", "[]", "[\"alice\"]", "{\"a\":1}", "\"a\\u0000b\"" };
	char payload[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(payload, sizeof(payload), "{\"sub\":%s}", values[i]);
		reason_is(payload, 0, 0, REQUEST_BAD_TOKEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_of_the_leeway),
		cmocka_unit_test(true_times_are_given),
		cmocka_unit_test(nothing_wraps),
		cmocka_unit_test(times_of_a_wrong_type),
		cmocka_unit_test(bad_comes_before_expired),
		cmocka_unit_test(subject_is_a_keyed_hash),
		cmocka_unit_test(subject_of_a_wrong_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

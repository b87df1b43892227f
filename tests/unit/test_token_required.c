// SPDX-License-Identifier: MIT
/* Test: issuer, audience and required claims, as the configuration says them, and as tokens have them; jti. */
#include "jwks_test.h"
#include "bpf/include/siphash.h"
#include "tests/unit/jwt_make.h"
#include "userspace-auth/token.h"

static const uint64_t hash_key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };

static struct verdict judge(const char *block, const char *payload)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_config_ struct config *config = NULL;
	char token[JWT_TEXT_MAX];
	struct verdict v = {};
	size_t n;

	assert_true(asprintf(&text, "\"jwt_secret\": \"" KEY_48 "\"%s%s", *block ? ", " : "", block) > 0);
	config = block_must_read(text);
	n = jwt_make(token, "{\"alg\":\"HS256\"}", payload, JWT_HS256, KEY_48, 48);
	assert_int_equal(token_validate(&config->auth, token, n, 1000, hash_key, &v), 0);
	return v;
}

#define ISS "\"jwt_issuer\": \"https://a\""
#define ISS2 "\"jwt_issuer\": [\"https://a\", \"b\"]"
#define AUD "\"jwt_audience\": \"api\""
#define AUD2 "\"jwt_audience\": [\"api\", \"web\"]"
#define CLAIM(rules) "\"jwt_required_claims\": {" rules "}"

static const struct {
	const char *block, *payload;
	bool good;
} cases[] = {
	{ "", "{\"iss\":1,\"aud\":[2],\"scope\":{}}", true },
	{ ISS, "{\"iss\":\"https://a\"}", true },
	{ ISS, "{}", false },
	{ ISS, "{\"iss\":\"https://A\"}", false },
	{ ISS, "{\"iss\":\"https://a/\"}", false },
	{ ISS, "{\"iss\":\"\"}", false },
	{ ISS, "{\"iss\":null}", false },
	{ ISS, "{\"iss\":[\"https://a\"]}", false },
	{ ISS, "{\"iss\":{\"https://a\":1}}", false },
	{ ISS, "{\"Iss\":\"https://a\"}", false },
	{ ISS2, "{\"iss\":\"b\"}", true },
	{ ISS2, "{\"iss\":\"https://a\"}", true },
	{ ISS2, "{\"iss\":\"c\"}", false },
	{ AUD, "{\"aud\":\"api\"}", true },
	{ AUD, "{\"aud\":[\"api\"]}", true },
	{ AUD, "{\"aud\":[\"x\",\"api\",\"y\"]}", true },
	{ AUD, "{}", false },
	{ AUD, "{\"aud\":[]}", false },
	{ AUD, "{\"aud\":\"API\"}", false },
	{ AUD, "{\"aud\":\"api web\"}", false },
	{ AUD, "{\"aud\":[[\"api\"]]}", false },
	{ AUD, "{\"aud\":{\"api\":true}}", false },
	{ AUD, "{\"aud\":[1,true,null]}", false },
	{ AUD2, "{\"aud\":\"web\"}", true },
	{ AUD2, "{\"aud\":[\"x\",\"web\"]}", true },
	{ AUD2, "{\"aud\":[\"x\"]}", false },
	{ ISS ", " AUD, "{\"iss\":\"https://a\",\"aud\":\"api\"}", true },
	{ ISS ", " AUD, "{\"iss\":\"https://a\"}", false },
	{ ISS ", " AUD, "{\"aud\":\"api\"}", false },
	{ CLAIM(""), "{}", true },
	{ CLAIM("\"a\": \"x\""), "{\"a\":\"x\"}", true },
	{ CLAIM("\"a\": \"x\""), "{\"a\":\"\\u0078\"}", true },
	{ CLAIM("\"a\": \"x\""), "{\"\\u0061\":\"x\"}", true },
	{ CLAIM("\"a\": \"x\""), "{\"a\":\"X\"}", false },
	{ CLAIM("\"a\": \"x\""), "{\"A\":\"x\"}", false },
	{ CLAIM("\"a\": \"x\""), "{\"b\":{\"a\":\"x\"}}", false },
	{ CLAIM("\"a\": \"x\""), "{}", false },
	{ CLAIM("\"a\": \"\""), "{\"a\":\"\"}", true },
	{ CLAIM("\"a\": \"\""), "{\"a\":null}", false },
	{ CLAIM("\"a\": \"\""), "{}", false },
	{ CLAIM("\"a\": 1"), "{\"a\":1}", true },
	{ CLAIM("\"a\": 1"), "{\"a\":1.0}", true },
	{ CLAIM("\"a\": 1"), "{\"a\":10e-1}", true },
	{ CLAIM("\"a\": 1"), "{\"a\":\"1\"}", false },
	{ CLAIM("\"a\": 1"), "{\"a\":true}", false },
	{ CLAIM("\"a\": 1"), "{\"a\":1.0000000000000002}", false },
	{ CLAIM("\"a\": 0"), "{\"a\":false}", false },
	{ CLAIM("\"a\": 0"), "{\"a\":null}", false },
	{ CLAIM("\"a\": 9007199254740991"), "{\"a\":9007199254740991}", true },
	{ CLAIM("\"a\": 9007199254740991"), "{\"a\":9007199254740992}", false },
	{ CLAIM("\"a\": true"), "{\"a\":true}", true },
	{ CLAIM("\"a\": true"), "{\"a\":false}", false },
	{ CLAIM("\"a\": true"), "{\"a\":1}", false },
	{ CLAIM("\"a\": true"), "{\"a\":\"true\"}", false },
	{ CLAIM("\"a\": false"), "{\"a\":false}", true },
	{ CLAIM("\"a\": false"), "{\"a\":null}", false },
	{ CLAIM("\"a\": false"), "{}", false },
	{ CLAIM("\"a\": [\"x\", 1, true]"), "{\"a\":1}", true },
	{ CLAIM("\"a\": [\"x\", 1, true]"), "{\"a\":[false,2,true]}", true },
	{ CLAIM("\"a\": [\"x\", 1, true]"), "{\"a\":[false,2,\"1\"]}", false },
	{ CLAIM("\"a\": \"x\""), "{\"a\":[\"y\",\"x\"]}", true },
	{ CLAIM("\"a\": \"x\""), "{\"a\":[[\"x\"]]}", false },
	{ CLAIM("\"a\": \"x\""), "{\"a\":{\"x\":\"x\"}}", false },
	{ CLAIM("\"a\": \"x\", \"b\": 2"), "{\"a\":\"x\",\"b\":2}", true },
	{ CLAIM("\"a\": \"x\", \"b\": 2"), "{\"a\":\"x\",\"b\":3}", false },
	{ CLAIM("\"a\": \"x\", \"b\": 2"), "{\"b\":2}", false },
	{ CLAIM("\"iss\": \"b\"") ", " ISS2, "{\"iss\":\"b\"}", true },
	{ CLAIM("\"iss\": \"b\"") ", " ISS2, "{\"iss\":\"https://a\"}", false },
	{ CLAIM("\"sub\": \"alice\""), "{\"sub\":\"alice\"}", true },
	{ CLAIM("\"sub\": \"alice\""), "{\"sub\":\"bob\"}", false },
};

static void claims_are_as_demanded(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct verdict v = judge(cases[i].block, cases[i].payload);

		if (v.reason != (cases[i].good ? REQUEST_ALLOWED : REQUEST_BAD_TOKEN))
			fail_msg("{%s} %s", cases[i].block, cases[i].payload);
	}
}

/* A token that is not for us is bad, whatever its times and names: none of them may be believed. */
static void bad_claims_give_nothing_away(void **state)
{
	struct verdict v = judge(AUD, "{\"aud\":\"x\",\"exp\":5,\"nbf\":4,\"sub\":\"a\",\"jti\":\"b\"}");

	(void)state;
	assert_int_equal(v.reason, REQUEST_BAD_TOKEN);
	assert_true(v.not_before == INT64_MIN && v.expires == INT64_MAX && !v.subject && !v.jti);
}

static void jti_is_a_keyed_hash(void **state)
{
	static const char *const wrong[] = { "1", "null", "true", "[]", "[\"a\"]", "{}" };
	const __u64 key[2] = { hash_key[0], hash_key[1] };
	char payload[64];
	__u64 want[2];
	struct verdict v;
	size_t i;

	(void)state;
	siphash128(key, (const __u8 *)"id-1", 4, want);
	v = judge("", "{\"jti\":\"id-1\",\"sub\":\"a\"}");
	assert_int_equal(v.reason, REQUEST_ALLOWED);
	assert_true(v.jti == want[0] && v.jti && v.subject && v.subject != v.jti);
	v = judge("", "{\"jti\":\"\\u0069d-1\"}");
	assert_true(v.jti == want[0] && !v.subject);
	v = judge("", "{\"sub\":\"id-1\"}");
	assert_true(!v.jti && v.subject == want[0]);
	v = judge("", "{\"jti\":\"\"}");
	assert_true(v.jti);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(payload, sizeof(payload), "{\"jti\":%s}", wrong[i]);
		assert_int_equal(judge("", payload).reason, REQUEST_BAD_TOKEN);
	}
}

static void assert_claim_text(const struct claim_rule *rule, size_t i, const char *want)
{
	assert_true(i < rule->n_values);
	assert_int_equal(rule->values[i].kind, CLAIM_STRING);
	assert_string_equal(rule->values[i].text, want);
}

static void keys_of_the_full_example(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct auth_config *partner = config->listeners[4].auth;

	(void)state;
	assert_null(partner->secret);
	assert_int_equal(partner->algorithms, JWT_BIT(JWT_ES256) | JWT_BIT(JWT_EDDSA));
	assert_string_equal(partner->public_key_file, "jwt.pem");
	assert_string_equal(partner->jwks_file, "jwks.json");
	assert_int_equal(partner->n_keys, 2);
	assert_null(partner->keys[0].kid);
	assert_int_equal(partner->keys[0].algorithms, JWT_BIT(JWT_ES256));
	assert_string_equal(partner->keys[1].kid, "1");
	assert_int_equal(partner->keys[1].algorithms, JWT_BIT(JWT_EDDSA));
	assert_int_equal(config->n_key_files, 3);
	assert_string_equal(config->key_files[0], in_directory("jwt.pem"));
}

static void claims_of_the_full_example(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct auth_config *partner = config->listeners[4].auth;

	(void)state;
	assert_int_equal(partner->issuer.n_values, 2);
	assert_claim_text(&partner->issuer, 1, "https://issuer2.example");
	assert_int_equal(partner->audience.n_values, 1);
	assert_claim_text(&partner->audience, 0, "https://api.example");
	assert_int_equal(partner->n_claims, 3);
	assert_string_equal(partner->claims[0].name, "email_verified");
	assert_int_equal(partner->claims[0].values[0].kind, CLAIM_BOOLEAN);
	assert_true(partner->claims[0].values[0].boolean);
	assert_int_equal(partner->claims[1].values[0].kind, CLAIM_NUMBER);
	assert_true(partner->claims[1].values[0].number == 2);
	assert_int_equal(partner->claims[2].n_values, 2);
	assert_claim_text(&partner->claims[2], 1, "admin");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keys_of_the_full_example), cmocka_unit_test(claims_of_the_full_example),
	cmocka_unit_test(claims_are_as_demanded),   cmocka_unit_test(bad_claims_give_nothing_away),
	cmocka_unit_test(jti_is_a_keyed_hash),
};

int main(void)
{
	return cmocka_run_group_tests_name("token_required", tests, directory_make, directory_remove);
}

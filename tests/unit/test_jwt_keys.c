// SPDX-License-Identifier: MIT
/* Test: a token is good by the algorithm and the key that it should be good by, and by no other. */
#include <openssl/x509.h>

#include "jwks_test.h"
#include "tests/unit/jwt_make.h"
#include "tests/unit/pkey_make.h"
#include "userspace-auth/token.h"

enum pair { R2048, P256, P384, ED, R3072, OTHER_P256, PAIRS };

static const char *const makings[] = { "RSA:2048", "EC:P-256", "EC:P-384", "ED25519", "RSA:3072", "EC:P-256" };
static EVP_PKEY *pairs[PAIRS];
static char pems[PAIRS][4096], jwks[PAIRS][4096];
static char token[JWT_TEXT_MAX];

static const struct {
	enum jwt_algorithm algorithm;
	enum pair pair;
} kinds[] = { { JWT_RS256, R2048 }, { JWT_RS384, R2048 }, { JWT_RS512, R2048 }, { JWT_PS256, R2048 },
	      { JWT_ES256, P256 },  { JWT_ES384, P384 },  { JWT_EDDSA, ED } };

static enum request_reason judge(const struct config *config, const char *text, size_t len)
{
	struct verdict v = {};

	assert_int_equal(token_validate(&config->auth, text, len, 1700000000, (const uint64_t[2]){ 1, 2 }, &v), 0);
	return v.reason;
}

/* {"alg": "NAME" `more`}, signed as `how` says. */
static bool good(const struct config *config, const char *alg, const char *more, enum pair pair, struct pkey_how how)
{
	char header[4 * 4096 + 64];

	snprintf(header, sizeof(header), "{\"alg\":\"%s\"%s}", alg, more);
	return judge(config, token, pkey_sign(token, header, "{\"sub\":\"a\"}", pairs[pair], how)) == REQUEST_ALLOWED;
}

static struct pkey_how by(enum jwt_algorithm algorithm)
{
	return (struct pkey_how){ .algorithm = algorithm, .salt = -1 };
}

static struct config *pem_config(const char *algorithms, const char *pem)
{
	_cleanup_free_ char *block = NULL;

	put_text("jwt.pem", pem);
	assert_true(asprintf(&block, "\"jwt_public_key_file\": \"jwt.pem\", \"jwt_algorithm\": %s", algorithms) > 0);
	return block_must_read(block);
}

/* With every key there: what the header says, what it was signed by, and with what key, have to agree. */
static void each_algorithm_has_its_keys(void **state)
{
	char all[5 * 4096], allowed[32];
	size_t i, k, n_good = 0;

	(void)state;
	snprintf(all, sizeof(all), "%s%s# text between\n%s%s", pems[R2048], pems[P256], pems[P384], pems[ED]);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *name = jwt_algorithm_names[kinds[i].algorithm];
		_cleanup_config_ struct config *wide = pem_config(EVERY_ALGORITHM, all), *narrow = NULL;

		snprintf(allowed, sizeof(allowed), "\"%s\"", name);
		narrow = pem_config(allowed, all);
		assert_int_equal(wide->auth.n_keys, 4);
		assert_int_equal(narrow->auth.n_keys, 1);
		for (k = 0; k < ARRAY_SIZE(kinds); k++) {
			const char *header = jwt_algorithm_names[kinds[k].algorithm];
			struct pkey_how how = by(kinds[i].algorithm);

			if (good(wide, header, "", kinds[i].pair, how) != (i == k))
				fail_msg("%s as %s", name, header);
			/* Well signed, by an algorithm that the block does not allow. */
			how = by(kinds[k].algorithm);
			if (good(narrow, header, "", kinds[k].pair, how) != (i == k))
				fail_msg("%s where %s alone is allowed", header, name);
			n_good += i == k;
		}
		assert_false(
			good(wide, name, "", i < 4 ? R3072 : OTHER_P256, by(i < 4 ? kinds[i].algorithm : JWT_ES256)));
	}
	assert_int_equal(n_good, 7);
}

static void forms_of_signatures(void **state)
{
	_cleanup_config_ struct config *rsa = pem_config("[\"PS256\", \"RS256\"]", pems[R2048]);
	_cleanup_config_ struct config *ec = pem_config("[\"ES256\", \"ES384\"]", pems[P256]);
	static const int salts[] = { 0, 20, 31, 33, 48, 64, 222 };
	size_t i;

	(void)state;
	assert_true(good(rsa, "PS256", "", R2048, (struct pkey_how){ JWT_PS256, 32, 0 }));
	for (i = 0; i < ARRAY_SIZE(salts); i++)
		assert_false(good(rsa, "PS256", "", R2048, (struct pkey_how){ JWT_PS256, salts[i], 0 }));
	for (i = 0; i < 20; i++) {
		assert_true(good(ec, "ES256", "", P256, by(JWT_ES256)));
		assert_false(good(ec, "ES256", "", P256, (struct pkey_how){ JWT_ES256, 0, 1 }));
	}
	/* P-256 with SHA-384 is none of RFC 7518's. */
	assert_false(good(ec, "ES384", "", P256, by(JWT_ES384)));
	assert_false(good(ec, "ES256", "", P256, by(JWT_ES384)));
}

/* A public key is no secret: whoever takes its text, or its numbers, for one cannot sign. */
static void public_keys_are_no_secrets(void **state)
{
	_cleanup_config_ struct config *config = pem_config("[\"HS256\", \"RS256\", \"ES256\"]", pems[R2048]);
	_cleanup_config_ struct config *set = jwks_must(jwks[R2048]);
	unsigned char *der = NULL;
	char text[2 * 4096];
	size_t n;
	int len;

	(void)state;
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, pems[R2048], strlen(pems[R2048]));
	assert_int_equal(judge(config, token, n), REQUEST_BAD_TOKEN);
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, pems[R2048], strlen(pems[R2048]) - 1);
	assert_int_equal(judge(config, token, n), REQUEST_BAD_TOKEN);
	len = i2d_PUBKEY(pairs[R2048], &der);
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, der, (size_t)len);
	assert_int_equal(judge(config, token, n), REQUEST_BAD_TOKEN);
	OPENSSL_free(der);
	snprintf(text, sizeof(text), "{\"keys\":[%s]}", jwks[R2048]);
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, text, strlen(text));
	assert_int_equal(judge(set, token, n), REQUEST_BAD_TOKEN);
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, "", 0);
	assert_int_equal(judge(set, token, n), REQUEST_BAD_TOKEN);
	n = jwt_make(token, "{\"alg\":\"RS256\"}", "{}", JWT_HS256, text, strlen(text));
	assert_int_equal(judge(set, token, n), REQUEST_BAD_TOKEN);
}

/* A key of the token's own choosing is nobody's. */
static void keys_in_the_header_are_not_used(void **state)
{
	_cleanup_config_ struct config *config = jwks_must(jwks[P256]);
	char more[3 * 4096];

	(void)state;
	snprintf(more, sizeof(more), ",\"jwk\":%s", jwks[OTHER_P256]);
	assert_false(good(config, "ES256", more, OTHER_P256, by(JWT_ES256)));
	assert_true(good(config, "ES256", more, P256, by(JWT_ES256)));
	snprintf(more, sizeof(more),
		 ",\"jwk\":%s,\"jku\":\"https://a.example/jwks.json\",\"x5u\":\"file:///etc/passwd\"",
		 jwks[OTHER_P256]);
	assert_false(good(config, "ES256", more, OTHER_P256, by(JWT_ES256)));
	assert_true(good(config, "ES256", ",\"x5c\":[\"MIIB\"],\"x5t\":\"AAAA\"", P256, by(JWT_ES256)));
	assert_false(good(config, "ES256", ",\"x5c\":[\"MIIB\"],\"x5t\":\"AAAA\"", OTHER_P256, by(JWT_ES256)));
	assert_false(good(config, "ES256", ",\"crit\":[\"exp\"]", P256, by(JWT_ES256)));
	assert_false(good(config, "ES256", ",\"crit\":[]", P256, by(JWT_ES256)));
	assert_false(good(config, "none", "", P256, by(JWT_ES256)));
}

/* [which key signs][which kid the header has] */
static void kid_chooses_the_key(void **state)
{
	static const struct {
		const char *kids[2]; /* of P256, of OTHER_P256 */
		const char *header;
		bool good[2];
	} cases[] = {
		{ { NULL, NULL }, NULL, { true, true } },     { { NULL, NULL }, "1", { true, true } },
		{ { "1", "2" }, NULL, { true, true } },	      { { "1", "2" }, "1", { true, false } },
		{ { "1", "2" }, "2", { false, true } },	      { { "1", "2" }, "3", { false, false } },
		{ { "1", "2" }, "", { false, false } },	      { { "1", "2" }, "1\\u0020", { false, false } },
		{ { "1", "2" }, "\\u0031", { true, false } }, { { "1", NULL }, "1", { true, false } },
		{ { "1", NULL }, "2", { false, false } },     { { "1", NULL }, NULL, { true, true } },
		{ { "", "2" }, "", { true, false } },	      { { "A", "a" }, "a", { false, true } },
	};
	char a[4096], b[4096], keys[3 * 4096], more[64];
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_config_ struct config *config = NULL;

		snprintf(more, sizeof(more), cases[i].kids[0] ? ",\"kid\":\"%s\"" : "", cases[i].kids[0]);
		pkey_jwk(pairs[P256], more, a);
		snprintf(more, sizeof(more), cases[i].kids[1] ? ",\"kid\":\"%s\"" : "", cases[i].kids[1]);
		pkey_jwk(pairs[OTHER_P256], more, b);
		snprintf(keys, sizeof(keys), "%s,%s", a, b);
		config = jwks_must(keys);
		snprintf(more, sizeof(more), cases[i].header ? ",\"kid\":\"%s\"" : "", cases[i].header);
		for (k = 0; k < 2; k++)
			if (good(config, "ES256", more, k ? OTHER_P256 : P256, by(JWT_ES256)) != cases[i].good[k])
				fail_msg("case %zu, signed by %d", i, k);
	}
}

/* The secret has no kid: beside keys that do, a kid never means it. */
static void secret_and_keys_side_by_side(void **state)
{
	_cleanup_config_ struct config *config = NULL;
	char set[2 * 4096], jwk[4096];
	size_t n;

	(void)state;
	snprintf(set, sizeof(set), "{\"keys\":[%s]}",
		 pkey_jwk(pairs[ED], ",\"kid\":\"1\",\"alg\":\"EdDSA\",\"use\":\"sig\"", jwk));
	put_text("jwks.json", set);
	config = block_must_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_secret\": \"" KEY_48
				 "\", \"jwt_algorithm\": [\"EdDSA\", \"HS256\"]");
	assert_int_equal(config->n_warnings, 0);
	assert_true(good(config, "EdDSA", "", ED, by(JWT_EDDSA)));
	assert_true(good(config, "EdDSA", ",\"kid\":\"1\"", ED, by(JWT_EDDSA)));
	n = jwt_make(token, "{\"alg\":\"HS256\"}", "{}", JWT_HS256, KEY_48, 48);
	assert_int_equal(judge(config, token, n), REQUEST_ALLOWED);
	n = jwt_make(token, "{\"alg\":\"HS256\",\"kid\":\"1\"}", "{}", JWT_HS256, KEY_48, 48);
	assert_int_equal(judge(config, token, n), REQUEST_BAD_TOKEN);
}

/* A key's own alg narrows what its type allows. */
static void alg_of_a_key_restricts_it(void **state)
{
	_cleanup_config_ struct config *config = NULL;
	char jwk[4096];
	size_t i;

	(void)state;
	config = jwks_must(pkey_jwk(pairs[R2048], ",\"alg\":\"RS384\"", jwk));
	for (i = 0; i < 4; i++)
		assert_int_equal(
			good(config, jwt_algorithm_names[kinds[i].algorithm], "", R2048, by(kinds[i].algorithm)),
			kinds[i].algorithm == JWT_RS384);
}

static int setup(void **state)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		pairs[i] = pkey_make(makings[i]);
		pkey_pem(pairs[i], 0, pems[i]);
		pkey_jwk(pairs[i], "", jwks[i]);
	}
	return directory_make(state);
}

static int teardown(void **state)
{
	int i;

	for (i = 0; i < PAIRS; i++)
		EVP_PKEY_free(pairs[i]);
	return directory_remove(state);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_algorithm_has_its_keys), cmocka_unit_test(forms_of_signatures),
	cmocka_unit_test(public_keys_are_no_secrets),  cmocka_unit_test(keys_in_the_header_are_not_used),
	cmocka_unit_test(kid_chooses_the_key),	       cmocka_unit_test(secret_and_keys_side_by_side),
	cmocka_unit_test(alg_of_a_key_restricts_it),
};

int main(void)
{
	return cmocka_run_group_tests_name("jwt_keys", tests, setup, teardown);
}

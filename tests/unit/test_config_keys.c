// SPDX-License-Identifier: MIT
/* Test: files of keys: which are refused and in what words, which keys of a set are left out, modes and digest. */
#include <openssl/core_names.h>

#include "jwks_test.h"
#include "tests/unit/jwt_make.h"
#include "tests/unit/pkey_make.h"

#define PEM_ERROR "auth.jwt_public_key_file: value \"jwt.pem\": expected "
#define SET_ERROR "auth.jwt_jwks_file: value \"jwks.json\": expected "
#define X "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OKP(more) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":" X more "}"
#define K32 "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\""
#define OCT(more) "{\"kty\":\"oct\",\"k\":" K32 more "}"

static void pem_refused(const char *text, const char *want)
{
	struct config_error err = {};
	struct config *config = NULL;
	char expected[512];

	put_text("jwt.pem", text);
	snprintf(expected, sizeof(expected), "mpbpf.json: " PEM_ERROR "%s", want);
	assert_int_equal(
		block_read("\"jwt_public_key_file\": \"jwt.pem\", \"jwt_algorithm\": " EVERY_ALGORITHM, &config, &err),
		-EINVAL);
	assert_string_equal(err.text, expected);
}

/* `what`: what key 1 of the file is said to be. */
static void pem_key_refused(const char *making, int private, const char *what)
{
	EVP_PKEY *key = pkey_make(making);
	char pem[4096], want[256];

	snprintf(want, sizeof(want), "a PEM file of public keys (BEGIN PUBLIC KEY): key 1 is %s", what);
	pem_refused(pkey_pem(key, private, pem), want);
	EVP_PKEY_free(key);
}

/* The same curve, but written out: whoever writes it may write another generator. */
static void curves_have_names(void **state)
{
	EVP_PKEY *key = pkey_make("EC:P-256");
	char pem[4096];

	(void)state;
	assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
	pem_refused(pkey_pem(key, 0, pem),
		    "a PEM file of public keys (BEGIN PUBLIC KEY): key 1 is an EC key without the name "
		    "of its curve");
	EVP_PKEY_free(key);
}

/* n: how many bytes, all of them odd; e: in base64url. */
static void rsa_left_out(size_t n, const char *e, const char *why)
{
	char text[4096], number[2048], want[256];
	unsigned char bytes[1100];
	_cleanup_config_ struct config *config = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		bytes[i] = (unsigned char)(i * 37 | 0x81);
	base64url_make(number, bytes, n);
	snprintf(text, sizeof(text), OKP("") ",{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", number, e);
	config = jwks_must(text);
	snprintf(want, sizeof(want), "mpbpf.json: auth.jwt_jwks_file: key 2 is left out: it is %s", why);
	assert_string_equal(config->warnings[0], want);
}

static void rsa_numbers(void **state)
{
	(void)state;
	rsa_left_out(256, "AQ", "a key whose numbers are not those of a key");
	rsa_left_out(256, "AQAA", "a key whose numbers are not those of a key");
	rsa_left_out(256, "AQABAQABAQAB", "an RSA key whose exponent has over 64 bits");
	rsa_left_out(255, "AQAB", "an RSA key under 2048 bits (RFC 7518, section 3.3)");
	rsa_left_out(1025, "AQAB", "an RSA key over 8192 bits");
}

static void pem_files(void **state)
{
	static const char broken[] = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
	char two[2048];

	(void)state;
	pem_key_refused("EC:P-256", 1, "a private one; only the public one belongs here");
	pem_key_refused("RSA:1024", 0, "an RSA key under 2048 bits (RFC 7518, section 3.3)");
	pem_key_refused("EC:P-521", 0, "an EC key on another curve than P-256 and P-384");
	pem_key_refused("EC:secp256k1", 0, "an EC key on another curve than P-256 and P-384");
	pem_key_refused("ED448", 0, "a key that is neither RSA, EC nor Ed25519");
	pem_key_refused("X25519", 0, "a key that is neither RSA, EC nor Ed25519");
	pem_refused("", "a PEM file of public keys (BEGIN PUBLIC KEY): there is none in it");
	pem_refused("# none\n", "a PEM file of public keys (BEGIN PUBLIC KEY): there is none in it");
	pem_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		    "a PEM file of public keys (BEGIN PUBLIC KEY): key 1 is something else; take the key out of a "
		    "certificate with `openssl x509 -pubkey -noout`");
	pem_refused(broken,
		    "a PEM file of public keys (BEGIN PUBLIC KEY): key 1 is broken, or of a type that is not known");
	snprintf(two, sizeof(two), "%s%s", PUBLIC_PEM, broken);
	pem_refused(two,
		    "a PEM file of public keys (BEGIN PUBLIC KEY): key 2 is broken, or of a type that is not known");
	snprintf(two, sizeof(two), "%s%.60s", PUBLIC_PEM, PUBLIC_PEM);
	pem_refused(two, "a PEM file of public keys (BEGIN PUBLIC KEY): key 2 is cut short or not base64");
}

static void a_file_must_fit_the_algorithms(void **state)
{
	struct config_error err = {};
	struct config *config = NULL;

	(void)state;
	put_text("jwt.pem", PUBLIC_PEM);
	assert_int_equal(block_read("\"jwt_public_key_file\": \"jwt.pem\"", &config, &err), -EINVAL);
	assert_string_equal(err.text, "mpbpf.json: " PEM_ERROR "a file with a key for jwt_algorithm (HS256)");
	put_text("jwks.json", PUBLIC_JWKS);
	assert_int_equal(block_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": [\"RS256\", \"ES256\"]",
				    &config, &err),
			 -EINVAL);
	assert_string_equal(err.text, "mpbpf.json: " SET_ERROR "a file with a key for jwt_algorithm (RS256, ES256)");
}

static void set_refused(const char *text, const char *want)
{
	struct config_error err = {};
	struct config *config = NULL;
	char expected[512];

	put_text("jwks.json", text);
	snprintf(expected, sizeof(expected), "mpbpf.json: " SET_ERROR "%s", want);
	assert_int_equal(
		block_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": " EVERY_ALGORITHM, &config, &err),
		-EINVAL);
	assert_string_equal(err.text, expected);
}

static void sets_that_are_refused(void **state)
{
	char many[65 * 128] = "{\"keys\":[";
	int i;

	(void)state;
	set_refused("", "a JWK Set: line 1, column 1: expected valid JSON");
	set_refused("{\"keys\":[\n" OKP("") ",]}", "a JWK Set: line 2, column 81: expected valid JSON");
	set_refused("[]", "a JWK Set: {\"keys\": [...]}, each name once");
	set_refused("{}", "a JWK Set: {\"keys\": [...]}, each name once");
	set_refused(OKP(""), "a JWK Set: {\"keys\": [...]}, each name once");
	set_refused("{\"keys\":{}}", "a JWK Set: {\"keys\": [...]}, each name once");
	set_refused("{\"keys\":[],\"keys\":[" OKP("") "]}", "a JWK Set: {\"keys\": [...]}, each name once");
	set_refused("{\"keys\":[]}", "a JWK Set with a key that can verify tokens");
	set_refused("{\"keys\":[" OKP(",\"use\":\"enc\"") "]}", "a JWK Set with a key that can verify tokens");
	set_refused("{\"keys\":[" OKP(",\"d\":\"AAAA\"") "]}",
		    "a JWK Set: key 1 is a private key; only the public one belongs here");
	set_refused("{\"keys\":[" OKP("") "," OCT("") "]}",
		    "a JWK Set of either secrets (kty oct) or public keys, not both");
	set_refused("{\"keys\":[" OKP(",\"kid\":\"a\"") "," OKP(",\"kid\":\"\\u0061\"") "]}",
		    "a JWK Set in which each kid stands once: \"a\" does not");
	for (i = 0; i < 65; i++)
		sprintf(many + strlen(many), "%s%s", i ? "," : "", OKP(""));
	strcat(many, "]}");
	set_refused(many, "at most 64 keys in one auth block");
}

static const struct {
	const char *key, *why;
} left_out[] = {
	{ "1", "no object" },
	{ "null", "no object" },
	{ "{}", "a key whose kty is not oct, RSA, EC or OKP" },
	{ "{\"kty\":\"rsa\"}", "a key whose kty is not oct, RSA, EC or OKP" },
	{ "{\"kty\":7}", "a key whose kty is not oct, RSA, EC or OKP" },
	{ OKP(",\"kty\":\"OKP\""), "an object in which a name stands twice" },
	{ OKP(",\"use\":\"enc\""), "a key whose use or key_ops is not to verify signatures" },
	{ OKP(",\"use\":null"), "a key whose use or key_ops is not to verify signatures" },
	{ OKP(",\"key_ops\":[\"sign\"]"), "a key whose use or key_ops is not to verify signatures" },
	{ OKP(",\"key_ops\":\"verify\""), "a key whose use or key_ops is not to verify signatures" },
	{ OKP(",\"use\":\"enc\",\"key_ops\":[\"verify\"]"), "a key whose use or key_ops is not to verify signatures" },
	{ OKP(",\"alg\":\"ES512\""), "a key for an alg that is not supported" },
	{ OKP(",\"alg\":\"none\""), "a key for an alg that is not supported" },
	{ OKP(",\"alg\":1"), "a key for an alg that is not supported" },
	{ OKP(",\"alg\":\"ES256\""), "a key for an alg that asks for another type or size of key" },
	{ OKP(",\"alg\":\"HS256\""), "a key for an alg that asks for another type or size of key" },
	{ OKP(",\"kid\":1"), "a key whose kid is no string" },
	{ "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":" X "}", "an OKP key on another curve than Ed25519" },
	{ "{\"kty\":\"OKP\",\"x\":" X "}", "an OKP key on another curve than Ed25519" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "a key of which a member is missing" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "an Ed25519 key of another size than 32 bytes" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	  "a key of which a member is no base64url" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp\"}",
	  "a key of which a member is no base64url" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7f________________________________________8\"}",
	  "an Ed25519 key that anybody can sign by" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}",
	  "an EC key on another curve than P-256 and P-384" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":" X "}",
	  "an EC key with coordinates of another size than its curve's" },
	{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":" X ",\"y\":" X "}", "a key whose numbers are not those of a key" },
	{ "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "an RSA key under 2048 bits (RFC 7518, section 3.3)" },
	{ "{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "a key of which a member is missing" },
	{ "{\"kty\":\"oct\",\"k\":\"\"}", "a key of which a member is missing" },
	{ "{\"kty\":\"oct\",\"k\":\"AAEC\"}", "a secret under 32 bytes (RFC 7518, section 3.2)" },
	{ OCT(",\"alg\":\"HS384\""), "a key for an alg that asks for another type or size of key" },
};

/* Each beside a key that can be used, which stays. */
static void keys_that_are_left_out(void **state)
{
	char keys[2048], want[512];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(left_out); i++) {
		_cleanup_config_ struct config *config = NULL;

		snprintf(keys, sizeof(keys), OKP(",\"kid\":\"good\"") ",%s", left_out[i].key);
		config = jwks_must(keys);
		assert_int_equal(config->auth.n_keys, 1);
		assert_string_equal(config->auth.keys[0].kid, "good");
		snprintf(want, sizeof(want), "mpbpf.json: auth.jwt_jwks_file: key 2 is left out: it is %s",
			 left_out[i].why);
		if (strncmp(config->warnings[0], want, strlen(want)))
			fail_msg("%s: %s", left_out[i].key, config->warnings[0]);
	}
}

/* A kid comes from outside: it is shown as such. */
static void a_warning_names_the_kid(void **state)
{
	_cleanup_config_ struct config *config =
		jwks_must(OKP("") "," OKP(",\"kid\":\"a\\nb\\u001b\",\"use\":\"enc\""));

	(void)state;
	assert_string_equal(config->warnings[0],
			    "mpbpf.json: auth.jwt_jwks_file: key 2 (kid \"a\\nb\\x1b\") is left out: it is a "
			    "key whose use or key_ops is not to verify signatures");
}

/* An encryption key may bear the kid of the signature key: it is not among those that a token can mean. */
static void a_kid_of_another_use_is_none(void **state)
{
	_cleanup_config_ struct config *config =
		jwks_must(OKP(",\"kid\":\"a\"") "," OKP(",\"kid\":\"a\",\"use\":\"enc\""));

	(void)state;
	assert_int_equal(config->auth.n_keys, 1);
}

static void what_has_no_key_is_said(void **state)
{
	_cleanup_config_ struct config *set = NULL, *secret = NULL;

	(void)state;
	put_text("jwks.json", PUBLIC_JWKS);
	set = block_must_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": [\"EdDSA\", \"HS256\", \"RS256\"]");
	assert_int_equal(set->n_warnings, 1);
	assert_string_equal(set->warnings[0],
			    "mpbpf.json: auth: no key is given for HS256, RS256: such a token is refused");
	secret = block_must_read("\"jwt_secret\": \"" KEY_48
				 "\", \"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": \"EdDSA\"");
	assert_int_equal(secret->n_warnings, 1);
	assert_string_equal(secret->warnings[0],
			    "mpbpf.json: auth: the secret is for HS*, and no such algorithm is in jwt_algorithm");
}

static void keys_that_no_algorithm_uses_are_said(void **state)
{
	_cleanup_config_ struct config *config = NULL;
	EVP_PKEY *key = pkey_make("EC:P-256");
	char jwk[4096], set[2 * 4096];

	(void)state;
	snprintf(set, sizeof(set), "{\"keys\":[%s,%s,%s]}", OKP(",\"kid\":\"a\""), pkey_jwk(key, "", jwk), OKP(""));
	EVP_PKEY_free(key);
	put_text("jwks.json", set);
	config = block_must_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": \"ES256\"");
	assert_int_equal(config->auth.n_keys, 1);
	assert_int_equal(config->n_warnings, 2);
	assert_string_equal(config->warnings[0],
			    "mpbpf.json: auth.jwt_jwks_file: a key (kid \"a\") is left out: it is for "
			    "EdDSA, which jwt_algorithm does not allow");
	assert_string_equal(config->warnings[1],
			    "mpbpf.json: auth.jwt_jwks_file: a key is left out: it is for EdDSA, which "
			    "jwt_algorithm does not allow");
}

#define SECRET_SET "\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": [\"HS256\"]"

static void modes_of_key_files(void **state)
{
	struct config_error err = {};
	struct config *config = NULL;

	(void)state;
	put_text("jwks.json", "{\"keys\":[" OCT("") "]}");
	assert_int_equal(chmod(in_directory("jwks.json"), 0620), 0);
	assert_int_equal(block_read(SECRET_SET, &config, &err), -EINVAL);
	assert_string_equal(err.text,
			    "mpbpf.json: " SET_ERROR "a file that neither group nor others may write (chmod go-w)");
	assert_int_equal(chmod(in_directory("jwks.json"), 0640), 0);
	config = block_must_read(SECRET_SET);
	assert_int_equal(config->n_warnings, 0);
	config_free(config);
	assert_int_equal(chmod(in_directory("jwks.json"), 0644), 0);
	config = block_must_read(SECRET_SET);
	assert_int_equal(config->n_warnings, 1);
	assert_string_equal(config->warnings[0],
			    "mpbpf.json: auth.jwt_jwks_file: everybody may read this secret (chmod o-r)");
	config_free(config);
	put_text("jwks.json", PUBLIC_JWKS);
	assert_int_equal(chmod(in_directory("jwks.json"), 0644), 0);
	config = block_must_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_algorithm\": \"EdDSA\"");
	assert_int_equal(config->n_warnings, 0);
	config_free(config);
	put_text("jwt.key", KEY_48);
	assert_int_equal(chmod(in_directory("jwt.key"), 0644), 0);
	config = block_must_read("\"jwt_secret_file\": \"jwt.key\"");
	assert_int_equal(config->n_warnings, 1);
	config_free(config);
}

/* White space in a set changes no key, but whoever compares must see that the file is another. */
static void the_digest_covers_key_files(void **state)
{
	static const char block[] = "\"jwt_jwks_file\": \"jwks.json\", \"jwt_public_key_file\": \"jwt.pem\", "
				    "\"jwt_algorithm\": [\"EdDSA\", \"ES256\"]";
	struct config *configs[4];
	int i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		put_text("jwks.json", i == 1 ? PUBLIC_JWKS " " : PUBLIC_JWKS);
		put_text("jwt.pem", i == 2 ? PUBLIC_PEM "\n" : PUBLIC_PEM);
		configs[i] = block_must_read(block);
		for (k = 0; k < i; k++)
			assert_int_equal(!memcmp(configs[i]->digest, configs[k]->digest, 32), i == 3 && k == 0);
	}
	for (i = 0; i < 4; i++)
		config_free(configs[i]);
}

static void files_are_current_or_not(void **state)
{
	_cleanup_config_ struct config *config = NULL, *none = block_must_read("\"leeway_s\": 1");

	(void)state;
	assert_int_equal(config_keys_current(none), 1);
	put_text("jwks.json", PUBLIC_JWKS);
	put_text("jwt.pem", PUBLIC_PEM);
	config = block_must_read("\"jwt_jwks_file\": \"jwks.json\", \"jwt_public_key_file\": \"jwt.pem\", "
				 "\"jwt_algorithm\": [\"EdDSA\", \"ES256\"]");
	assert_int_equal(config_keys_current(config), 1);
	put_text("jwt.pem", PUBLIC_PEM "\n");
	assert_int_equal(config_keys_current(config), 0);
	put_text("jwt.pem", PUBLIC_PEM);
	assert_int_equal(config_keys_current(config), 1);
	unlink(in_directory("jwks.json"));
	assert_int_equal(config_keys_current(config), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rsa_numbers),
	cmocka_unit_test(pem_files),
	cmocka_unit_test(curves_have_names),
	cmocka_unit_test(a_file_must_fit_the_algorithms),
	cmocka_unit_test(sets_that_are_refused),
	cmocka_unit_test(keys_that_are_left_out),
	cmocka_unit_test(a_warning_names_the_kid),
	cmocka_unit_test(a_kid_of_another_use_is_none),
	cmocka_unit_test(what_has_no_key_is_said),
	cmocka_unit_test(keys_that_no_algorithm_uses_are_said),
	cmocka_unit_test(modes_of_key_files),
	cmocka_unit_test(the_digest_covers_key_files),
	cmocka_unit_test(files_are_current_or_not),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_keys", tests, directory_make, directory_remove);
}

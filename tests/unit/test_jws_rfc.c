// SPDX-License-Identifier: MIT
/* Test: the examples of RFC 7515, RFC 7519 and RFC 8037; those of RFC 7520 are among Wycheproof's cases. */
#include "jwks_test.h"
#include "userspace-auth/jws.h"
#include "userspace-auth/jwt.h"

#define JOE "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define JOE_TEXT "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"

/* RFC 7515, appendix A.1, which is also the example of RFC 7519, section 3.1. */
#define A1_KEY                                                                                                         \
	"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9C" \
	"Aow\"}"
#define A1 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define A2_KEY                                                                                                         \
	"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPME" \
	"zP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYU" \
	"sLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9i" \
	"aGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}"
#define A2                                                                                                            \
	"eyJhbGciOiJSUzI1NiJ9." JOE                                                                                   \
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9" \
	"CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn" \
	"6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB" \
	"p0igcN_IoypGlUPQGe77Rw"
#define A3_KEY                                                                                                         \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36H" \
	"LN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define A3                          \
	"eyJhbGciOiJFUzI1NiJ9." JOE \
	".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define A4_KEY                                                                                                              \
	"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS" \
	"9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf6"      \
	"3e3kyMj2\"}"
#define A4                                                                                                            \
	"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDK" \
	"B34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
#define A5 "eyJhbGciOiJub25lIn0." JOE "."

/* RFC 8037, appendix A.4 */
#define ED_KEY "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define ED                                                                                                            \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijc" \
	"NR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static const struct example {
	const char *name, *key, *jws, *payload;
} examples[] = {
	{ "RFC 7515 A.1", A1_KEY, A1, JOE_TEXT },
	{ "RFC 7515 A.2", A2_KEY, A2, JOE_TEXT },
	{ "RFC 7515 A.3", A3_KEY, A3, JOE_TEXT },
	{ "RFC 8037 A.4", ED_KEY, ED, "Example of Ed25519 signing" },
};

static bool verify(const struct config *config, const char *jws, size_t len, char payload[MPBPF_TOKEN_MAX])
{
	size_t n = 0;

	if (jws_verify(&config->auth, jws, len, payload, &n) < 0)
		return false;
	payload[n] = '\0';
	return true;
}

static void each_verifies_with_its_key_alone(void **state)
{
	char payload[MPBPF_TOKEN_MAX];
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		_cleanup_config_ struct config *config = jwks_must(examples[i].key);

		for (k = 0; k < ARRAY_SIZE(examples); k++) {
			const char *jws = examples[k].jws;

			if (verify(config, jws, strlen(jws), payload) != (i == k))
				fail_msg("%s with the key of %s", examples[k].name, examples[i].name);
			if (i == k)
				assert_string_equal(payload, examples[i].payload);
		}
	}
}

/* Every bit of what was signed, and of the signature, counts; so does every character. */
static void no_other_text_verifies(void **state)
{
	char text[2048], payload[MPBPF_TOKEN_MAX];
	size_t i, at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		_cleanup_config_ struct config *config = jwks_must(examples[i].key);
		size_t len = strlen(examples[i].jws);

		strcpy(text, examples[i].jws);
		for (at = 0; at < len; at++) {
			text[at] ^= 1 << at % 7;
			if (verify(config, text, len, payload))
				fail_msg("%s: changed at %zu", examples[i].name, at);
			text[at] = examples[i].jws[at];
			if (verify(config, text, at, payload))
				fail_msg("%s: cut at %zu", examples[i].name, at);
		}
		assert_true(verify(config, text, len, payload));
	}
}

/* Of the spellings that differ in the unused bits of the last character alone, one counts. */
static void unused_bits_are_zero(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char text[2048], payload[MPBPF_TOKEN_MAX];
	size_t i, c, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		_cleanup_config_ struct config *config = jwks_must(examples[i].key);
		size_t len = strlen(examples[i].jws);

		strcpy(text, examples[i].jws);
		for (c = n = 0; c < 64; c++) {
			text[len - 1] = alphabet[c];
			n += verify(config, text, len, payload);
		}
		assert_int_equal(n, 1);
		strcpy(text + len - 1, (const char[]){ examples[i].jws[len - 1], '=', '\0' });
		assert_false(verify(config, text, len + 1, payload));
	}
}

static void what_is_not_supported_is_refused(void **state)
{
	_cleanup_config_ struct config *all = jwks_must(A2_KEY "," A3_KEY "," ED_KEY "," A4_KEY), *none = NULL;
	struct config_error err = {};
	char payload[MPBPF_TOKEN_MAX];

	(void)state;
	assert_int_equal(all->auth.n_keys, 3);
	assert_false(verify(all, A4, strlen(A4), payload));
	assert_false(verify(all, A5, strlen(A5), payload));
	assert_false(verify(all, A5, strlen(A5) - 1, payload));
	none = jwks_try(A4_KEY, &err);
	assert_null(none);
	assert_string_equal(err.text,
			    "mpbpf.json: auth.jwt_jwks_file: value \"jwks.json\": expected a JWK Set with a key that "
			    "can verify tokens");
}

static void the_jwt_of_rfc_7519(void **state)
{
	_cleanup_config_ struct config *config = jwks_must(A1_KEY);
	struct jwt_claims claims;

	(void)state;
	config->auth.leeway_s = 0;
	assert_int_equal(jwt_verify(&config->auth, A1, strlen(A1), (const uint64_t[2]){ 1, 2 }, &claims), 0);
	assert_int_equal(claims.expires, 1300819380);
	assert_true(claims.not_before == INT64_MIN && !claims.subject && !claims.jti);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_verifies_with_its_key_alone),
	cmocka_unit_test(no_other_text_verifies),
	cmocka_unit_test(unused_bits_are_zero),
	cmocka_unit_test(what_is_not_supported_is_refused),
	cmocka_unit_test(the_jwt_of_rfc_7519),
};

int main(void)
{
	return cmocka_run_group_tests_name("jws_rfc", tests, directory_make, directory_remove);
}

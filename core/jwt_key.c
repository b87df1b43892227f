// SPDX-License-Identifier: MIT
/* Floor 3: which keys may verify tokens at all, and by which algorithms. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/jwt_key.h"
#include "core/util.h"

#define RSA_BITS_MIN 2048 /* RFC 7518, section 3.3 */
#define RSA_BITS_MAX 8192 /* beyond it the signature hardly fits into a token, and takes long to check */
#define RSA_EXPONENT_MAX 64
#define NOT_A_KEY "a key whose numbers are not those of a key"

const char *const jwt_algorithm_names[JWT_ALGORITHM_MAX + 1] = {
	[JWT_HS256] = "HS256", [JWT_HS384] = "HS384", [JWT_HS512] = "HS512", [JWT_RS256] = "RS256",
	[JWT_RS384] = "RS384", [JWT_RS512] = "RS512", [JWT_PS256] = "PS256", [JWT_ES256] = "ES256",
	[JWT_ES384] = "ES384", [JWT_EDDSA] = "EdDSA",
};

int jwt_algorithm_of(const char *name)
{
	int i;

	for (i = 0; i < JWT_ALGORITHM_MAX; i++)
		if (!strcmp(name, jwt_algorithm_names[i]))
			return i;
	return -ENOENT;
}

static int useless(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

int jwt_key_secret(char *secret, size_t len, struct jwt_key *ret, const char **ret_why)
{
	if (len < 32)
		return useless(ret_why, "a secret under 32 bytes (RFC 7518, section 3.2)");
	ret->algorithms =
		JWT_BIT(JWT_HS256) | (len >= 48 ? JWT_BIT(JWT_HS384) : 0) | (len >= 64 ? JWT_BIT(JWT_HS512) : 0);
	ret->secret = secret;
	ret->secret_len = len;
	return 0;
}

/* Is r a power of 65537 modulo the prime p? */
static bool is_power(BN_ULONG r, BN_ULONG p)
{
	BN_ULONG power = 1;

	do {
		if (power == r)
			return true;
		power = power * 65537 % p;
	} while (power != 1);
	return false;
}

/*
 * CVE-2017-15361 (ROCA): the primes of such keys are powers of 65537 modulo small primes, and so is their product. A sound
 * key is such a number modulo all of these by a chance of 2^-27.
 */
static bool rsa_is_roca(const BIGNUM *n)
{
	static const BN_ULONG primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(primes); i++)
		if (!is_power(BN_mod_word(n, primes[i]), primes[i]))
			return false;
	return true;
}

/* Is it a key at all? That n is no prime and has no small factor OpenSSL could tell, but takes up to a second for it. */
static int rsa_numbers_judge(const BIGNUM *n, const BIGNUM *e, const char **ret_why)
{
	if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e))
		return useless(ret_why, NOT_A_KEY);
	if (BN_num_bits(e) > RSA_EXPONENT_MAX)
		return useless(ret_why, "an RSA key whose exponent has over 64 bits");
	if (rsa_is_roca(n))
		return useless(ret_why, "an RSA key of a broken generator (CVE-2017-15361)");
	return 0;
}

static int rsa_judge(EVP_PKEY *public, uint32_t *ret, const char **ret_why)
{
	int bits = EVP_PKEY_get_bits(public), r = -ENOMEM;
	BIGNUM *n = NULL, *e = NULL;

	if (bits < RSA_BITS_MIN)
		return useless(ret_why, "an RSA key under 2048 bits (RFC 7518, section 3.3)");
	if (bits > RSA_BITS_MAX)
		return useless(ret_why, "an RSA key over 8192 bits");
	if (EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_N, &n) &&
	    EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_E, &e))
		r = rsa_numbers_judge(n, e, ret_why);
	BN_free(n);
	BN_free(e);
	if (r < 0)
		return r;
	*ret = JWT_BIT(JWT_RS256) | JWT_BIT(JWT_RS384) | JWT_BIT(JWT_RS512) | JWT_BIT(JWT_PS256);
	return 0;
}

static int ec_point_judge(EVP_PKEY *public, const char **ret_why)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, public, NULL);
	int r;

	if (!ctx)
		return -ENOMEM;
	r = EVP_PKEY_public_check(ctx) == 1 ? 0 : useless(ret_why, NOT_A_KEY);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

/* Written out, curve parameters may be anybody's (CVE-2020-0601): a curve counts by its name alone. */
static int ec_judge(EVP_PKEY *public, uint32_t *ret, const char **ret_why)
{
	char group[32] = "";
	int is_explicit = 0;
	size_t len;

	EVP_PKEY_get_int_param(public, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
	if (is_explicit || !EVP_PKEY_get_group_name(public, group, sizeof(group), &len))
		return useless(ret_why, "an EC key without the name of its curve");
	if (!strcmp(group, "prime256v1"))
		*ret = JWT_BIT(JWT_ES256);
	else if (!strcmp(group, "secp384r1"))
		*ret = JWT_BIT(JWT_ES384);
	else
		return useless(ret_why, "an EC key on another curve than P-256 and P-384");
	return ec_point_judge(public, ret_why);
}

/*
 * Points of small order, some in several spellings, the sign bit aside: by such a key, all zeros among them, anybody can sign
 * (RFC 8032, section 5.1.7, does not look).
 */
static int ed_judge(EVP_PKEY *public, uint32_t *ret, const char **ret_why)
{
	static const unsigned char small[][32] = {
		{ 0 },
		{ 1 },
		{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		  0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
		{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		  0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
		{ 0xec, [1 ... 30] = 0xff, 0x7f },
		{ 0xed, [1 ... 30] = 0xff, 0x7f },
		{ 0xee, [1 ... 30] = 0xff, 0x7f },
	};
	unsigned char point[32];
	size_t len = sizeof(point), i;

	if (!EVP_PKEY_get_raw_public_key(public, point, &len))
		return -ENOMEM;
	point[31] &= 0x7f;
	for (i = 0; i < ARRAY_SIZE(small); i++)
		if (!memcmp(point, small[i], sizeof(point)))
			return useless(ret_why, "an Ed25519 key that anybody can sign by");
	*ret = JWT_BIT(JWT_EDDSA);
	return 0;
}

static int public_judge(EVP_PKEY *public, uint32_t *ret, const char **ret_why)
{
	if (EVP_PKEY_is_a(public, "RSA"))
		return rsa_judge(public, ret, ret_why);
	if (EVP_PKEY_is_a(public, "EC"))
		return ec_judge(public, ret, ret_why);
	if (EVP_PKEY_is_a(public, "ED25519"))
		return ed_judge(public, ret, ret_why);
	return useless(ret_why, "a key that is neither RSA, EC nor Ed25519");
}

int jwt_key_public(EVP_PKEY *public, struct jwt_key *ret, const char **ret_why)
{
	uint32_t algorithms;
	int r;

	r = public_judge(public, &algorithms, ret_why);
	if (r < 0)
		return r;
	ret->algorithms = algorithms;
	ret->public = public;
	return 0;
}

void jwt_key_free(struct jwt_key *key)
{
	if (key->secret)
		explicit_bzero(key->secret, key->secret_len);
	free(key->secret);
	free(key->kid);
	EVP_PKEY_free(key->public);
	*key = (struct jwt_key){};
}

// SPDX-License-Identifier: MIT
/* Floor 3: reads a JSON Web Key into a key of OpenSSL's, or a secret. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "core/base64.h"
#include "core/jwk.h"
#include "core/json.h"
#include "core/util.h"

#define POINT_MAX (1 + 2 * 48) /* 0x04, x, y on P-384 */

struct bytes {
	unsigned char *p;
	size_t len;
};

#define _cleanup_bytes_ _cleanup_(bytes_wipe)

static void bytes_wipe(struct bytes *bytes)
{
	if (bytes->p)
		explicit_bzero(bytes->p, bytes->len);
	free(bytes->p);
}

static int useless(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static const char *text_of(const cJSON *jwk, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(jwk, name));
}

/* A member in base64url, as canonical as in a token, and not empty. */
static int bytes_of(const cJSON *jwk, const char *name, struct bytes *ret, const char **ret_why)
{
	_cleanup_bytes_ struct bytes bytes = {};
	const char *text = text_of(jwk, name);
	ssize_t n;

	if (!text || !*text)
		return useless(ret_why, "a key of which a member is missing");
	bytes.len = strlen(text);
	bytes.p = calloc(1, bytes.len + 2);
	if (!bytes.p)
		return -ENOMEM;
	n = base64_decode(BASE64_URL, text, bytes.len, bytes.p);
	if (n <= 0)
		return useless(ret_why, "a key of which a member is no base64url");
	ret->p = TAKE_PTR(bytes.p);
	ret->len = n;
	return 0;
}

static int public_from(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **ret, const char **ret_why)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	int r = -ENOMEM;

	if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1) {
		r = EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_PUBLIC_KEY, params) == 1 ? 0 : -EINVAL;
		if (r < 0)
			*ret_why = "a key whose numbers are not those of a key";
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static int rsa_build(const struct bytes *n, const struct bytes *e, EVP_PKEY **ret, const char **ret_why)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn(n->p, (int)n->len, NULL), *be = BN_bin2bn(e->p, (int)e->len, NULL);
	int r = -ENOMEM;

	if (build && bn && be && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be))
		r = public_from("RSA", build, ret, ret_why);
	OSSL_PARAM_BLD_free(build);
	BN_free(bn);
	BN_free(be);
	return r;
}

static int rsa_read(const cJSON *jwk, EVP_PKEY **ret, const char **ret_why)
{
	_cleanup_bytes_ struct bytes n = {}, e = {};
	int r;

	r = bytes_of(jwk, "n", &n, ret_why);
	if (r == 0)
		r = bytes_of(jwk, "e", &e, ret_why);
	return r < 0 ? r : rsa_build(&n, &e, ret, ret_why);
}

static int ec_build(const char *group, const unsigned char *point, size_t len, EVP_PKEY **ret, const char **ret_why)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	int r = -ENOMEM;

	if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, len))
		r = public_from("EC", build, ret, ret_why);
	OSSL_PARAM_BLD_free(build);
	return r;
}

/* Coordinates are of full size, leading zeros included (RFC 7518, section 6.2.1.2). */
static int ec_read(const cJSON *jwk, EVP_PKEY **ret, const char **ret_why)
{
	static const struct {
		const char *crv, *group;
		size_t size;
	} curves[] = { { "P-256", "prime256v1", 32 }, { "P-384", "secp384r1", 48 } };
	_cleanup_bytes_ struct bytes x = {}, y = {};
	const char *crv = text_of(jwk, "crv");
	unsigned char point[POINT_MAX] = { 4 };
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(curves); i++)
		if (crv && !strcmp(crv, curves[i].crv))
			break;
	if (i == ARRAY_SIZE(curves))
		return useless(ret_why, "an EC key on another curve than P-256 and P-384");
	r = bytes_of(jwk, "x", &x, ret_why);
	if (r == 0)
		r = bytes_of(jwk, "y", &y, ret_why);
	if (r < 0)
		return r;
	if (x.len != curves[i].size || y.len != curves[i].size)
		return useless(ret_why, "an EC key with coordinates of another size than its curve's");
	memcpy(point + 1, x.p, x.len);
	memcpy(point + 1 + x.len, y.p, y.len);
	return ec_build(curves[i].group, point, 1 + x.len + y.len, ret, ret_why);
}

static int okp_read(const cJSON *jwk, EVP_PKEY **ret, const char **ret_why)
{
	_cleanup_bytes_ struct bytes x = {};
	const char *crv = text_of(jwk, "crv");
	int r;

	if (!crv || strcmp(crv, "Ed25519"))
		return useless(ret_why, "an OKP key on another curve than Ed25519");
	r = bytes_of(jwk, "x", &x, ret_why);
	if (r < 0)
		return r;
	if (x.len != 32)
		return useless(ret_why, "an Ed25519 key of another size than 32 bytes");
	*ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.p, x.len);
	return *ret ? 0 : -ENOMEM;
}

static int oct_read(const cJSON *jwk, struct jwt_key *ret, const char **ret_why)
{
	_cleanup_bytes_ struct bytes k = {};
	int r;

	r = bytes_of(jwk, "k", &k, ret_why);
	if (r == 0)
		r = jwt_key_secret((char *)k.p, k.len, ret, ret_why);
	if (r == 0)
		k.p = NULL;
	return r;
}

static int material_read(const cJSON *jwk, struct jwt_key *ret, const char **ret_why)
{
	static const struct {
		const char *kty;
		int (*read)(const cJSON *jwk, EVP_PKEY **ret, const char **ret_why);
	} types[] = { { "RSA", rsa_read }, { "EC", ec_read }, { "OKP", okp_read } };
	const char *kty = text_of(jwk, "kty");
	EVP_PKEY *public = NULL;
	size_t i;
	int r;

	if (kty && !strcmp(kty, "oct"))
		return oct_read(jwk, ret, ret_why);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (kty && !strcmp(kty, types[i].kty))
			break;
	if (i == ARRAY_SIZE(types))
		return useless(ret_why, "a key whose kty is not oct, RSA, EC or OKP");
	if (cJSON_GetObjectItemCaseSensitive(jwk, "d")) {
		*ret_why = "a private key; only the public one belongs here";
		return -EKEYREJECTED;
	}
	r = types[i].read(jwk, &public, ret_why);
	if (r == 0)
		r = jwt_key_public(public, ret, ret_why);
	if (r < 0)
		EVP_PKEY_free(public);
	return r;
}

bool jwk_may_verify(const cJSON *jwk)
{
	const cJSON *use = cJSON_GetObjectItemCaseSensitive(jwk, "use");
	const cJSON *ops = cJSON_GetObjectItemCaseSensitive(jwk, "key_ops"), *op;

	if (!cJSON_IsObject(jwk))
		return false;
	if (use && (!cJSON_IsString(use) || strcmp(use->valuestring, "sig")))
		return false;
	if (!ops)
		return true;
	if (!cJSON_IsArray(ops))
		return false;
	cJSON_ArrayForEach(op, ops)
		if (cJSON_IsString(op) && !strcmp(op->valuestring, "verify"))
			return true;
	return false;
}

/* RFC 7517, section 4.4. */
static int narrow(const cJSON *jwk, struct jwt_key *key, const char **ret_why)
{
	const cJSON *alg = cJSON_GetObjectItemCaseSensitive(jwk, "alg");
	int algorithm;

	if (!alg)
		return 0;
	algorithm = cJSON_IsString(alg) ? jwt_algorithm_of(alg->valuestring) : -ENOENT;
	if (algorithm < 0)
		return useless(ret_why, "a key for an alg that is not supported");
	key->algorithms &= JWT_BIT(algorithm);
	return key->algorithms ? 0 : useless(ret_why, "a key for an alg that asks for another type or size of key");
}

static int kid_read(const cJSON *jwk, struct jwt_key *key, const char **ret_why)
{
	const cJSON *kid = cJSON_GetObjectItemCaseSensitive(jwk, "kid");

	if (!kid)
		return 0;
	if (!cJSON_IsString(kid))
		return useless(ret_why, "a key whose kid is no string");
	key->kid = strdup(kid->valuestring);
	return key->kid ? 0 : -ENOMEM;
}

int jwk_read(const cJSON *jwk, struct jwt_key *ret, const char **ret_why)
{
	_cleanup_(jwt_key_free) struct jwt_key key = {};
	int r;

	if (!cJSON_IsObject(jwk))
		return useless(ret_why, "no object");
	r = json_names_unique(jwk);
	if (r < 0)
		return r == -EBADMSG ? useless(ret_why, "an object in which a name stands twice") : r;
	if (!jwk_may_verify(jwk))
		return useless(ret_why, "a key whose use or key_ops is not to verify signatures");
	r = material_read(jwk, &key, ret_why);
	if (r == 0)
		r = narrow(jwk, &key, ret_why);
	if (r == 0)
		r = kid_read(jwk, &key, ret_why);
	if (r < 0)
		return r;
	*ret = key;
	key = (struct jwt_key){};
	return 0;
}

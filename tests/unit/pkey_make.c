// SPDX-License-Identifier: MIT
/* Test helper: key pairs and what is signed with them, by OpenSSL alone. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tests/unit/jwt_make.h"
#include "tests/unit/pkey_make.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

EVP_PKEY *pkey_make(const char *what)
{
	const char *size = strchr(what, ':');
	char type[16] = "";
	EVP_PKEY *key;

	memcpy(type, what, size ? (size_t)(size - what) : strlen(what));
	if (!strncmp(type, "RSA", 3))
		key = EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)atoi(size + 1));
	else if (size)
		key = EVP_PKEY_Q_keygen(NULL, NULL, type, size + 1);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	must(key);
	return key;
}

char *pkey_pem(EVP_PKEY *key, int private, char out[4096])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	must(private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(bio, key));
	n = BIO_read(bio, out, 4095);
	must(n > 0);
	out[n] = '\0';
	BIO_free(bio);
	return out;
}

static void number(EVP_PKEY *key, const char *name, size_t size, char *out)
{
	unsigned char bytes[1024];
	BIGNUM *n = NULL;

	must(EVP_PKEY_get_bn_param(key, name, &n));
	if (!size)
		size = (size_t)BN_num_bytes(n);
	must(BN_bn2binpad(n, bytes, (int)size) == (int)size);
	base64url_make(out, bytes, size);
	BN_free(n);
}

char *pkey_jwk(EVP_PKEY *key, const char *more, char out[4096])
{
	char a[2048], b[2048];

	if (EVP_PKEY_is_a(key, "RSA")) {
		number(key, OSSL_PKEY_PARAM_RSA_N, 0, a);
		number(key, OSSL_PKEY_PARAM_RSA_E, 0, b);
		must(snprintf(out, 4096, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, more) < 4096);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		size_t size = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

		number(key, OSSL_PKEY_PARAM_EC_PUB_X, size, a);
		number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, b);
		must(snprintf(out, 4096, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}",
			      EVP_PKEY_get_bits(key), a, b, more) < 4096);
	} else {
		unsigned char raw[64];
		size_t n = sizeof(raw);

		must(EVP_PKEY_get_raw_public_key(key, raw, &n));
		base64url_make(a, raw, n);
		must(snprintf(out, 4096, "{\"kty\":\"OKP\",\"crv\":\"Ed%s\",\"x\":\"%s\"%s}", n == 32 ? "25519" : "448",
			      a, more) < 4096);
	}
	return out;
}

static size_t raw_of_der(unsigned char *signature, size_t len, int half)
{
	const unsigned char *p = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);

	must(sig);
	must(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, half) == half);
	must(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + half, half) == half);
	ECDSA_SIG_free(sig);
	return 2 * (size_t)half;
}

static size_t sign(const char *input, EVP_PKEY *key, struct pkey_how how, unsigned char out[2048])
{
	static const char *const digests[] = {
		[JWT_RS256] = "SHA256", [JWT_RS384] = "SHA384", [JWT_RS512] = "SHA512", [JWT_PS256] = "SHA256",
		[JWT_ES256] = "SHA256", [JWT_ES384] = "SHA384", [JWT_EDDSA] = NULL
	};
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	size_t n = 2048;

	must(EVP_DigestSignInit_ex(md, &ctx, digests[how.algorithm], NULL, NULL, key, NULL) == 1);
	if (how.algorithm == JWT_PS256) {
		must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0);
		must(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, how.salt) > 0);
	}
	must(EVP_DigestSign(md, out, &n, (const unsigned char *)input, strlen(input)) == 1);
	EVP_MD_CTX_free(md);
	if (EVP_PKEY_is_a(key, "EC") && !how.der)
		n = raw_of_der(out, n, (EVP_PKEY_get_bits(key) + 7) / 8);
	return n;
}

size_t pkey_sign(char *out, const char *header, const char *payload, EVP_PKEY *key, struct pkey_how how)
{
	unsigned char signature[2048];
	size_t n, len;

	n = base64url_make(out, header, strlen(header));
	out[n++] = '.';
	n += base64url_make(out + n, payload, strlen(payload));
	len = sign(out, key, how, signature);
	out[n++] = '.';
	return n + base64url_make(out + n, signature, len);
}

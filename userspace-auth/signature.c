// SPDX-License-Identifier: MIT
/* Floor 4: the algorithms of RFC 7518, section 3, and RFC 8037, section 3.1, by OpenSSL's EVP. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "core/util.h"
#include "userspace-auth/signature.h"

#define DER_MAX 128 /* an ECDSA signature on P-384 takes 104 bytes at most */

enum scheme { HMAC_SHA, RSA_PKCS1, RSA_PSS, ECDSA, EDDSA };

static const struct {
	enum scheme scheme;
	const char *digest;
	size_t len; /* of a signature; 0: as long as the key */
} schemes[JWT_ALGORITHM_MAX] = {
	[JWT_HS256] = { HMAC_SHA, "SHA256", 32 }, [JWT_HS384] = { HMAC_SHA, "SHA384", 48 },
	[JWT_HS512] = { HMAC_SHA, "SHA512", 64 }, [JWT_RS256] = { RSA_PKCS1, "SHA256", 0 },
	[JWT_RS384] = { RSA_PKCS1, "SHA384", 0 }, [JWT_RS512] = { RSA_PKCS1, "SHA512", 0 },
	[JWT_PS256] = { RSA_PSS, "SHA256", 0 },	  [JWT_ES256] = { ECDSA, "SHA256", 64 },
	[JWT_ES384] = { ECDSA, "SHA384", 96 },	  [JWT_EDDSA] = { EDDSA, NULL, 64 },
};

/* After a call into OpenSSL failed: for want of memory, or because the signature is wrong? Leaves its queue empty. */
static int failure(void)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	ERR_clear_error();
	return reason == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EBADMSG;
}

static int hmac_check(const struct jwt_key *key, const char *digest, const struct signature *signature)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	size_t n;
	int r;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, key->secret, key->secret_len, signature->input,
		       signature->input_len, mac, sizeof(mac), &n)) {
		ERR_clear_error();
		return -ENOMEM;
	}
	r = n == signature->len && !CRYPTO_memcmp(mac, signature->bytes, n) ? 0 : -EBADMSG;
	OPENSSL_cleanse(mac, sizeof(mac));
	return r;
}

/* OpenSSL takes r and s in DER. Returns the length, -EBADMSG or -ENOMEM. */
static int ecdsa_to_der(const struct signature *signature, unsigned char out[DER_MAX])
{
	int half = (int)signature->len / 2, n;
	BIGNUM *r = BN_bin2bn(signature->bytes, half, NULL), *s = BN_bin2bn(signature->bytes + half, half, NULL);
	ECDSA_SIG *der = ECDSA_SIG_new();

	if (!r || !s || !der || !ECDSA_SIG_set0(der, r, s)) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(der);
		return -ENOMEM;
	}
	n = i2d_ECDSA_SIG(der, &out);
	ECDSA_SIG_free(der);
	return n > 0 ? n : -ENOMEM;
}

/* The salt is as long as the hash (RFC 7518, section 3.5), and MGF1 uses the same hash, as it does by default. */
static int pss_set(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static int public_check(EVP_PKEY *public, enum jwt_algorithm algorithm, const unsigned char *bytes, size_t len,
			const struct signature *signature)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	int r = 0;

	if (!md)
		return -ENOMEM;
	ERR_clear_error();
	if (EVP_DigestVerifyInit_ex(md, &ctx, schemes[algorithm].digest, NULL, NULL, public, NULL) != 1 ||
	    (schemes[algorithm].scheme == RSA_PSS && !pss_set(ctx)) ||
	    EVP_DigestVerify(md, bytes, len, signature->input, signature->input_len) != 1)
		r = failure();
	EVP_MD_CTX_free(md);
	return r;
}

int signature_check(const struct jwt_key *key, enum jwt_algorithm algorithm, const struct signature *signature)
{
	size_t len = schemes[algorithm].len ?: (size_t)EVP_PKEY_get_size(key->public);
	unsigned char der[DER_MAX];
	int n;

	if (signature->len != len)
		return -EBADMSG;
	if (schemes[algorithm].scheme == HMAC_SHA)
		return hmac_check(key, schemes[algorithm].digest, signature);
	if (schemes[algorithm].scheme != ECDSA)
		return public_check(key->public, algorithm, signature->bytes, signature->len, signature);
	n = ecdsa_to_der(signature, der);
	return n < 0 ? n : public_check(key->public, algorithm, der, (size_t)n, signature);
}

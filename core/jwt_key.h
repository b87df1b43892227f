/* SPDX-License-Identifier: MIT */
/* Floor 3: a key that verifies tokens, and the algorithms that it may verify. */
#ifndef MPBPF_CORE_JWT_KEY_H
#define MPBPF_CORE_JWT_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

/* RFC 7518, section 3.1; RFC 8037, section 3.1. */
enum jwt_algorithm {
	JWT_HS256,
	JWT_HS384,
	JWT_HS512,
	JWT_RS256,
	JWT_RS384,
	JWT_RS512,
	JWT_PS256,
	JWT_ES256,
	JWT_ES384,
	JWT_EDDSA,
	JWT_ALGORITHM_MAX
};

/* Sets of algorithms are bits. */
#define JWT_BIT(algorithm) (1U << (algorithm))
#define JWT_HMACS (JWT_BIT(JWT_HS256) | JWT_BIT(JWT_HS384) | JWT_BIT(JWT_HS512))

/* "HS256" and so on, as the header writes them; NULL at JWT_ALGORITHM_MAX. */
extern const char *const jwt_algorithm_names[JWT_ALGORITHM_MAX + 1];

/* Returns enum jwt_algorithm, or -ENOENT. Case counts. */
int jwt_algorithm_of(const char *name);

/* One key is of one type: a secret, or a public key. */
struct jwt_key {
	char *kid;	     /* NULL: none */
	uint32_t algorithms; /* that it may verify, never any of another type */
	char *secret;	     /* raw bytes of an HMAC key */
	size_t secret_len;
	EVP_PKEY *public;
};

/*
 * What a key is good for. Both take the bytes or the reference over into *ret, and leave ret->kid alone.
 *
 * jwt_key_secret: HS* as far as the secret is as long as the hash (RFC 7518, section 3.2).
 * jwt_key_public: RSA of 2048 to 8192 bits for RS* and PS256; EC on P-256 for ES256, on P-384 for ES384; Ed25519 for
 * EdDSA.
 *
 * Returns 0; -EINVAL: it is good for nothing, *ret_why says why ("an RSA key under 2048 bits ..."); -ENOMEM. On failure
 * nothing is taken.
 */
int jwt_key_secret(char *secret, size_t len, struct jwt_key *ret, const char **ret_why);
int jwt_key_public(EVP_PKEY *public, struct jwt_key *ret, const char **ret_why);

/* Wipes and frees what is in it. */
void jwt_key_free(struct jwt_key *key);

#endif

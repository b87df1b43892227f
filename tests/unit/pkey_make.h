/* SPDX-License-Identifier: MIT */
/* Test helper: key pairs, their public halves as PEM and JWK, and tokens signed with them, by OpenSSL alone. */
#ifndef MPBPF_TESTS_PKEY_MAKE_H
#define MPBPF_TESTS_PKEY_MAKE_H

#include <openssl/evp.h>

#include "core/jwt_key.h"

/* "RSA:2048", "EC:P-256", "ED25519" and so on. Aborts where OpenSSL cannot. */
EVP_PKEY *pkey_make(const char *what);

/* Both return their argument. PEM: BEGIN PUBLIC KEY or, `private`, BEGIN PRIVATE KEY. */
char *pkey_pem(EVP_PKEY *key, int private, char out[4096]);
/* `more`: further members, from their comma on: ",\"kid\":\"1\"". */
char *pkey_jwk(EVP_PKEY *key, const char *more, char out[4096]);

/*
 * "header.payload.signature", signed by `algorithm`, whatever the header says; returns the length. PS256's salt is `salt`
 * bytes long, or as long as the hash when it is -1. ES* are in DER when `der`.
 */
struct pkey_how {
	enum jwt_algorithm algorithm;
	int salt, der;
};

size_t pkey_sign(char *out, const char *header, const char *payload, EVP_PKEY *key, struct pkey_how how);

#endif

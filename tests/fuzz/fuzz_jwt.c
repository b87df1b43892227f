// SPDX-License-Identifier: MIT
/*
 * Fuzz target: tokens, and files of keys. Beyond memory safety: nothing is accepted that was not signed, each token has one
 * text, and reading a file of keys twice comes to the same.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/config.h"
#include "userspace-auth/jws.h"
#include "userspace-auth/jwt.h"

#define SECRET "a-secret-of-32-bytes-for-fuzzing"
#define ALL "[\"HS256\",\"HS384\",\"HS512\",\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t hash_key[2] = { 1, 2 };

static void must(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static struct config *read_config(const char *text)
{
	struct config_error err = {};
	struct config *config = NULL;
	int r = config_parse(text, strlen(text), "fuzz", NULL, &config, &err);

	must((r == 0) == !!config && (r == 0) == !err.text[0]);
	return config;
}

/* A file of these bytes, by a name that can be opened. */
static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("keys", MFD_CLOEXEC);

	must(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

/* Whatever keys they are, a token that nobody signed is not good by them. */
static void unsigned_is_refused(const struct auth_config *auth)
{
	static const struct {
		const char *header;
		int len; /* of a signature, in characters */
	} cases[] = { { "eyJhbGciOiJIUzI1NiJ9", 43 },
		      { "eyJhbGciOiJSUzI1NiJ9", 342 },
		      { "eyJhbGciOiJFUzI1NiJ9", 86 },
		      { "eyJhbGciOiJFZERTQSJ9", 86 },
		      { "eyJhbGciOiJub25lIn0", 0 } };
	char text[512], payload[MPBPF_TOKEN_MAX];
	size_t i, n, len;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = (size_t)snprintf(text, sizeof(text), "%s.e30.", cases[i].header);
		memset(text + len, 'A', (size_t)cases[i].len);
		must(jws_verify(auth, text, len + (size_t)cases[i].len, payload, &n) < 0);
	}
}

static void keys(const char *member, const uint8_t *data, size_t size)
{
	int fd = file_of(data, size);
	struct config *a, *b;
	char text[512];
	size_t i;

	snprintf(text, sizeof(text),
		 "{\"version\":\"1\",\"auth\":{\"jwt_algorithm\":" ALL ",\"%s\":\"/proc/self/fd/%d\"}}", member, fd);
	a = read_config(text);
	b = read_config(text);
	must(!a == !b);
	if (a) {
		must(a->auth.n_keys && a->auth.n_keys <= JWT_KEYS_MAX && a->auth.n_keys == b->auth.n_keys);
		must(config_keys_current(a) == 1);
		for (i = 0; i < a->auth.n_keys; i++) {
			const struct jwt_key *key = &a->auth.keys[i];

			must(key->algorithms && key->algorithms == b->auth.keys[i].algorithms);
			must(!key->secret == !!key->public && !key->secret == !(key->algorithms & JWT_HMACS));
		}
		unsigned_is_refused(&a->auth);
	}
	config_free(a);
	config_free(b);
	close(fd);
}

static const struct auth_config *block(void)
{
	static struct config *config;

	if (!config)
		config = read_config("{\"version\":\"1\",\"auth\":{\"jwt_secret\":\"" SECRET "\",\"jwt_algorithm\":" ALL
				     ",\"jwt_required_claims\":{\"a\":[1,true,\"x\"]}}}");
	must(config);
	return &config->auth;
}

static int verify(const char *text, size_t len, struct jwt_claims *ret)
{
	char *exact = malloc(len ? len : 1);
	int r;

	memcpy(exact, text, len);
	r = jwt_verify(block(), exact, len, hash_key, ret);
	free(exact);
	return r;
}

/* Nobody signs by guessing. */
static void raw_token(const uint8_t *data, size_t size)
{
	struct jwt_claims claims;

	must(size == 0 || verify((const char *)data, size, &claims) == -EBADMSG);
}

static size_t encode(char *out, const void *data, size_t size)
{
	size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)size), i;

	while (n && out[n - 1] == '=')
		n--;
	for (i = 0; i < n; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return n;
}

/* A change of any one bit of a character, that of unused bits included, makes it another token, or none. */
static void check_one_text(char *text, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct jwt_claims claims;
	size_t at = len - 1;
	char was = text[at];
	int i;

	for (i = 0; i < 64; i++) {
		text[at] = alphabet[i];
		must(alphabet[i] == was || verify(text, len, &claims) == -EBADMSG);
	}
	text[at] = was;
	text[len] = '=';
	must(verify(text, len + 1, &claims) == -EBADMSG);
}

/* Header, NUL, payload, well signed. */
static void signed_token(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	static char text[32768];
	struct jwt_claims claims, again;
	unsigned char mac[32];
	size_t n;

	if (!nul || size > 8192)
		return;
	n = encode(text, data, (size_t)(nul - data));
	text[n++] = '.';
	n += encode(text + n, nul + 1, size - (size_t)(nul - data) - 1);
	must(HMAC(EVP_sha256(), SECRET, 32, (unsigned char *)text, n, mac, NULL) != NULL);
	text[n++] = '.';
	n += encode(text + n, mac, sizeof(mac));
	if (verify(text, n, &claims) < 0)
		return;
	must(memmem(data, (size_t)(nul - data), "alg", 3) || memchr(data, '\\', (size_t)(nul - data)));
	must(verify(text, n, &again) == 0 && !memcmp(&claims, &again, sizeof(claims)));
	check_one_text(text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'J': keys("jwt_jwks_file", data + 1, size - 1); break;
	case 'P': keys("jwt_public_key_file", data + 1, size - 1); break;
	case 'T': raw_token(data + 1, size - 1); break;
	case 'S': signed_token(data + 1, size - 1); break;
	}
	return 0;
}

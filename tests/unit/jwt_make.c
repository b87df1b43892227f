// SPDX-License-Identifier: MIT
/* Test helper: makes JWTs with OpenSSL alone. */
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/unit/jwt_make.h"

size_t base64url_make(char *out, const void *data, size_t len)
{
	size_t n, i;

	n = (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	while (n > 0 && out[n - 1] == '=')
		n--;
	for (i = 0; i < n; i++) {
		if (out[i] == '+')
			out[i] = '-';
		if (out[i] == '/')
			out[i] = '_';
	}
	out[n] = '\0';
	return n;
}

size_t jwt_sign(char *out, const char *input, enum jwt_algorithm algorithm, const void *key, size_t key_len)
{
	const EVP_MD *md = algorithm == JWT_HS256 ? EVP_sha256() : algorithm == JWT_HS384 ? EVP_sha384() : EVP_sha512();
	unsigned char mac[EVP_MAX_MD_SIZE];
	size_t n = strlen(input);
	unsigned int mac_len;

	if (!HMAC(md, key, (int)key_len, (const unsigned char *)input, n, mac, &mac_len))
		abort();
	memmove(out, input, n);
	out[n++] = '.';
	return n + base64url_make(out + n, mac, mac_len);
}

size_t jwt_make_raw(char *out, const void *header, size_t header_len, const void *payload, size_t payload_len,
		    enum jwt_algorithm algorithm, const void *key, size_t key_len)
{
	char input[JWT_TEXT_MAX];
	size_t n;

	n = base64url_make(input, header, header_len);
	input[n++] = '.';
	base64url_make(input + n, payload, payload_len);
	return jwt_sign(out, input, algorithm, key, key_len);
}

size_t jwt_make(char *out, const char *header, const char *payload, enum jwt_algorithm algorithm, const void *key,
		size_t key_len)
{
	return jwt_make_raw(out, header, strlen(header), payload, strlen(payload), algorithm, key, key_len);
}

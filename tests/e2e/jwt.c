// SPDX-License-Identifier: MIT
/*
 * Test tool: signs JWTs, many in one process, with OpenSSL alone.
 *
 *   jwt	for each line "ALGORITHM SECRET CLAIMS" of standard input a line with the token; the algorithms are HS256, HS384,
 *		HS512, and none, which leaves the signature empty
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static void base64url_put(FILE *to, const void *data, size_t len)
{
	char *text = malloc(len / 3 * 4 + 5), *p;

	if (!text)
		abort();
	EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	for (p = text; *p && *p != '='; p++)
		fputc(*p == '+' ? '-' : *p == '/' ? '_' : *p, to);
	free(text);
}

static const EVP_MD *hash_of(const char *algorithm)
{
	if (!strcmp(algorithm, "HS256"))
		return EVP_sha256();
	if (!strcmp(algorithm, "HS384"))
		return EVP_sha384();
	if (!strcmp(algorithm, "HS512"))
		return EVP_sha512();
	if (!strcmp(algorithm, "none"))
		return NULL;
	fprintf(stderr, "jwt: %s is no algorithm\n", algorithm);
	exit(2);
}

static void sign(const char *algorithm, const char *key, const char *claims)
{
	const EVP_MD *hash = hash_of(algorithm);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len = 0;
	char header[64], *token;
	size_t len;
	FILE *f = open_memstream(&token, &len);

	base64url_put(f, header, snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm));
	fputc('.', f);
	base64url_put(f, claims, strlen(claims));
	fflush(f);
	if (hash && !HMAC(hash, key, (int)strlen(key), (const unsigned char *)token, len, mac, &mac_len))
		abort();
	fputc('.', f);
	base64url_put(f, mac, mac_len);
	fclose(f);
	puts(token);
	free(token);
}

int main(void)
{
	char *line = NULL, *algorithm, *key, *claims;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		line[n - (line[n - 1] == '\n')] = 0;
		claims = line;
		algorithm = strsep(&claims, " ");
		key = strsep(&claims, " ");
		if (!claims) {
			fputs("jwt: a line is ALGORITHM SECRET CLAIMS\n", stderr);
			return 2;
		}
		sign(algorithm, key, claims);
	}
	free(line);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Floor 3: files of secrets and keys: how they are opened, and PEM and JWK Sets as the keys of an auth block. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/config_internal.h"
#include "core/jwk.h"

/* ---- files ---- */

bool is_file_name(const char *text)
{
	const char *p;

	for (p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return *text;
}

static int remember_file(struct reader *r, const char *path)
{
	struct config *config = r->config;

	if (array_grow(&config->key_files, config->n_key_files, sizeof(*config->key_files)) < 0)
		return reader_nomem(r);
	config->key_files[config->n_key_files] = strdup(path);
	if (!config->key_files[config->n_key_files])
		return reader_nomem(r);
	config->n_key_files++;
	return 0;
}

int key_file_read(struct reader *r, const char *name, size_t max, struct blob *ret, mode_t *ret_mode)
{
	struct shown value = show_text(name);
	char path[PATH_MAX];
	int n, err;

	if (name[0] == '/' || !r->dir)
		n = snprintf(path, sizeof(path), "%s", name);
	else
		n = snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	err = (size_t)n < sizeof(path) ? file_read(path, max, ret, ret_mode) : -ENAMETOOLONG;
	if (err < 0) {
		reader_fail(r, value.text, "a readable regular file of at most %zu bytes: %s: %s", max,
			    text_tail(path, 160), strerror(-err));
		return err;
	}
	if (*ret_mode & (S_IWGRP | S_IWOTH))
		return reader_fail(r, value.text, "a file that neither group nor others may write (chmod go-w)");
	if (digest_add(r->digest, ret->data, ret->len) < 0 || digest_add(r->keys_digest, ret->data, ret->len) < 0)
		return reader_nomem(r);
	return remember_file(r, path);
}

int warn_if_readable(struct reader *r, mode_t mode)
{
	return mode & S_IROTH ? reader_warn(r, "everybody may read this secret (chmod o-r)") : 0;
}

/* ---- the keys of one file ---- */

struct key_list {
	struct jwt_key keys[JWT_KEYS_MAX];
	size_t n;
};

static void key_list_free(struct key_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		jwt_key_free(&list->keys[i]);
}

/* Joined by commas, for messages. */
static void algorithms_text(uint32_t algorithms, char *ret, size_t size)
{
	size_t n = 0;
	int i;

	for (i = 0; i < JWT_ALGORITHM_MAX && n < size; i++)
		if (algorithms & JWT_BIT(i))
			n += snprintf(ret + n, size - n, "%s%s", n ? ", " : "", jwt_algorithm_names[i]);
}

static int warn_of_unused(struct reader *r, const struct jwt_key *key)
{
	struct shown kid = show_text(key->kid ?: "");
	char names[96], text[320];

	algorithms_text(key->algorithms, names, sizeof(names));
	snprintf(text, sizeof(text), "a key%s%s%s is left out: it is for %s, which jwt_algorithm does not allow",
		 key->kid ? " (kid " : "", key->kid ? kid.text : "", key->kid ? ")" : "", names);
	return reader_warn(r, text);
}

/* Leaves each key what jwt_algorithm allows, and out those that this leaves nothing. */
static int keys_take(struct reader *r, const char *name, struct key_list *list, struct auth_config *auth)
{
	size_t i, before = auth->n_keys;
	char wanted[96];

	for (i = 0; i < list->n; i++) {
		if (!(list->keys[i].algorithms & auth->algorithms)) {
			if (warn_of_unused(r, &list->keys[i]) < 0)
				return -ENOMEM;
			continue;
		}
		list->keys[i].algorithms &= auth->algorithms;
		if (auth->n_keys == JWT_KEYS_MAX)
			return reader_fail(r, show_text(name).text, "at most %d keys in one auth block", JWT_KEYS_MAX);
		if (array_grow(&auth->keys, auth->n_keys, sizeof(*auth->keys)) < 0)
			return reader_nomem(r);
		auth->keys[auth->n_keys++] = list->keys[i];
		list->keys[i] = (struct jwt_key){};
	}
	if (auth->n_keys > before)
		return 0;
	algorithms_text(auth->algorithms, wanted, sizeof(wanted));
	return reader_fail(r, show_text(name).text, "a file with a key for jwt_algorithm (%s)", wanted);
}

/* ---- PEM ---- */

struct pem {
	char *name, *header;
	unsigned char *data;
	long len;
};

static void pem_free(struct pem *pem)
{
	if (pem->data)
		explicit_bzero(pem->data, pem->len);
	OPENSSL_free(pem->name);
	OPENSSL_free(pem->header);
	OPENSSL_free(pem->data);
}

static void bio_free(BIO **bio)
{
	BIO_free(*bio);
}

/* `value`, and which key of the file is meant. */
static int pem_refuse(struct reader *r, const char *value, size_t i, const char *what)
{
	return reader_fail(r, value, "a PEM file of public keys (BEGIN PUBLIC KEY): key %zu is %s", i + 1, what);
}

static int pem_key(struct reader *r, const char *value, const struct pem *pem, struct key_list *list)
{
	const unsigned char *p = pem->data;
	const char *why;
	EVP_PKEY *public;
	int err;

	if (strstr(pem->name, "PRIVATE KEY"))
		return pem_refuse(r, value, list->n, "a private one; only the public one belongs here");
	if (strcmp(pem->name, "PUBLIC KEY"))
		return pem_refuse(r, value, list->n,
				  "something else; take the key out of a certificate with "
				  "`openssl x509 -pubkey -noout`");
	if (list->n == JWT_KEYS_MAX)
		return reader_fail(r, value, "at most %d keys in one auth block", JWT_KEYS_MAX);
	public = d2i_PUBKEY(NULL, &p, pem->len);
	if (!public || p != pem->data + pem->len) {
		EVP_PKEY_free(public);
		return pem_refuse(r, value, list->n, "broken, or of a type that is not known");
	}
	err = jwt_key_public(public, &list->keys[list->n], &why);
	if (err < 0) {
		EVP_PKEY_free(public);
		return err == -ENOMEM ? reader_nomem(r) : pem_refuse(r, value, list->n, why);
	}
	list->n++;
	return 0;
}

static int pem_parse(struct reader *r, const char *value, const struct blob *text, struct key_list *list)
{
	_cleanup_(bio_free) BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	int err;

	if (!bio)
		return reader_nomem(r);
	for (;;) {
		_cleanup_(pem_free) struct pem pem = {};

		ERR_clear_error();
		if (!PEM_read_bio(bio, &pem.name, &pem.header, &pem.data, &pem.len))
			break;
		err = pem_key(r, value, &pem, list);
		if (err < 0)
			return err;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return pem_refuse(r, value, list->n, "cut short or not base64");
	return list->n ? 0 : reader_fail(r, value, "a PEM file of public keys (BEGIN PUBLIC KEY): there is none in it");
}

static int public_keys_read(struct reader *r, struct auth_config *auth)
{
	_cleanup_(key_list_free) struct key_list list = {};
	_cleanup_blob_ struct blob text = {};
	mode_t mode;
	int err;

	err = key_file_read(r, auth->public_key_file, CONFIG_KEYS_MAX, &text, &mode);
	if (err == 0)
		err = pem_parse(r, show_text(auth->public_key_file).text, &text, &list);
	ERR_clear_error();
	return err < 0 ? err : keys_take(r, auth->public_key_file, &list, auth);
}

/* ---- JWK Sets (RFC 7517, section 5) ---- */

static int jwk_skip(struct reader *r, size_t i, const cJSON *jwk, const char *why)
{
	const char *kid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(jwk, "kid"));
	char text[256];

	if (kid)
		snprintf(text, sizeof(text), "key %zu (kid %s) is left out: it is %s", i + 1, show_text(kid).text, why);
	else
		snprintf(text, sizeof(text), "key %zu is left out: it is %s", i + 1, why);
	return reader_warn(r, text);
}

static const char *kid_of(const cJSON *jwk)
{
	return jwk_may_verify(jwk) ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(jwk, "kid")) : NULL;
}

/* Which of two keys with one kid is meant nobody can say, be one of them broken. */
static int kids_judge(struct reader *r, const char *value, const cJSON *keys)
{
	const cJSON *a, *b;

	cJSON_ArrayForEach(a, keys) {
		const char *kid = kid_of(a);

		for (b = kid ? a->next : NULL; b; b = b->next)
			if (kid_of(b) && !strcmp(kid_of(b), kid))
				return reader_fail(r, value, "a JWK Set in which each kid stands once: %s does not",
						   show_text(kid).text);
	}
	return 0;
}

/* Secrets in a set of public keys are not secret for long, or the keys are not what they are taken for. */
static int kinds_judge(struct reader *r, const char *value, const struct key_list *list)
{
	size_t i;

	for (i = 1; i < list->n; i++)
		if (!list->keys[i].secret != !list->keys[0].secret)
			return reader_fail(r, value, "a JWK Set of either secrets (kty oct) or public keys, not both");
	return 0;
}

static int jwks_collect(struct reader *r, const char *value, const cJSON *keys, struct key_list *list)
{
	const cJSON *jwk;
	const char *why;
	size_t i = 0;
	int err;

	cJSON_ArrayForEach(jwk, keys) {
		if (i == JWT_KEYS_MAX)
			return reader_fail(r, value, "at most %d keys in one auth block", JWT_KEYS_MAX);
		err = jwk_read(jwk, &list->keys[list->n], &why);
		if (err == -ENOMEM)
			return reader_nomem(r);
		if (err == -EKEYREJECTED)
			return reader_fail(r, value, "a JWK Set: key %zu is %s", i + 1, why);
		if (err < 0 && jwk_skip(r, i, jwk, why) < 0)
			return -ENOMEM;
		list->n += !err;
		i++;
	}
	if (!list->n)
		return reader_fail(r, value, "a JWK Set with a key that can verify tokens");
	err = kids_judge(r, value, keys);
	return err < 0 ? err : kinds_judge(r, value, list);
}

static int jwks_parse(struct reader *r, const char *value, const struct blob *text, struct key_list *list)
{
	_cleanup_(json_wipe) cJSON *json = NULL;
	size_t at, line, column;
	const cJSON *keys;
	int err;

	err = json_read(text->data, text->len, &json, &at);
	if (err == -EBADMSG) {
		json_place(text->data, at, &line, &column);
		return reader_fail(r, value, "a JWK Set: line %zu, column %zu: expected valid JSON", line, column);
	}
	if (err == 0)
		err = json_names_unique(json);
	if (err == -ENOMEM)
		return reader_nomem(r);
	keys = cJSON_GetObjectItemCaseSensitive(json, "keys");
	if (err < 0 || !cJSON_IsArray(keys))
		return reader_fail(r, value, "a JWK Set: {\"keys\": [...]}, each name once");
	return jwks_collect(r, value, keys, list);
}

static int jwks_read(struct reader *r, struct auth_config *auth)
{
	_cleanup_(key_list_free) struct key_list list = {};
	_cleanup_blob_ struct blob text = {};
	mode_t mode;
	int err;

	err = key_file_read(r, auth->jwks_file, CONFIG_KEYS_MAX, &text, &mode);
	if (err == 0)
		err = jwks_parse(r, show_text(auth->jwks_file).text, &text, &list);
	if (err == 0 && list.keys[0].secret)
		err = warn_if_readable(r, mode);
	return err < 0 ? err : keys_take(r, auth->jwks_file, &list, auth);
}

/* ---- all of a block ---- */

/* An algorithm that is allowed and has no key is no danger, but a file or a line was probably forgotten. */
static int warn_of_keyless(struct reader *r, const struct auth_config *auth)
{
	uint32_t missing = auth->algorithms;
	char names[96], text[192];
	size_t i;

	for (i = 0; i < auth->n_keys; i++)
		missing &= ~auth->keys[i].algorithms;
	if (auth->secret)
		missing &= ~JWT_HMACS;
	if (!missing || (!auth->secret && !auth->n_keys))
		return 0;
	algorithms_text(missing, names, sizeof(names));
	snprintf(text, sizeof(text), "no key is given for %s: such a token is refused", names);
	return reader_warn(r, text);
}

int keys_read(struct reader *r, struct auth_config *auth)
{
	size_t before = r->path_len;
	int err;

	if (auth->public_key_file) {
		path_key(r, "jwt_public_key_file");
		err = public_keys_read(r, auth);
		if (err < 0)
			return err;
		path_restore(r, before);
	}
	if (auth->jwks_file) {
		path_key(r, "jwt_jwks_file");
		err = jwks_read(r, auth);
		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return warn_of_keyless(r, auth);
}

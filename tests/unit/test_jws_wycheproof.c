// SPDX-License-Identifier: MIT
/* Test: every case of Wycheproof's JWS and JWK files against the product's verifier, keys by way of its configuration. */
#include "jwks_test.h"
#include "userspace-auth/jws.h"

#define SIGNATURES "wycheproof_json_web_signature_test.json"
#define KEYS "wycheproof_json_web_key_test.json"

/* Where the product differs from the file, on purpose. */
static const struct exception {
	const char *file;
	int from, to;
	const char *result; /* what the file says */
	bool accepted;	    /* what the product does */
	const char *reason;
} exceptions[] = {
	{ SIGNATURES, 320, 323, "valid", false, "PS384 is not supported" },
	{ SIGNATURES, 325, 328, "valid", false, "PS512 is not supported" },
	{ SIGNATURES, 346, 346, "valid", false, "PS384 with a key for PS256 (RFC 7520, section 4.2)" },
	{ SIGNATURES, 350, 350, "valid", false, "PS384 with a key for PS256 (RFC 7520, section 4.2)" },
	{ SIGNATURES, 347, 347, "valid", false, "ES512 is not supported (RFC 7520, section 4.3)" },
	{ SIGNATURES, 351, 351, "valid", false, "ES512 is not supported (RFC 7520, section 4.3)" },
	{ SIGNATURES, 372, 373, "valid", false, "a '?' in it is no base64url (RFC 4648, section 3.3)" },
	{ SIGNATURES, 367, 367, "invalid", true,
	  "the file lacks the padding it means: the text is that of case 357, valid" },
	{ SIGNATURES, 370, 370, "invalid", true,
	  "the file lacks the padding it means: the text is that of case 357, valid" },
};

static unsigned int used[ARRAY_SIZE(exceptions)];
static unsigned int n_verified, n_refused;
static char *text_of_357;

static const char *member(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* A verifier has the public half of a pair; a secret there is only once. */
static struct config *group_keys(const cJSON *group)
{
	const cJSON *key = cJSON_GetObjectItemCaseSensitive(group, "public");
	_cleanup_free_ char *text = NULL;
	struct config_error err = {};
	char *keys;

	if (!key)
		key = cJSON_GetObjectItemCaseSensitive(group, "private");
	text = cJSON_PrintUnformatted(key);
	assert_non_null(text);
	if (!cJSON_GetObjectItemCaseSensitive(key, "keys"))
		return jwks_try(text, &err);
	keys = strchr(text, '[') + 1;
	keys[strlen(keys) - 2] = '\0';
	return jwks_try(keys, &err);
}

/* From a block of exactly its size. */
static bool verified(const struct config *config, const char *jws)
{
	size_t len = strlen(jws), n;
	_cleanup_free_ char *exact = malloc(len ? len : 1);
	char payload[MPBPF_TOKEN_MAX];

	memcpy(exact, jws, len);
	return config && jws_verify(&config->auth, exact, len, payload, &n) == 0;
}

static const struct exception *exception_of(const char *file, int id, const char *result)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++) {
		const struct exception *e = &exceptions[i];

		if (strcmp(e->file, file) || id < e->from || id > e->to)
			continue;
		assert_string_equal(result, e->result);
		used[i]++;
		return e;
	}
	return NULL;
}

static void case_run(const char *file, const struct config *config, const cJSON *test)
{
	int id = cJSON_GetObjectItemCaseSensitive(test, "tcId")->valueint;
	const char *result = member(test, "result"), *jws = member(test, "jws");
	const struct exception *e = exception_of(file, id, result);
	bool want = e ? e->accepted : !strcmp(result, "valid");

	assert_true(!strcmp(result, "valid") || !strcmp(result, "invalid"));
	assert_non_null(jws);
	if (id == 357 && !strcmp(file, SIGNATURES))
		text_of_357 = strdup(jws);
	if (e && e->accepted)
		assert_string_equal(jws, text_of_357);
	if (verified(config, jws) != want)
		fail_msg("%s: case %d (%s, %s): %s", file, id, member(test, "comment"), result,
			 want ? "refused" : "accepted");
	*(want ? &n_verified : &n_refused) += 1;
}

static void file_run(const char *file, unsigned int n)
{
	_cleanup_(json_wipe) cJSON *json = NULL;
	_cleanup_free_ char *text = NULL;
	unsigned int before = n_verified + n_refused;
	const cJSON *group, *test;
	char path[256];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", from_env("MPBPF_VECTORS", "tests/vectors"), file);
	text = slurp(path, &len);
	json = cJSON_ParseWithLength(text, len);
	assert_non_null(json);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(json, "numberOfTests")->valueint, n);
	cJSON_ArrayForEach(group, cJSON_GetObjectItemCaseSensitive(json, "testGroups")) {
		_cleanup_config_ struct config *config = group_keys(group);

		cJSON_ArrayForEach(test, cJSON_GetObjectItemCaseSensitive(group, "tests"))
			case_run(file, config, test);
	}
	assert_int_equal(n_verified + n_refused - before, n);
}

static void every_signature(void **state)
{
	(void)state;
	file_run(SIGNATURES, 401);
}

static void every_key(void **state)
{
	(void)state;
	file_run(KEYS, 26);
}

static void every_exception_is_one(void **state)
{
	size_t i;

	(void)state;
	printf("# %u verified, %u refused\n", n_verified, n_refused);
	for (i = 0; i < ARRAY_SIZE(exceptions); i++) {
		const struct exception *e = &exceptions[i];

		assert_int_equal(used[i], e->to - e->from + 1);
		printf("# %u of the file's %s cases %s: %s (%d to %d)\n", used[i], e->result,
		       e->accepted ? "verified" : "refused", e->reason, e->from, e->to);
	}
	free(text_of_357);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_signature),
	cmocka_unit_test(every_key),
	cmocka_unit_test(every_exception_is_one),
};

int main(void)
{
	return cmocka_run_group_tests_name("jws_wycheproof", tests, directory_make, directory_remove);
}

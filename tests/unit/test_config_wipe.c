// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: secrets are overwritten before their memory is given back. */
#include "config_test.h"

/* What was wiped: core/ calls this one instead of libc's. */

static struct {
	char text[96];
	size_t len;
} wiped[256];
static size_t n_wiped;

void explicit_bzero(void *data, size_t len)
{
	volatile char *p = data;
	size_t i;

	if (n_wiped < ARRAY_SIZE(wiped) && len < sizeof(wiped[0].text)) {
		memcpy(wiped[n_wiped].text, data, len);
		wiped[n_wiped].text[len] = '\0';
		wiped[n_wiped++].len = len;
	}
	for (i = 0; i < len; i++)
		p[i] = 0;
}

static size_t times_wiped(const char *text)
{
	size_t i, n = 0;

	for (i = 0; i < n_wiped; i++)
		n += wiped[i].len == strlen(text) && !strcmp(wiped[i].text, text);
	return n;
}

static void secrets_are_wiped(void **state)
{
	static const char *const secrets[] = { KEY_48,
					       "token1",
					       "dG9rZW4y",
					       "full-example-token",
					       "PENG-XXXX-XXXX-XXXX-XXXX-ABCD",
					       "full-example-secret-never-use-it-full-example-secret-never-use-it" };
	struct config *config;
	size_t i;

	(void)state;
	n_wiped = 0;
	config = load_example("full.json");
	assert_int_equal(times_wiped(KEY_48), 1); /* what was read from the file */
	for (i = 1; i < ARRAY_SIZE(secrets); i++)
		assert_int_equal(times_wiped(secrets[i]), 1); /* in the JSON tree */
	n_wiped = 0;
	config_free(config);
	for (i = 0; i < ARRAY_SIZE(secrets); i++)
		assert_int_equal(times_wiped(secrets[i]), 1);
	config_free(NULL);
}

static void secrets_are_wiped_on_failure(void **state)
{
	static const char text[] = "{\"version\": \"1\", \"auth\": {\"jwt_secret\": \"s3cret\"}, \"x\": 1}";
	struct config_error err;
	struct config *config;

	(void)state;
	n_wiped = 0;
	assert_int_equal(parse_bytes(text, strlen(text), &config, &err), -EINVAL);
	assert_int_equal(times_wiped("s3cret"), 2); /* tree and configuration */
	assert_int_equal(times_wiped(text), 1);
}

#define SET_BYTES "a-secret-of-a-set-of-just-32-byt"
#define SET_TEXT "YS1zZWNyZXQtb2YtYS1zZXQtb2YtanVzdC0zMi1ieXQ"
#define SET(more) "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" SET_TEXT "\"}" more "]}"

/* As text in the tree and as bytes; of a set that is taken, and of one that is not. */
static void secrets_of_a_set_are_wiped(void **state)
{
	static const char text[] = "{\"version\": \"1\", \"auth\": {\"jwt_jwks_file\": \"jwks.json\"}}";
	struct config_error err;
	struct config *config;

	(void)state;
	put_text("jwks.json", SET(""));
	n_wiped = 0;
	config = parse(text);
	assert_int_equal(times_wiped(SET_TEXT), 1);
	assert_int_equal(times_wiped(SET("")), 1);
	assert_int_equal(times_wiped(SET_BYTES), 0);
	config_free(config);
	assert_int_equal(times_wiped(SET_BYTES), 1);
	put_text("jwks.json", SET(",{\"kty\":\"RSA\",\"d\":\"\"}"));
	n_wiped = 0;
	assert_int_equal(parse_bytes(text, strlen(text), &config, &err), -EINVAL);
	assert_int_equal(times_wiped(SET_TEXT), 1);
	assert_int_equal(times_wiped(SET_BYTES), 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(secrets_are_wiped),
	cmocka_unit_test(secrets_are_wiped_on_failure),
	cmocka_unit_test(secrets_of_a_set_are_wiped),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_wipe", tests, directory_make, directory_remove);
}

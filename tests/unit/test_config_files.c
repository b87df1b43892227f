// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: configuration and secret files on disk, and their digest. */
#include "config_test.h"

/* ---- the configuration file itself ---- */

static void assert_load_refused(const char *path, int error, const char *what)
{
	struct config *untouched = (struct config *)&untouched;
	struct config *config = untouched;
	struct config_error err = {};
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", path, what);
	assert_int_equal(config_load(path, &config, &err), error);
	assert_string_equal(err.text, expected);
	assert_ptr_equal(config, untouched);
}

static void a_file_that_cannot_be_read(void **state)
{
	(void)state;
	assert_load_refused(in_directory("none.json"), -ENOENT,
			    "expected a readable regular file: No such file or directory");
	assert_load_refused(directory, -EISDIR, "expected a readable regular file: Is a directory");
	assert_load_refused("/dev/zero", -ENOTSUP, "expected a readable regular file: Operation not supported");
	assert_load_refused(in_directory("jwt.key/mpbpf.json"), -ENOENT,
			    "expected a readable regular file: No such file or directory");
	assert_load_refused("", -ENOENT, "expected a readable regular file: No such file or directory");
}

/* A pipe would make the reader wait for ever. */
static void a_pipe_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in_directory("fifo"), 0600), 0);
	assert_load_refused(in_directory("fifo"), -ENOTSUP,
			    "expected a readable regular file: Operation not supported");
	assert_int_equal(unlink(in_directory("fifo")), 0);
}

static void a_file_over_one_mebibyte(void **state)
{
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX + 1);
	_cleanup_config_ struct config *config = NULL;
	struct config_error err = {};

	(void)state;
	memset(text, '\n', CONFIG_FILE_MAX + 1);
	memcpy(text, "{\"version\": \"1\"}", 16);
	put_file("mpbpf.json", text, CONFIG_FILE_MAX);
	assert_int_equal(config_load(in_directory("mpbpf.json"), &config, &err), 0);
	put_file("mpbpf.json", text, CONFIG_FILE_MAX + 1);
	assert_load_refused(in_directory("mpbpf.json"), -EFBIG, "expected at most 1048576 bytes");
}

static void an_error_in_a_file_names_the_file(void **state)
{
	(void)state;
	put_text("mpbpf.json", "{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 99999}]}");
	assert_load_refused(in_directory("mpbpf.json"), -EINVAL,
			    "listeners[0].port: value 99999: expected an integer from 1 to 65535");
}

/* ---- secret files ---- */

#define WITH_KEY "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"jwt.key\"}}"

static void a_secret_loses_one_newline(void **state)
{
	static const struct {
		const char *file;
		size_t file_len, len;
	} cases[] = {
		{ "abc", 3, 3 },  { "abc\n", 4, 3 },	  { "abc\n\n", 5, 4 }, { "abc\r\n", 5, 4 }, { "\nabc", 4, 4 },
		{ "\n\n", 2, 1 }, { "a\0b\xff\n", 5, 4 }, { " ", 1, 1 },       { "\0", 1, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_config_ struct config *config = NULL;

		put_file("jwt.key", cases[i].file, cases[i].file_len);
		config = parse(WITH_KEY);
		assert_int_equal(config->auth.secret_len, cases[i].len);
		assert_memory_equal(config->auth.secret, cases[i].file, cases[i].len);
	}
}

static void assert_key_refused(const char *text, int error, const char *what)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "mpbpf.json: %s", what);
	assert_refused(text, strlen(text), error, expected);
}

static void an_empty_secret_is_refused(void **state)
{
	(void)state;
	put_text("jwt.key", "");
	assert_key_refused(WITH_KEY, -EINVAL,
			   "auth.jwt_secret_file: value \"jwt.key\": expected a file that is not empty");
	put_text("jwt.key", "\n");
	assert_key_refused(WITH_KEY, -EINVAL,
			   "auth.jwt_secret_file: value \"jwt.key\": expected a file that is not empty");
}

static void a_secret_has_at_most_64_kib(void **state)
{
	_cleanup_free_ char *secret = malloc(CONFIG_SECRET_MAX + 1);
	_cleanup_config_ struct config *config = NULL;
	char what[256];

	(void)state;
	memset(secret, 's', CONFIG_SECRET_MAX + 1);
	put_file("jwt.key", secret, CONFIG_SECRET_MAX);
	config = parse(WITH_KEY);
	assert_int_equal(config->auth.secret_len, CONFIG_SECRET_MAX);
	put_file("jwt.key", secret, CONFIG_SECRET_MAX + 1);
	snprintf(what, sizeof(what),
		 "auth.jwt_secret_file: value \"jwt.key\": expected a readable regular file of at most 65536 "
		 "bytes: %s/jwt.key: File too large",
		 directory);
	assert_key_refused(WITH_KEY, -EFBIG, what);
}

static void a_secret_that_cannot_be_read(void **state)
{
	static const struct {
		const char *name;
		int error;
		const char *shown, *reason;
	} cases[] = {
		{ "none.key", -ENOENT, "%s/none.key", "No such file or directory" },
		{ ".", -EISDIR, "%s/.", "Is a directory" },
		{ "/", -EISDIR, "/", "Is a directory" },
		{ "/dev/null", -ENOTSUP, "/dev/null", "Operation not supported" },
		{ "jwt.key/x", -ENOTDIR, "%s/jwt.key/x", "Not a directory" },
	};
	char text[256], shown[128], what[512];
	size_t i;

	(void)state;
	put_text("jwt.key", KEY_48);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text),
			 "{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1, \"auth\": "
			 "{\"jwt_secret_file\": \"%s\"}}]}",
			 cases[i].name);
		if (cases[i].shown[0] == '%')
			snprintf(shown, sizeof(shown), "%s%s", directory, cases[i].shown + 2);
		else
			snprintf(shown, sizeof(shown), "%s", cases[i].shown);
		snprintf(what, sizeof(what),
			 "listeners[0].auth.jwt_secret_file: value \"%s\": expected a readable regular file of "
			 "at most 65536 bytes: %s: %s",
			 cases[i].name, shown, cases[i].reason);
		assert_key_refused(text, cases[i].error, what);
	}
}

static void a_secret_that_others_can_write_is_refused(void **state)
{
	static const mode_t refused[] = { 0620, 0602, 0666, 0777 }, accepted[] = { 0400, 0600, 0640, 0644, 0755 };
	size_t i;

	(void)state;
	put_text("jwt.key", KEY_48);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(chmod(in_directory("jwt.key"), refused[i]), 0);
		assert_key_refused(WITH_KEY, -EINVAL,
				   "auth.jwt_secret_file: value \"jwt.key\": expected a file that neither group nor "
				   "others may write (chmod go-w)");
	}
	for (i = 0; i < ARRAY_SIZE(accepted); i++) {
		_cleanup_config_ struct config *config = NULL;

		assert_int_equal(chmod(in_directory("jwt.key"), accepted[i]), 0);
		config = parse(WITH_KEY);
		assert_string_equal(config->auth.secret, KEY_48);
	}
}

static void a_long_file_name_leaves_room_for_the_reason(void **state)
{
	static const struct {
		int len, error;
		const char *reason;
	} cases[] = {
		{ 199, -ENOENT, "nnn: No such file or directory" },
		{ 300, -ENAMETOOLONG, "nnn: File name too long" },
		{ 5000, -ENAMETOOLONG, "nnn: File name too long" },
	};
	char name[5001], text[5100];
	struct config_error err = {};
	struct config *config = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(name, 'n', sizeof(name));
		name[cases[i].len] = '\0';
		snprintf(text, sizeof(text), "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"%s\"}}", name);
		assert_int_equal(parse_bytes(text, strlen(text), &config, &err), cases[i].error);
		assert_non_null(strstr(err.text, cases[i].reason));
		assert_null(config);
	}
}

/* Relative to the file, wherever the command was started; without a directory, to where that was. */
static void a_relative_secret_is_beside_the_file(void **state)
{
	_cleanup_config_ struct config *absolute = NULL, *here = NULL;
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	struct config_error err = {};
	char text[256];

	(void)state;
	put_text("jwt.key", KEY_48);
	snprintf(text, sizeof(text), "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"%s/jwt.key\"}}",
		 directory);
	absolute = parse(text);
	assert_string_equal(absolute->auth.secret, KEY_48);
	put_text("mpbpf.json", WITH_KEY);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(config_load("mpbpf.json", &here, &err), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_string_equal(here->auth.secret, KEY_48);
}

/* ---- the digest ---- */

static void assert_digest(const struct config *config, const char *hex)
{
	char got[65];
	size_t i;

	for (i = 0; i < sizeof(config->digest); i++)
		sprintf(got + 2 * i, "%02x", config->digest[i]);
	assert_string_equal(got, hex);
}

/* SHA-256 of nothing; and of each part behind its length as 64 bits, big endian. */
static void the_digest_is_of_all_bytes(void **state)
{
	_cleanup_config_ struct config *none = NULL, *with_key = NULL, *plain = parse("{\"version\": \"1\"}");
	struct config_error err = {};

	(void)state;
	assert_int_equal(config_load(NULL, &none, &err), 0);
	assert_digest(none, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_digest(plain, "b45447a7569c7835c8626df0010e9b6663f065b29594f6fcbef779ec1f2ba92a");
	put_text("jwt.key", KEY_48 "\n");
	with_key = parse(WITH_KEY);
	assert_digest(with_key, "75061c4413f457533bcfda15e8dbdad7b455228bcdf09e5c1db692d5b1d4a7e0");
}

static void every_change_changes_the_digest(void **state)
{
	static const struct {
		const char *text, *key;
	} cases[] = {
		{ WITH_KEY, "a" },
		{ WITH_KEY, "b" },
		{ WITH_KEY, "a\n" },
		{ WITH_KEY, "aa" },
		{ WITH_KEY " ", "a" },
		{ "{\"version\": \"1\", \"auth\": {\"jwt_secret\": \"a\"}}", "a" },
		{ "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"jwt.key\"}, \"listeners\": [{\"name\": "
		  "\"a\", \"port\": 1, "
		  "\"auth\": {\"jwt_secret_file\": \"jwt.key\"}}]}",
		  "a" },
		{ "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"jwt.key\"}, \"listeners\": [{\"name\": "
		  "\"a\", \"port\": 1, "
		  "\"auth\": {\"jwt_secret_file\": \"jwt.key\"}}]}",
		  "b" },
	};
	uint8_t digests[ARRAY_SIZE(cases)][32];
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_config_ struct config *config = NULL, *again = NULL;

		put_text("jwt.key", cases[i].key);
		config = parse(cases[i].text);
		again = parse(cases[i].text);
		assert_memory_equal(config->digest, again->digest, 32);
		memcpy(digests[i], config->digest, 32);
		for (k = 0; k < i; k++)
			assert_memory_not_equal(digests[i], digests[k], 32);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_file_that_cannot_be_read),
	cmocka_unit_test(a_pipe_is_no_file),
	cmocka_unit_test(a_file_over_one_mebibyte),
	cmocka_unit_test(an_error_in_a_file_names_the_file),
	cmocka_unit_test(a_secret_loses_one_newline),
	cmocka_unit_test(an_empty_secret_is_refused),
	cmocka_unit_test(a_secret_has_at_most_64_kib),
	cmocka_unit_test(a_secret_that_cannot_be_read),
	cmocka_unit_test(a_secret_that_others_can_write_is_refused),
	cmocka_unit_test(a_long_file_name_leaves_room_for_the_reason),
	cmocka_unit_test(a_relative_secret_is_beside_the_file),
	cmocka_unit_test(the_digest_is_of_all_bytes),
	cmocka_unit_test(every_change_changes_the_digest),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_files", tests, directory_make, directory_remove);
}

// SPDX-License-Identifier: MIT
/* Robustness of core/config*: whatever the bytes, a configuration or one line of error; no byte too far, no leak. */
#include "config_test.h"

static char *full;
static size_t full_len;

/* Fixed seed: a failure comes back. */
static uint64_t random_state = 0x9e3779b97f4a7c15;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static bool has_secret(const char *text)
{
	return strstr(text, "full-example-") || strstr(text, "token1") || strstr(text, "dG9rZW4y") ||
	       strstr(text, "PENG-XXXX");
}

static struct config_error err;

/* Returns whether it was accepted; otherwise err holds the error. */
static bool check(const char *text, size_t len)
{
	_cleanup_config_ struct config *config = NULL;
	const unsigned char *p;
	int r;

	err = (struct config_error){};
	r = parse_bytes(text, len, &config, &err);
	if (r == 0) {
		assert_non_null(config);
		return true;
	}
	assert_true(r == -EINVAL || r == -ENOENT || r == -EISDIR || r == -ENAMETOOLONG);
	assert_null(config);
	assert_int_equal(strncmp(err.text, "mpbpf.json: ", 12), 0);
	assert_non_null(strstr(err.text, "expected "));
	for (p = (const unsigned char *)err.text; *p; p++)
		assert_true(*p >= 0x20 && *p != 0x7f);
	return false;
}

static void every_prefix_is_refused(void **state)
{
	size_t len, end = full_len;

	(void)state;
	while (full[end - 1] == '\n')
		end--;
	assert_true(check(full, end));
	for (len = 0; len < end; len++)
		assert_false(check(full, len));
}

/* Nothing moves, so no secret may turn up where values are quoted. */
static void changed_bytes(void **state)
{
	_cleanup_free_ char *text = malloc(full_len);
	size_t i, n, accepted = 0;

	(void)state;
	for (i = 0; i < 10000; i++) {
		memcpy(text, full, full_len);
		for (n = 1 + random_below(3); n; n--)
			text[random_below(full_len)] ^= 1 << random_below(8);
		accepted += check(text, full_len);
		assert_false(has_secret(err.text));
	}
	assert_true(accepted > 100 && accepted < 9900);
}

static size_t splice(char *text, size_t len, size_t size)
{
	static const char *const words[] = { "null",
					     "-1",
					     "1e999",
					     "{}",
					     "[]",
					     "\"\"",
					     ",",
					     ":",
					     "\"",
					     "\\",
					     "{",
					     "}",
					     "[",
					     "]",
					     "\\u0000",
					     "\xff",
					     "4294967296",
					     "true",
					     "\"jwt_secret\":",
					     "\"auth\":{",
					     "[[[[[[[[" };
	const char *word = words[random_below(ARRAY_SIZE(words))];
	size_t at = random_below(len), n = 1 + random_below(40), from = random_below(len);

	switch (random_below(3)) {
	case 0: /* take some out */
		n = n < len - at ? n : len - at;
		memmove(text + at, text + at + n, len - at - n);
		return len - n ? len - n : len;
	case 1: /* the same again elsewhere */
		n = n < len - from ? n : len - from;
		if (len + n > size)
			return len;
		memmove(text + at + n, text + at, len - at);
		memmove(text + at, text + from, n);
		return len + n;
	default:
		n = strlen(word);
		if (len + n > size)
			return len;
		memmove(text + at + n, text + at, len - at);
		memcpy(text + at, word, n);
		return len + n;
	}
}

static void moved_bytes(void **state)
{
	_cleanup_free_ char *text = malloc(2 * full_len);
	size_t i, n, len, accepted = 0;

	(void)state;
	for (i = 0; i < 10000; i++) {
		memcpy(text, full, full_len);
		len = full_len;
		for (n = 1 + random_below(4); n; n--)
			len = splice(text, len, 2 * full_len);
		accepted += check(text, len);
	}
	assert_true(accepted > 10 && accepted < 9990);
}

/* ---- each value in turn is another one, or is not there ---- */

static size_t n_values, n_accepted;

static void check_tree(const cJSON *root)
{
	char *text = cJSON_PrintUnformatted(root);

	assert_non_null(text);
	n_values++;
	n_accepted += check(text, strlen(text));
	free(text);
}

static void replace_value(const cJSON *root, cJSON *item, const cJSON *by)
{
	cJSON saved = *item;

	item->type = by->type;
	item->child = by->child;
	item->valuestring = by->valuestring;
	item->valuedouble = by->valuedouble;
	check_tree(root);
	*item = saved;
}

static void without_first_child(const cJSON *root, cJSON *item)
{
	cJSON *first = item->child;

	item->child = first->next;
	check_tree(root);
	item->child = first;
}

static void replace_each(const cJSON *root, cJSON *item, const cJSON *values)
{
	const cJSON *by;

	for (; item; item = item->next) {
		cJSON_ArrayForEach(by, values)
			replace_value(root, item, by);
		if (!item->child)
			continue;
		without_first_child(root, item);
		replace_each(root, item->child, values);
	}
}

static void every_value_replaced(void **state)
{
	static const char odd[] = "[null, true, -1, 0, 0.5, 1e300, 70000, \"\", \"x\", \"/\", \"::1\", [], [[]], {}, "
				  "{\"x\": 1}, [null], [1]]";
	_cleanup_(json_wipe) cJSON *values = cJSON_Parse(odd);
	_cleanup_(json_wipe) cJSON *root = cJSON_ParseWithLength(full, full_len);

	(void)state;
	assert_non_null(values);
	replace_each(root, root, values);
	assert_true(n_values > 1500);
	assert_true(n_accepted > 100 && n_accepted < n_values / 2);
}

static int setup(void **state)
{
	full = example("full.json", &full_len);
	if (directory_make(state) < 0)
		return -1;
	put_text("jwt.key", KEY_48);
	put_text("jwt.pem", PUBLIC_PEM);
	put_text("jwks.json", PUBLIC_JWKS);
	return 0;
}

static int teardown(void **state)
{
	free(full);
	return directory_remove(state);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_prefix_is_refused),
	cmocka_unit_test(changed_bytes),
	cmocka_unit_test(moved_bytes),
	cmocka_unit_test(every_value_replaced),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_mutations", tests, setup, teardown);
}

// SPDX-License-Identifier: MIT
/* docs/config.md (MPBPF_DOCS) against the tables of core/config*: the same keys, ranges and defaults; examples load. */
#include "config_test.h"

static char *docs;

struct key {
	char path[96];
	const struct rule *rule;
};

static struct key keys[256];
static size_t n_keys;

/* Arrays have one rule without a key under them; that of objects has the keys. */
static bool is_array(const struct rule *rule)
{
	return rule->of && !rule->of->key;
}

/* `auth_rules` stands in two places and is written down in one. */
static void collect(const char *prefix, const struct rule *rules)
{
	for (; rules->read; rules++) {
		const struct rule *of = is_array(rules) ? rules->of->of : rules->of;
		struct key *key = &keys[n_keys++];
		char below[64];

		assert_true(n_keys < ARRAY_SIZE(keys));
		snprintf(key->path, sizeof(key->path), "%s%s", prefix, rules->key);
		key->rule = rules;
		snprintf(below, sizeof(below), "%s%s%s.", prefix, rules->key, is_array(rules) ? "[]" : "");
		if (of && !(of == auth_rules && *prefix))
			collect(below, of);
	}
}

/* The table row of a key, or NULL. */
static const char *row_of(const char *path)
{
	char start[128];
	const char *row;

	snprintf(start, sizeof(start), "\n| `%s` |", path);
	row = strstr(docs, start);
	if (row && strstr(row + 1, start))
		fail_msg("%s stands twice in the documentation", path);
	return row;
}

static void every_key_is_documented(void **state)
{
	size_t i;

	(void)state;
	assert_true(n_keys > 50);
	for (i = 0; i < n_keys; i++) {
		if (!row_of(keys[i].path))
			fail_msg("%s is not in the documentation", keys[i].path);
	}
}

/* A key is a row that begins with letters and dots in backticks; rows of other tables begin otherwise. */
static void every_documented_key_exists(void **state)
{
	const char *row = docs;
	size_t i, n = 0;

	(void)state;
	while ((row = strstr(row, "\n| `"))) {
		size_t len;

		row += 4;
		len = strspn(row, "abcdefghijklmnopqrstuvwxyz0123456789_.[]");
		if (row[len] != '`')
			continue;
		for (i = 0; i < n_keys; i++) {
			if (strlen(keys[i].path) == len && !strncmp(keys[i].path, row, len))
				break;
		}
		if (i == n_keys)
			fail_msg("there is no key %.*s", (int)len, row);
		n++;
	}
	assert_int_equal(n, n_keys);
}

static void assert_in_row(const struct key *key, const char *text)
{
	const char *row = row_of(key->path);
	const char *found = strstr(row, text);

	if (!found || found > strchr(row + 1, '\n'))
		fail_msg("%s: the documentation does not say \"%s\"", key->path, text);
}

static void documented_ranges_are_the_real_ones(void **state)
{
	char text[64];
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < n_keys; i++) {
		const struct rule *rule = keys[i].rule;

		if (rule->flags & RULE_REQUIRED)
			assert_in_row(&keys[i], "| required |");
		for (k = 0; rule->names && rule->names[k]; k++) {
			snprintf(text, sizeof(text), "`\"%s\"`", rule->names[k]);
			assert_in_row(&keys[i], text);
		}
		if (rule->max)
			snprintf(text, sizeof(text),
				 is_array(rule) && !rule->min ? "at most %.15g " : "%.15g to %.15g ",
				 is_array(rule) && !rule->min ? rule->max : rule->min, rule->max);
		else if (rule->read == read_bool)
			snprintf(text, sizeof(text), "| boolean |");
		else
			continue;
		assert_in_row(&keys[i], text);
	}
}

/* Calls `visit` with each ```json block. */
static size_t each_example(void (*visit)(const char *text))
{
	const char *at = docs;
	size_t n = 0;

	while ((at = strstr(at, "\n```json\n"))) {
		const char *end = strstr(at += 9, "\n```\n");
		_cleanup_free_ char *text = end ? strndup(at, end - at) : NULL;

		assert_non_null(text);
		visit(text);
		n++;
	}
	return n;
}

static void must_load(const char *text)
{
	_cleanup_config_ struct config *config = NULL;
	_cleanup_free_ char *own = NULL;
	const char *name = strstr(text, "/etc/mpbpf/jwt.key");

	/* The test reads no file of the machine that it runs on. */
	if (name)
		assert_true(asprintf(&own, "%.*sjwt.key%s", (int)(name - text), text,
				     name + strlen("/etc/mpbpf/jwt.key")) > 0);
	put_text("jwt.key", KEY_48);
	put_text("jwt.pem", PUBLIC_PEM);
	put_text("jwks.json", PUBLIC_JWKS);
	config = parse(own ? own : text);
	assert_non_null(config);
}

static void documented_examples_load(void **state)
{
	(void)state;
	assert_true(each_example(must_load) >= 10);
}

static void the_first_example_is_the_minimal_file(void **state)
{
	size_t len;
	_cleanup_free_ char *minimal = example("minimal.json", &len);

	(void)state;
	assert_non_null(strstr(docs, minimal));
	assert_true(strstr(docs, minimal) - strstr(docs, "```json\n") == 8);
}

static void documented_defaults_are_the_real_ones(void **state)
{
	const char *text = strstr(docs, "\n## Defaults\n");
	_cleanup_config_ struct config *config = NULL;
	_cleanup_free_ char *block = NULL;

	(void)state;
	assert_non_null(text);
	text = strstr(text, "```json\n") + 8;
	block = strndup(text, strstr(text, "\n```") - text);
	config = parse(block);
	assert_defaults(config);
	assert_int_equal(config->n_warnings, 0);
}

/* Whoever looks for a key finds it in use. */
static void every_key_is_in_the_full_example(void **state)
{
	size_t len;
	_cleanup_free_ char *full = example("full.json", &len);
	char want[64];

	(void)state;
	for (size_t i = 0; i < n_keys; i++) {
		const char *name = strrchr(keys[i].path, '.');

		snprintf(want, sizeof(want), "\"%s\":", name ? name + 1 : keys[i].path);
		if (!strstr(full, want))
			fail_msg("%s is not in examples/full.json", keys[i].path);
	}
}

/* Each default of a leaf, as its row gives it, stands in the block of defaults as well. */
static void rows_agree_with_the_block_of_defaults(void **state)
{
	const char *block = strstr(docs, "\n## Defaults\n");
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < n_keys; i++) {
		const char *row = row_of(keys[i].path), *end = strchr(row + 1, '\n');
		const char *name = strrchr(keys[i].path, '.');
		const char *cell = end - 1;
		char want[128];

		while (strncmp(cell, " | `", 4) && cell > row)
			cell--;
		if (strchr(keys[i].path, '[') || end[-3] != '`' || cell == row)
			continue;
		snprintf(want, sizeof(want), "\"%s\": %.*s", name ? name + 1 : keys[i].path, (int)(end - 3 - cell - 4),
			 cell + 4);
		if (!strstr(block, want))
			fail_msg("%s: the defaults do not say %s", keys[i].path, want);
		n++;
	}
	assert_true(n >= 20);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_key_is_documented),
	cmocka_unit_test(every_documented_key_exists),
	cmocka_unit_test(documented_ranges_are_the_real_ones),
	cmocka_unit_test(documented_examples_load),
	cmocka_unit_test(the_first_example_is_the_minimal_file),
	cmocka_unit_test(documented_defaults_are_the_real_ones),
	cmocka_unit_test(every_key_is_in_the_full_example),
	cmocka_unit_test(rows_agree_with_the_block_of_defaults),
};

int main(void)
{
	size_t len;
	int failed;

	docs = slurp(from_env("MPBPF_DOCS", "docs/config.md"), &len);
	collect("", config_rules);
	failed = cmocka_run_group_tests_name("config_docs", tests, directory_make, directory_remove);
	free(docs);
	return failed;
}

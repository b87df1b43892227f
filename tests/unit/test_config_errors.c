// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: each wrong document is refused in so many words: config_errors.txt (MPBPF_CASES). */
#include "config_test.h"

struct error_case {
	char *name, *text, *error;
};

static void error_case(void **state)
{
	const struct error_case *c = *state;

	assert_refused(c->text, strlen(c->text), -EINVAL, c->error);
}

/* Cuts the table where it stands. Before the first name there is commentary; a line that fits nowhere later gives 0. */
static size_t error_cases(char *line, struct error_case *cases, size_t max)
{
	bool open = false;
	size_t n = 0;
	char *next;

	for (; n < max && (next = strchr(line, '\n')); line = next) {
		next++;
		if (!strncmp(line, "# ", 2)) {
			next[-1] = '\0';
			cases[n] = (struct error_case){ .name = line + 2, .text = next };
			open = true;
		} else if (open && !strncmp(line, "=> ", 3)) {
			next[-1] = '\0';
			line[0] = '\0';
			cases[n++].error = line + 3;
			open = false;
		} else if (!open && n) {
			return 0;
		}
	}
	return open ? 0 : n;
}

/* ---- what a text file cannot hold ---- */

#define BYTES(text) text, sizeof(text) - 1

static void bytes_that_are_no_json(void **state)
{
	static const struct {
		const char *text;
		size_t len, column;
	} cases[] = {
		{ BYTES(""), 1 },
		{ BYTES("\0"), 1 },
		{ BYTES("{\"version\": \"1\"}\0"), 17 },
		{ BYTES("{\"version\": \"1\0\"}"), 15 },
		{ BYTES("\xef\xbb\xbf{\"version\": \"1\"}"), 1 },
		{ BYTES("{\"version\":\f\"1\"}"), 12 },
		{ BYTES("{\"version\":\x0b\"1\"}"), 12 },
		{ BYTES("{\"version\":\xa0\"1\"}"), 12 },
		{ BYTES("{\"\x80\": 1}"), 3 },
		{ BYTES("{\"\xc0\xaf\": 1}"), 3 },
		{ BYTES("{\"\xc1\xbf\": 1}"), 3 },
		{ BYTES("{\"\xc3(\": 1}"), 4 },
		{ BYTES("{\"\xe0\x9f\xbf\": 1}"), 4 },
		{ BYTES("{\"\xed\xa0\x80\": 1}"), 4 },
		{ BYTES("{\"\xe2\x82\": 1}"), 4 },
		{ BYTES("{\"\xf0\x8f\xbf\xbf\": 1}"), 4 },
		{ BYTES("{\"\xf4\x90\x80\x80\": 1}"), 4 },
		{ BYTES("{\"\xf5\x80\x80\x80\": 1}"), 3 },
		{ BYTES("{\"\xff\": 1}"), 3 },
		{ BYTES("{\"\xc3"), 4 },
		{ BYTES("{\"\x1f\": 1}"), 3 },
		{ BYTES("{\"\\"), 4 },
		{ BYTES("{\"\\u"), 5 },
	};
	char expected[80];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(expected, sizeof(expected), "mpbpf.json: line 1, column %zu: expected valid JSON",
			 cases[i].column);
		assert_refused(cases[i].text, cases[i].len, -EINVAL, expected);
	}
}

/* Characters of two, three and four bytes are fine where text is free. */
static void utf8_is_accepted_in_secrets(void **state)
{
	static const char secret[] =
		"\xc3\xa4\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x9d\x84\x9e\xf4\x8f\xbf\xbf\xf0\x9d\x84\x9e\x7f";
	_cleanup_config_ struct config *config = parse(
		"{\"version\": \"1\", \"auth\": {\"jwt_secret\": "
		"\"\xc3\xa4\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x9d\x84\x9e\xf4\x8f\xbf\xbf\\ud834\\udd1e\x7f\"}}");

	(void)state;
	assert_string_equal(config->auth.secret, secret);
	assert_int_equal(config->auth.secret_len, strlen(secret));
}

static void exempt_paths_must_be_canonical(void **state)
{
	static const char *const paths[] = {
		"",
		"healthz",
		"*",
		"//",
		"//a",
		"/a//b",
		"/a//",
		"/.",
		"/./a",
		"/a/.",
		"/a/./",
		"/..",
		"/../a",
		"/a/../b",
		"/a/..",
		"/a/../",
		"/%61",
		"/a%2Fb",
		"/a\\b",
		"/a;b",
		"/a?b",
		"/a#b",
		"/a|b",
		"/{id}",
		"/<x>",
		"/a b",
		"/a\tb",
		"/\x7f",
		"/\xc3\xa4",
		"http://a/",
		"/23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
		"3456789012",
		"/23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
		"345678901/",
	};
	struct rule any = {};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_(json_wipe) cJSON *item = cJSON_CreateString(paths[i]);
		char *json = cJSON_PrintUnformatted(item);
		char text[512], expected[512];

		snprintf(text, sizeof(text), "{\"version\": \"1\", \"auth\": {\"exempt_paths\": [%s]}}", json);
		free(json);
		snprintf(expected, sizeof(expected),
			 "mpbpf.json: auth.exempt_paths[0]: value %s: expected an absolute path of at most 110 bytes, "
			 "canonical: "
			 "visible ASCII without %% \\ ; ? # \" < > [ ] ^ ` { | }, no empty, . or .. segment",
			 show_item(item, &any).text);
		assert_refused(text, strlen(text), -EINVAL, expected);
	}
}

/* ---- limits: the largest that is accepted, and one more ---- */

/* head, `each` n times, joined by commas, with every @ in it replaced by 1 to n, tail. */
static char *repeat(const char *head, const char *each, size_t n, const char *tail)
{
	const char *p;
	size_t len, i;
	char *text;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fputs(head, f);
	for (i = 1; i <= n; i++) {
		for (p = each; *p; p++) {
			if (*p == '@')
				fprintf(f, "%zu", i);
			else
				fputc(*p, f);
		}
		fputs(i < n ? "," : "", f);
	}
	fputs(tail, f);
	fclose(f);
	return text;
}

static void numbers_of_elements_are_limited(void **state)
{
	static const struct {
		const char *head, *each, *tail;
		size_t max;
		const char *error;
	} cases[] = {
		{ "{\"version\":\"1\",\"listeners\":[",
		  "{\"name\":\"l@\",\"port\":@,\"auth\":{\"exempt_paths\":[\"/@\",\"/b\",\"/c\",\"/d\"]}}", "]}",
		  MPBPF_LISTENERS_MAX, "listeners: value (an array): expected at most 1024 elements" },
		{ "{\"version\":\"1\",\"auth\":{\"exempt_paths\":[", "\"/p/@\"", "]}}", MPBPF_PATHS_MAX,
		  "auth.exempt_paths: value (an array): expected at most 4096 elements" },
		{ "{\"version\":\"1\",\"listeners\":[{\"name\":\"a\",\"port\":1,\"auth\":{\"exempt_paths\":[\"/x\",\"/"
		  "y\"]}}],"
		  "\"auth\":{\"exempt_paths\":[",
		  "\"/p/@\"", "]}}", MPBPF_PATHS_MAX - 2,
		  "auth.exempt_paths[4094]: value \"/p/4095\": expected at most 4096 exempt paths in all auth blocks "
		  "together" },
		{ "{\"version\":\"1\",\"auth\":{\"base64_tokens\":[", "\"t@\"", "]}}", 4096,
		  "auth.base64_tokens: value (hidden): expected at most 4096 elements" },
		{ "{\"version\":\"1\",\"ddos\":{\"deny\":[\"::/0\"],\"allow\":[", "\"1.2.3.4\"", "]}}",
		  MPBPF_CIDRS_MAX - 96,
		  "ddos.allow[65440]: value (one too many): expected at most 65536 networks in ddos.deny and "
		  "ddos.allow together" },
		{ "{\"version\":\"1\",\"license\":{\"features\":{", "\"f@\":true", "}}}", 64,
		  "license.features: value (an object): expected at most 64 features" },
		{ "{\"version\":\"1\",\"metrics\":{\"hosts\":[", "\"h@\"", "]}}", MPBPF_HOSTS_MAX,
		  "metrics.hosts: value (an array): expected at most 60 elements" },
		{ "{\"version\":\"1\",\"services\":[", "{\"name\":\"s@\",\"hosts\":[\"a\"],\"port\":1}", "]}", 1024,
		  "services: value (an array): expected at most 1024 elements" },
		{ "{\"version\":\"1\",\"services\":[{\"name\":\"a\",\"port\":1,\"hosts\":[", "\"h@\"", "]}]}", 1024,
		  "services[0].hosts: value (an array): expected at most 1024 elements" },
		{ "{\"version\":\"1\",\"services\":[{\"name\":\"a\",\"port\":1,\"hosts\":[\"a\"]}],\"routes\":[",
		  "{\"name\":\"r@\",\"prefix\":\"/\",\"cluster_name\":\"a\"}", "]}", 1024,
		  "routes: value (an array): expected at most 1024 elements" },
		{ "{\"version\":\"1\",\"services\":[{\"name\":\"a\",\"port\":1,\"hosts\":[\"a\"]}],\"routes\":["
		  "{\"name\":\"r\",\"prefix\":\"/\",\"cluster_name\":\"a\",\"hosts\":[",
		  "\"h@\"", "]}]}", 1024, "routes[0].hosts: value (an array): expected at most 1024 elements" },
	};
	char expected[512];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *most = repeat(cases[i].head, cases[i].each, cases[i].max, cases[i].tail);
		_cleanup_free_ char *more = repeat(cases[i].head, cases[i].each, cases[i].max + 1, cases[i].tail);
		_cleanup_config_ struct config *config = parse(most);

		snprintf(expected, sizeof(expected), "mpbpf.json: %s", cases[i].error);
		assert_refused(more, strlen(more), -EINVAL, expected);
	}
}

static void lengths_of_strings_are_limited(void **state)
{
	static const struct {
		const char *head, *tail;
		size_t max;
		const char *error;
	} cases[] = {
		{ "{\"version\":\"1\",\"auth\":{\"jwt_secret\":\"", "\"}}", CONFIG_SECRET_MAX,
		  "auth.jwt_secret: value (hidden): expected a string of 1 to 65536 bytes" },
		{ "{\"version\":\"1\",\"auth\":{\"base64_tokens\":[\"", "\"]}}", MPBPF_TOKEN_MAX,
		  "auth.base64_tokens[0]: value (hidden): expected a string of 1 to 8192 bytes" },
		{ "{\"version\":\"1\",\"auth\":{\"exempt_paths\":[\"/", "\"]}}", 109,
		  "auth.exempt_paths[0]: value "
		  "\"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": expected an absolute "
		  "path of at most 110 bytes, canonical: visible ASCII without % \\ ; ? # \" < > [ ] ^ ` { | }, no empty, . or .. segment" },
		{ "{\"version\":\"1\",\"listeners\":[{\"port\":1,\"name\":\"", "\"}]}", 64,
		  "listeners[0].name: value \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": "
		  "expected a name of 1 to "
		  "64 visible ASCII characters" },
		{ "{\"version\":\"1\",\"services\":[{\"name\":\"s\",\"port\":1,\"hosts\":[\"", "\"]}]}", 253,
		  "services[0].hosts[0]: value "
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": expected a host of 1 "
		  "to 253 visible ASCII characters" },
	};
	char expected[512];
	size_t i, extra;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(expected, sizeof(expected), "mpbpf.json: %s", cases[i].error);
		for (extra = 0; extra < 2; extra++) {
			_cleanup_free_ char *text = malloc(cases[i].max + 256);
			_cleanup_config_ struct config *config = NULL;
			size_t n = sprintf(text, "%s", cases[i].head);

			memset(text + n, 'a', cases[i].max + extra);
			strcpy(text + n + cases[i].max + extra, cases[i].tail);
			if (extra)
				assert_refused(text, strlen(text), -EINVAL, expected);
			else
				config = parse(text);
		}
	}
}

static void a_document_of_one_mebibyte_is_the_largest(void **state)
{
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX + 1);
	_cleanup_config_ struct config *config = NULL;
	struct config_error err = {};

	(void)state;
	memset(text, ' ', CONFIG_FILE_MAX + 1);
	memcpy(text, "{\"version\": \"1\"}", 16);
	assert_int_equal(parse_bytes(text, CONFIG_FILE_MAX, &config, &err), 0);
	assert_refused(text, CONFIG_FILE_MAX + 1, -EFBIG, "mpbpf.json: expected at most 1048576 bytes");
}

/* cJSON goes at most 1000 deep; the stack must hold that under a sanitizer. */
static void nesting_is_bounded(void **state)
{
	static const char *const each[] = { "[", "{\"a\":" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(each); i++) {
		_cleanup_free_ char *text = NULL;
		char expected[96];
		size_t len, n;
		FILE *f = open_memstream(&text, &len);

		for (n = 0; n < 100000; n++)
			fputs(each[i], f);
		fclose(f);
		snprintf(expected, sizeof(expected), "mpbpf.json: line 1, column %zu: expected valid JSON",
			 1000 * strlen(each[i]) + 1);
		assert_refused(text, len, -EINVAL, expected);
	}
}

/* The end of a long name is what tells files apart; the error still has room for the rest. */
static void long_file_names_are_cut_in_front(void **state)
{
	struct config_error err = {};
	struct config *config = NULL;
	char name[1024], expected[512];

	(void)state;
	memset(name, 'd', sizeof(name));
	strcpy(name + sizeof(name) - 12, "/mpbpf.json");
	assert_int_equal(config_parse("{}", 2, name, NULL, &config, &err), -EINVAL);
	snprintf(expected, sizeof(expected), "%s: version: value (missing): expected \"1\"", name + sizeof(name) - 161);
	assert_string_equal(err.text, expected);
	assert_null(config);
}

static const struct CMUnitTest plain_tests[] = {
	cmocka_unit_test(bytes_that_are_no_json),
	cmocka_unit_test(utf8_is_accepted_in_secrets),
	cmocka_unit_test(exempt_paths_must_be_canonical),
	cmocka_unit_test(numbers_of_elements_are_limited),
	cmocka_unit_test(lengths_of_strings_are_limited),
	cmocka_unit_test(a_document_of_one_mebibyte_is_the_largest),
	cmocka_unit_test(nesting_is_bounded),
	cmocka_unit_test(long_file_names_are_cut_in_front),
};

int main(void)
{
	static struct error_case cases[400];
	static struct CMUnitTest tests[ARRAY_SIZE(plain_tests) + ARRAY_SIZE(cases)];
	size_t len, n, i;
	_cleanup_free_ char *table = slurp(from_env("MPBPF_CASES", "tests/unit/config_errors.txt"), &len);

	n = error_cases(table, cases, ARRAY_SIZE(cases));
	if (n < 190) {
		fprintf(stderr, "config_errors.txt: only %zu cases can be read\n", n);
		return 1;
	}
	memcpy(tests, plain_tests, sizeof(plain_tests));
	for (i = 0; i < n; i++)
		tests[ARRAY_SIZE(plain_tests) + i] = (struct CMUnitTest){ .name = cases[i].name,
									  .test_func = error_case,
									  .initial_state = &cases[i] };
	return _cmocka_run_group_tests("config_errors", tests, ARRAY_SIZE(plain_tests) + n, directory_make,
				       directory_remove);
}

// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: what is legal, but perhaps not meant, is said in so many words, and nothing else is. */
#include "config_test.h"

static void assert_warnings(const char *text, const char *const *want)
{
	_cleanup_config_ struct config *config = parse(text);
	size_t i;

	for (i = 0; want[i]; i++) {
		assert_true(i < config->n_warnings);
		assert_string_equal(config->warnings[i], want[i]);
	}
	assert_int_equal(config->n_warnings, i);
}

#define WARNINGS(text, ...) assert_warnings(text, (const char *const[]){ __VA_ARGS__, NULL })
#define NONE (const char *)NULL
#define CLOSED "neither a key nor a token is given: every request that is not exempt is denied"
#define SHORT(size, name) "the secret is shorter than the " #size " bytes that RFC 7518, section 3.2, demands for " name

static void what_has_no_effect_is_said(void **state)
{
	(void)state;
	WARNINGS("{\"version\": \"1\", \"ddos\": {\"syn_cookies\": \"off\"}}", NONE);
	WARNINGS("{\"version\": \"1\", \"ddos\": {\"syn_cookies\": \"always\"}}", NONE);
	WARNINGS("{\"version\": \"1\", \"license\": {}, \"metrics\": {}, \"services\": [], \"routes\": [], "
		 "\"source_routes\": []}",
		 NONE);
}

static void hosts_that_are_none_are_said(void **state)
{
	(void)state;
	WARNINGS(
		"{\"version\": \"1\", \"services\": [{\"name\": \"s\", \"hosts\": [\"h\"], \"port\": 1}], \"routes\": "
		"[{\"name\": \"r\", \"prefix\": \"/\", \"cluster_name\": \"s\", \"hosts\": [\"a.example:80\", \"*a.example\", "
		"\"*\", \"*.example\", \"[::1]\"]}]}",
		"mpbpf.json: routes[0].hosts[1]: no request is for this: a host is a name, an address, *.NAME or *",
		"mpbpf.json: services: no listener is a gateway or a capture: nothing goes there");
}

static void short_secrets_are_said(void **state)
{
	static const char format[] =
		"{\"version\": \"1\", \"auth\": {\"jwt_algorithm\": \"HS%s\", \"jwt_secret\": \"%.*s\"}}";
	static const char *const names[] = { "256", "384", "512" };
	static const char *const want[] = { "mpbpf.json: auth: " SHORT(32, "HS256"),
					    "mpbpf.json: auth: " SHORT(48, "HS384"),
					    "mpbpf.json: auth: " SHORT(64, "HS512") };
	static const int sizes[] = { 32, 48, 64 };
	char text[256];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), format, names[i], sizes[i], KEY_48 KEY_48);
		WARNINGS(text, NONE);
		snprintf(text, sizeof(text), format, names[i], sizes[i] - 1, KEY_48 KEY_48);
		WARNINGS(text, want[i]);
	}
}

static void blocks_that_let_nobody_in_are_said(void **state)
{
	(void)state;
	WARNINGS("{\"version\": \"1\", \"auth\": {}}", NONE);
	WARNINGS("{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1}]}", "mpbpf.json: auth: " CLOSED);
	WARNINGS("{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1}], \"auth\": {\"require_auth\": "
		 "false}}",
		 NONE);
	WARNINGS("{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1}], \"auth\": {\"base64_tokens\": "
		 "[\"t\"]}}",
		 NONE);
	WARNINGS("{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1, \"auth\": {\"base64_tokens\": "
		 "[\"t\"]}}]}",
		 NONE);
	WARNINGS("{\"version\": \"1\", \"listeners\": [{\"name\": \"a\", \"port\": 1, \"auth\": {\"jwt_secret\": "
		 "\"x\"}}, {\"name\": "
		 "\"b\", \"port\": 2}, {\"name\": \"c\", \"port\": 3, \"auth\": {}}]}",
		 "mpbpf.json: listeners[0].auth: " SHORT(32, "HS256"), "mpbpf.json: listeners[2].auth: " CLOSED,
		 "mpbpf.json: auth: " CLOSED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_has_no_effect_is_said),
	cmocka_unit_test(hosts_that_are_none_are_said),
	cmocka_unit_test(short_secrets_are_said),
	cmocka_unit_test(blocks_that_let_nobody_in_are_said),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_warnings", tests, directory_make, directory_remove);
}

// SPDX-License-Identifier: MIT
/* Unit tests of core/host.c: one spelling for hosts, and which pattern is for which host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/host.h"
#include "core/util.h"

#define LABEL_63 "123456789-123456789-123456789-123456789-123456789-123456789-123"
#define NAME_253                               \
	LABEL_63 "." LABEL_63 "." LABEL_63 "." \
		 "123456789-123456789-123456789-123456789-123456789-123456789-1"
_Static_assert(sizeof(NAME_253) == 254, "as its name says");

static void hosts_have_one_spelling(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: no host */
	} cases[] = {
		{ "api.example.com", "api.example.com" },
		{ "API.Example.COM", "api.example.com" },
		{ "api.example.com:8080", "api.example.com" },
		{ "api.example.com:65535", "api.example.com" },
		{ "api.example.com:", "api.example.com" },
		{ "api.example.com.", "api.example.com" },
		{ "api.example.com.:443", "api.example.com" },
		{ "a_b-c.example", "a_b-c.example" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1:80", "192.0.2.1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:DB8:0:0::1]:8443", "2001:db8::1" },
		{ "[::1]:", "::1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "::", "::" },
		{ "[::ffff:192.0.2.1]", "::ffff:192.0.2.1" },
		{ NAME_253, NAME_253 },
		{ NAME_253 "1", NULL },
		{ "", NULL },
		{ ".", NULL },
		{ ":80", NULL },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a..", NULL },
		{ "a b", NULL },
		{ "a/b", NULL },
		{ "user@a", NULL },
		{ "a%41", NULL },
		{ "a\xc3\xa4", NULL },
		{ "*.a", NULL },
		{ "a:b", NULL },
		{ "a:-1", NULL },
		{ "a:65536", NULL },
		{ "a:123456", NULL },
		{ "a:80x", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ "[::1", NULL },
		{ "[::1]x", NULL },
		{ "[::1]80", NULL },
		{ "[::1]:65536", NULL },
		{ "[192.0.2.1]", NULL },
		{ "[fe80::1%eth0]", NULL },
		{ "[1:2:3:4:5:6:7:8:9]", NULL },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]", NULL },
		{ "a:1:2", NULL },
		{ "::1]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[HOST_MAX] = "untouched";
		int r = host_normalize(cases[i].text, host);

		if (r != (cases[i].want ? 0 : -EINVAL) || strcmp(host, cases[i].want ?: "untouched"))
			fail_msg("%s: %d, %s", cases[i].text, r, host);
	}
}

static void patterns_are_names_wildcards_or_all(void **state)
{
	static const struct {
		const char *text;
		int kind;
		const char *want;
	} cases[] = {
		{ "*", HOST_ANY, "" },
		{ "*.Example.org", HOST_WILDCARD, ".example.org" },
		{ "*.example.org:8080", HOST_WILDCARD, ".example.org" },
		{ "Example.org", HOST_EXACT, "example.org" },
		{ "[::1]:80", HOST_EXACT, "::1" },
		{ "*.", -EINVAL, NULL },
		{ "**", -EINVAL, NULL },
		{ "*example.org", -EINVAL, NULL },
		{ "a.*", -EINVAL, NULL },
		{ "*.*.a", -EINVAL, NULL },
		{ "*.[::1]", -EINVAL, NULL },
		{ "*." NAME_253, -EINVAL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[HOST_MAX] = "";
		int kind = host_pattern(cases[i].text, host);

		if (kind != cases[i].kind || (kind >= 0 && strcmp(host, cases[i].want)))
			fail_msg("%s: %d, %s", cases[i].text, kind, host);
	}
}

static void a_wildcard_is_for_what_lies_below(void **state)
{
	(void)state;
	assert_true(host_matches(HOST_WILDCARD, ".example.org", "a.example.org"));
	assert_true(host_matches(HOST_WILDCARD, ".example.org", "a.b.example.org"));
	assert_false(host_matches(HOST_WILDCARD, ".example.org", "example.org"));
	assert_false(host_matches(HOST_WILDCARD, ".example.org", ".example.org"));
	assert_false(host_matches(HOST_WILDCARD, ".example.org", "badexample.org"));
	assert_false(host_matches(HOST_WILDCARD, ".example.org", "a.example.org.evil"));
	assert_true(host_matches(HOST_EXACT, "a", "a"));
	assert_false(host_matches(HOST_EXACT, "a", "b.a"));
	assert_false(host_matches(HOST_EXACT, "a", ""));
	assert_true(host_matches(HOST_ANY, "", "a"));
	assert_true(host_matches(HOST_ANY, "", ""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_have_one_spelling),
		cmocka_unit_test(patterns_are_names_wildcards_or_all),
		cmocka_unit_test(a_wildcard_is_for_what_lies_below),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Unit tests of bpf/include/http1_host.h: what the Host of a head is counted as, against core/host.h; nothing behind the head is
 * touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host.h"
#include "core/policy_keys.h"
#include "core/util.h"
#include "http1_check.h"
#include "http1_host.h"

#define NAME_55 "123456789-123456789-123456789-123456789-123456789-12345"
#define NAME_111 NAME_55 "." NAME_55
#define TABS_16 "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"
_Static_assert(sizeof(NAME_111) == MPBPF_HOST_KEY, "the longest");

/* The key of a head's host. False: it has none. */
static bool key_of_head(const char *head, struct host_key *ret)
{
	size_t len = strlen(head);
	struct http1 h = http1_whole(head, len, false);

	assert_int_equal(h.result, HTTP1_DONE);
	memset(ret, 0x55, sizeof(*ret));
	if (http1_host(http1_guarded(head, len, true), &h, ret))
		return false;
	ret->generation = 7;
	return true;
}

static bool key_of_field(const char *value, struct host_key *ret)
{
	char head[1024];

	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost:%s\r\n\r\n", value);
	return key_of_head(head, ret);
}

/* As far as the trie compares them. */
static bool same(const struct host_key *a, const struct host_key *b)
{
	return a->prefixlen == b->prefixlen && a->generation == b->generation &&
	       !memcmp(a->host, b->host, (a->prefixlen - 32) / 8);
}

static void fields_come_to_the_host_of_the_configuration(void **state)
{
	static const struct {
		const char *value, *want; /* NULL: none */
	} cases[] = {
		{ " api.example.org", "api.example.org" },
		{ "api.example.org", "api.example.org" },
		{ "\t api.example.org \t", "api.example.org" },
		{ " API.Example.ORG", "api.example.org" },
		{ " api.example.org:80", "api.example.org" },
		{ " api.example.org:65535 ", "api.example.org" },
		{ " api.example.org:", "api.example.org" },
		{ " api.example.org.", "api.example.org" },
		{ " api.example.org.:8080", "api.example.org" },
		{ " a_b-c.example", "a_b-c.example" },
		{ " a", "a" },
		{ " 192.0.2.1", "192.0.2.1" },
		{ " 192.0.2.12345", "192.0.2.12345" },
		{ " 192.0.2.1:80", "192.0.2.1" },
		{ " [2001:db8::1]", "[2001:db8::1]" },
		{ " [2001:DB8::A]:8080", "[2001:db8::a]" },
		{ " [::ffff:192.0.2.1]:", "[::ffff:192.0.2.1]" },
		{ " " NAME_111, NAME_111 },
		{ " " NAME_111 ".:12345", NAME_111 },
		{ TABS_16 "a" TABS_16, "a" },
		{ TABS_16 " a", NULL },
		{ "a" TABS_16 " ", NULL },
		{ " " NAME_111 "1", NULL },
		{ " 1." NAME_111, NULL },
		{ " " NAME_111 NAME_111, NULL },
		{ "", NULL },
		{ " ", NULL },
		{ " .", NULL },
		{ " :", NULL },
		{ " :80", NULL },
		{ " .:80", NULL },
		{ " .a", NULL },
		{ " a..", NULL },
		{ " a..b", NULL },
		{ " a b", NULL },
		{ " b a", NULL },
		{ " a/b", NULL },
		{ " user@a", NULL },
		{ " a%41", NULL },
		{ " a\xc3\xa4", NULL },
		{ " *.a", NULL },
		{ " a,b", NULL },
		{ " a:b", NULL },
		{ " a:80x", NULL },
		{ " a:123456", NULL },
		{ " a:1:2", NULL },
		{ " a+b", NULL },
		{ " a~b", NULL },
		{ " 2001:db8::1", NULL },
		{ " [::1", NULL },
		{ " ::1]", NULL },
		{ " [::1]x", NULL },
		{ " [::1].", NULL },
		{ " [", NULL },
		{ " ]", NULL },
	};
	struct host_key key, want;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool found = key_of_field(cases[i].value, &key);

		if (found != !!cases[i].want)
			fail_msg("Host:%s: %s", cases[i].value, found ? "a host" : "no host");
		if (!found)
			continue;
		assert_int_equal(host_key_of(cases[i].want, 7, &want), 0);
		if (!same(&key, &want))
			fail_msg("Host:%s: not as %s", cases[i].value, cases[i].want);
	}
}

/* Of the rest core/host.h says whether it is a host; that has no bound on ports, white space or length, and other literals. */
static void whatever_comes_is_as_core_reads_it(void **state)
{
	static const char alphabet[] = "aZ09.-_:@%*/";
	struct host_key key, want;
	char value[16], normal[HOST_MAX];
	uint32_t seed = 1;

	(void)state;
	for (size_t round = 0; round < 20000; round++) {
		size_t len = 0;
		int r;

		do {
			seed = seed * 1103515245 + 12345;
			value[len++] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		} while (len < 3 + round % 8);
		value[len] = '\0';
		r = host_normalize(value, normal);
		if (r < 0 && !key_of_field(value, &key))
			continue;
		/* A port above 65535 is one here. */
		if (r < 0 && strrchr(value, ':') && strlen(strrchr(value, ':')) == 6)
			continue;
		if (r == 0 && strchr(normal, ':'))
			continue;
		if (r < 0 || !key_of_field(value, &key) || host_key_of(normal, 7, &want) || !same(&key, &want))
			fail_msg("%s: %s", value, r < 0 ? "no host" : normal);
	}
}

static void wherever_the_field_stands(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n",
		"GET / HTTP/1.1\r\nhOST:a.b\r\nAccept: *\r\n\r\n",
		"GET / HTTP/1.0\r\nAccept: Host: c\r\nHost:\ta.b:1\r\nX-Host: c\r\n\r\n",
		"GET / HTTP/1.1\r\nX: y\r\nHost: A.B.\r\nAuthorization: Bearer x\r\nContent-Length: 3\r\n\r\nabc",
	};
	struct host_key key, want;

	(void)state;
	assert_int_equal(host_key_of("a.b", 7, &want), 0);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		assert_true(key_of_head(heads[i], &key));
		assert_true(same(&key, &want));
	}
	assert_false(key_of_head("GET / HTTP/1.0\r\n\r\n", &key));
	assert_false(key_of_head("GET / HTTP/1.0\r\nX-Host: a.b\r\n\r\n", &key));
}

static void keys_are_reversed(void **state)
{
	struct host_key key;

	(void)state;
	assert_int_equal(host_key_of("a1.example", 7, &key), 0);
	assert_int_equal(key.prefixlen, 32 + 8 * 11);
	assert_int_equal(key.generation, 7);
	assert_memory_equal(key.host, "elpmaxe.1a", 11);
	assert_int_equal(host_key_of("*.example", 7, &key), 0);
	assert_int_equal(key.prefixlen, 32 + 8 * 8);
	assert_memory_equal(key.host, "elpmaxe.", 8);
	assert_int_equal(host_key_of(NAME_111, 7, &key), 0);
	assert_int_equal(host_key_of(NAME_111 "1", 7, &key), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_to_the_host_of_the_configuration),
		cmocka_unit_test(whatever_comes_is_as_core_reads_it),
		cmocka_unit_test(wherever_the_field_stands),
		cmocka_unit_test(keys_are_reversed),
	};

	return cmocka_run_group_tests_name("http1_host", tests, NULL, NULL);
}

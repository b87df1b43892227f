// SPDX-License-Identifier: MIT
/* Unit tests of core/lists_file, core/cidr, core/duration and the keys of lists: what users write, and what becomes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/duration.h"
#include "core/lists_maps.h"
#include "core/util.h"

static struct list_entry *entries;
static size_t n;
static char error[LIST_ERROR_MAX];

static int read_text(const char *text, size_t len)
{
	FILE *file = fmemopen((void *)text, len, "r");
	int r;

	assert_non_null(file);
	free(entries);
	entries = NULL;
	n = 0;
	strcpy(error, "");
	r = list_file_read(file, &entries, &n, error);
	fclose(file);
	return r;
}

static void assert_network(size_t at, const char *want)
{
	char text[CIDR_TEXT_MAX];

	assert_true(at < n);
	assert_string_equal(cidr_text(&entries[at].cidr, list_entry_is_v4(&entries[at]), text), want);
}

static void a_file_has_a_network_a_line(void **state)
{
	static const char text[] = "# comment\n"
				   "203.0.113.0/24\n"
				   "\n"
				   "  192.0.2.1 \t# why\r\n"
				   "2001:db8::/32#x\n"
				   "::ffff:198.51.100.0/120\n"
				   "::/0\n"
				   "0.0.0.0/0";

	(void)state;
	assert_int_equal(read_text(text, strlen(text)), 0);
	assert_int_equal(n, 6);
	assert_network(0, "203.0.113.0/24");
	assert_network(1, "192.0.2.1/32");
	assert_network(2, "2001:db8::/32");
	assert_network(4, "::/0");
	assert_network(5, "0.0.0.0/0");
	assert_int_equal(read_text("#", 1), 0);
	assert_int_equal(n, 0);
}

static void an_error_names_its_line(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "192.0.2.1\n\nx\n", "line 3: value \"x\": expected an IPv4 or IPv6 network such as 203.0.113.0/24 or "
				      "2001:db8::/32" },
		{ "192.0.2.1/24\n",
		  "line 1: value \"192.0.2.1/24\": expected a network address, perhaps 192.0.2.0/24" },
		{ "2001:db8::1/64",
		  "line 1: value \"2001:db8::1/64\": expected a network address, perhaps 2001:db8::/64" },
		{ "#\n192.0.2.1 192.0.2.2",
		  "line 2: value \"192.0.2.1 192.0.2.2\": expected an IPv4 or IPv6 network such as "
		  "203.0.113.0/24 or 2001:db8::/32" },
		{ "\x1b[31m", "line 1: value \"?[31m\": expected an IPv4 or IPv6 network such as 203.0.113.0/24 or "
			      "2001:db8::/32" },
	};
	static const char *const wrong[] = { "192.0.2.1/33", "192.0.2.1/032", "192.0.2.1/",    "/8",
					     "::/129",	     "192.0.2",	      "1.2.3.4/-1",    "1.2.3.4/ 8",
					     "fe80::1%lo",   "host.x",	      "192.0.2.1/32/1" };
	char line[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_text(cases[i].text, strlen(cases[i].text)), -EINVAL);
		assert_string_equal(error, cases[i].error);
		assert_null(entries);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(read_text(wrong[i], strlen(wrong[i])), -EINVAL);
	assert_int_equal(read_text("192.0.2.1\0x\n", 12), -EINVAL);
	assert_string_equal(error, "line 1: value \"192.0.2.1\": expected text without NUL bytes");
	memset(line, '1', sizeof(line));
	assert_int_equal(read_text(line, sizeof(line)), -EINVAL);
	assert_non_null(strstr(error, "1111...\": expected"));
}

static void a_file_that_is_too_long_is_refused(void **state)
{
	static const char line[] = "192.0.2.1\n";
	size_t len = strlen(line), lines = MPBPF_LISTED_MAX + 1;
	_cleanup_free_ char *text = malloc(lines * len);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < lines; i++)
		memcpy(text + i * len, line, len);
	assert_int_equal(read_text(text, (lines - 1) * len), 0);
	assert_int_equal(n, MPBPF_LISTED_MAX);
	assert_int_equal(read_text(text, lines * len), -EINVAL);
	assert_string_equal(error, "line 1048577: expected at most 1048576 networks");
}

static void every_length_has_a_key_that_leads_back(void **state)
{
	struct list_entry entry = {}, back;
	char key[LIST_KEY_MAX] __attribute__((aligned(8)));

	(void)state;
	for (unsigned int prefix = 0; prefix <= 128; prefix++) {
		memset(entry.cidr.addr.b, 0xff, 16);
		cidr_mask(&entry.cidr.addr, prefix);
		entry.cidr.prefix = prefix;
		list_key_of(&entry, key);
		list_entry_of(LIST_V6, key, &entry.listed, &back);
		assert_memory_equal(&back, &entry, sizeof(back));
		if (prefix > 32)
			continue;
		entry.cidr.addr = cidr_v4;
		memset(entry.cidr.addr.b + 12, 0xff, 4);
		entry.cidr.prefix = 96 + prefix;
		cidr_mask(&entry.cidr.addr, 96 + prefix);
		list_key_of(&entry, key);
		list_entry_of(LIST_V4, key, &entry.listed, &back);
		assert_memory_equal(&back, &entry, sizeof(back));
	}
}

static void lengths_are_known_as_long_as_a_network_has_them(void **state)
{
	struct list_lengths lengths = { .first_end = LISTED_FOR_GOOD };
	struct list_entry entry = { .cidr = { .addr = cidr_v4, .prefix = 128 }, .listed.until = 5 };

	(void)state;
	list_lengths_count(&lengths, &entry, 1);
	list_lengths_count(&lengths, &entry, 1);
	assert_int_equal(lengths.v4, 1);
	assert_int_equal(lengths.first_end, 5);
	list_lengths_count(&lengths, &entry, -1);
	assert_int_equal(lengths.v4, 1);
	list_lengths_count(&lengths, &entry, -1);
	list_lengths_count(&lengths, &entry, -1);
	assert_int_equal(lengths.v4, 0);
	entry.cidr.prefix = 96;
	list_lengths_count(&lengths, &entry, 1);
	assert_int_equal(lengths.v4, 1ULL << 32);
	entry.cidr = (struct cidr){ .prefix = 0 };
	list_lengths_count(&lengths, &entry, 1);
	assert_int_equal(lengths.v6_all, 1);
	entry.cidr.prefix = 64;
	list_lengths_count(&lengths, &entry, 1);
	assert_int_equal(lengths.v6[0], 1);
	entry.cidr.prefix = 65;
	list_lengths_count(&lengths, &entry, 1);
	assert_int_equal(lengths.v6[1], 1ULL << 63);
	assert_int_equal(list_lengths_sum(&lengths), 4);
}

static void durations_are_a_number_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		int r;
	} cases[] = {
		{ "1s", 1, 0 },
		{ "10m", 600, 0 },
		{ "2h", 7200, 0 },
		{ "7d", 604800, 0 },
		{ "36500d", 3153600000, 0 },
		{ "36501d", 0, -ERANGE },
		{ "0s", 0, -EINVAL },
		{ "", 0, -EINVAL },
		{ "10", 0, -EINVAL },
		{ "m", 0, -EINVAL },
		{ "-1m", 0, -EINVAL },
		{ "+1m", 0, -EINVAL },
		{ " 1m", 0, -EINVAL },
		{ "1m ", 0, -EINVAL },
		{ "1w", 0, -EINVAL },
		{ "1.5h", 0, -EINVAL },
		{ "1h30m", 0, -EINVAL },
		{ "99999999999999999999s", 0, -EINVAL },
		{ "9223372036854775807d", 0, -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t got = 0;

		assert_int_equal(duration_parse(cases[i].text, &got), cases[i].r);
		assert_int_equal(got, cases[i].seconds);
	}
}

static void reasons_are_short_and_printable(void **state)
{
	char text[MPBPF_LIST_REASON_SIZE + 1] = "";

	(void)state;
	assert_true(list_reason_is_valid("port scan, ticket 7"));
	assert_false(list_reason_is_valid(""));
	assert_false(list_reason_is_valid("a\nb"));
	assert_false(list_reason_is_valid("\xc3\xbc"));
	memset(text, 'x', MPBPF_LIST_REASON_SIZE - 1);
	assert_true(list_reason_is_valid(text));
	memset(text, 'x', MPBPF_LIST_REASON_SIZE);
	assert_false(list_reason_is_valid(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_has_a_network_a_line),
		cmocka_unit_test(an_error_names_its_line),
		cmocka_unit_test(a_file_that_is_too_long_is_refused),
		cmocka_unit_test(every_length_has_a_key_that_leads_back),
		cmocka_unit_test(lengths_are_known_as_long_as_a_network_has_them),
		cmocka_unit_test(durations_are_a_number_and_a_unit),
		cmocka_unit_test(reasons_are_short_and_printable),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(entries);
	return r;
}

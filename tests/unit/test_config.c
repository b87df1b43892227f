// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: what each value of an accepted document becomes, and the defaults. */
#include "config_test.h"

static void no_file_gives_the_defaults(void **state)
{
	_cleanup_config_ struct config *config = NULL;
	struct config_error err = {};

	(void)state;
	assert_int_equal(config_load(NULL, &config, &err), 0);
	assert_defaults(config);
	assert_int_equal(config->n_warnings, 0);
}

static void what_is_left_out_has_its_default(void **state)
{
	_cleanup_config_ struct config *top = parse("{\"version\": \"1\"}");
	_cleanup_config_ struct config *all = parse("{\"version\": \"1\", \"rate_limit\": {}, \"ddos\": {\"deny\": [], "
						    "\"allow\": []}, \"listeners\": [], \"auth\": "
						    "{\"base64_tokens\": [], \"exempt_paths\": []}, \"cache\": {}}");

	(void)state;
	assert_defaults(top);
	assert_defaults(all);
	assert_int_equal(top->n_warnings + all->n_warnings, 0);
}

static void ranges_include_their_ends(void **state)
{
	_cleanup_config_ struct config *low = parse("{\"version\": \"1\", \"rate_limit\": {\"window_ms\": 10, "
						    "\"packets\": 1, \"max_sources\": 1024}, \"cache\": "
						    "{\"max_verdicts\": 1024}, \"auth\": {\"leeway_s\": 0}, "
						    "\"listeners\": [{\"name\": \"a\", \"port\": 1}], \"metrics\": "
						    "{\"sample_rate\": 0}}");
	_cleanup_config_ struct config *high = parse("{\"version\": \"1\", \"rate_limit\": {\"window_ms\": 3600000, "
						     "\"packets\": 4294967295, \"max_sources\": 16777216}, "
						     "\"cache\": {\"max_verdicts\": 4194304}, \"auth\": {\"leeway_s\": "
						     "86400}, \"listeners\": [{\"name\": \"a\", \"port\": "
						     "65535}], \"metrics\": {\"sample_rate\": 1}}");

	(void)state;
	assert_int_equal(low->rate_limit.window_ms, 10);
	assert_int_equal(low->rate_limit.rate.packets, 1);
	assert_int_equal(low->rate_limit.max_sources, 1024);
	assert_int_equal(low->max_verdicts, 1024);
	assert_int_equal(low->auth.leeway_s, 0);
	assert_int_equal(low->listeners[0].port, 1);
	assert_true(low->metrics.sample_rate == 0);
	assert_int_equal(high->rate_limit.window_ms, 3600000);
	assert_int_equal(high->rate_limit.rate.packets, 4294967295);
	assert_int_equal(high->rate_limit.max_sources, 16777216);
	assert_int_equal(high->max_verdicts, 4194304);
	assert_int_equal(high->auth.leeway_s, 86400);
	assert_int_equal(high->listeners[0].port, 65535);
}

static void a_whole_number_may_be_written_in_any_form(void **state)
{
	_cleanup_config_ struct config *config = parse("\t{\"version\":\"1\",\r\n\"rate_limit\":{\"window_ms\":1e2,"
						       "\"packets\":5.0,\"max_sources\":20.48E+2}}\n");

	(void)state;
	assert_int_equal(config->rate_limit.window_ms, 100);
	assert_int_equal(config->rate_limit.rate.packets, 5);
	assert_int_equal(config->rate_limit.max_sources, 2048);
}

static void a_disabled_limit_has_no_mode(void **state)
{
	_cleanup_config_ struct config *config =
		parse("{\"version\": \"1\", \"rate_limit\": {\"enabled\": false, \"mode\": \"monitor\"}}");

	(void)state;
	assert_false(config->rate_limit.enabled);
	assert_int_equal(config->rate_limit.rate.mode, RATE_OFF);
}

static void one_port_on_several_addresses(void **state)
{
	_cleanup_config_ struct config *config = parse("{\"version\": \"1\", \"auth\": {\"require_auth\": false}, "
						       "\"listeners\": [{\"name\": \"a\", \"port\": 80}, {\"name\": "
						       "\"b\", \"port\": 80, \"address\": \"0.0.0.0\"}, {\"name\": "
						       "\"c\", \"port\": 80, \"address\": \"::1\"}, {\"name\": \"d\", "
						       "\"port\": 80, \"address\": \"::ffff:127.0.0.1\"}, {\"name\": "
						       "\"e\", \"port\": 81, \"address\": \"0::0\"}]}");

	(void)state;
	assert_true(config->listeners[0].any);
	assert_false(config->listeners[1].any);
	assert_addr(config->listeners[2].address, "::1");
	assert_addr(config->listeners[3].address, "::ffff:127.0.0.1");
	assert_true(config->listeners[4].any);
	assert_int_equal(config->n_warnings, 0);
}

static void networks_of_both_families(void **state)
{
	_cleanup_config_ struct config *config =
		parse("{\"version\": \"1\", \"ddos\": {\"deny\": [\"0.0.0.0/0\", \"0.0.0.0/0\", \"255.255.255.255\", "
		      "\"128.0.0.0/1\", "
		      "\"::ffff:10.0.0.0/104\", \"::ffff:0:0/96\", \"::/96\", \"8000::/1\", \"::1/128\"]}}");
	const struct cidr *deny = config->ddos.deny;

	(void)state;
	assert_int_equal(config->ddos.n_deny, 9);
	assert_cidr(&deny[0], "::ffff:0:0", 96);
	assert_cidr(&deny[1], "::ffff:0:0", 96);
	assert_cidr(&deny[2], "::ffff:255.255.255.255", 128);
	assert_cidr(&deny[3], "::ffff:128.0.0.0", 97);
	assert_cidr(&deny[4], "::ffff:10.0.0.0", 104);
	assert_cidr(&deny[5], "::ffff:0:0", 96);
	assert_cidr(&deny[6], "::", 96);
	assert_cidr(&deny[7], "8000::", 1);
	assert_cidr(&deny[8], "::1", 128);
}

static size_t times_covered(const struct config *config, const char *text)
{
	struct addr addr = addr6(text);
	size_t i, n = 0;
	unsigned int bit;

	for (i = 0; i < config->ddos.n_allow; i++) {
		const struct cidr *cidr = &config->ddos.allow[i];

		for (bit = 0; bit < cidr->prefix; bit++) {
			if ((addr.b[bit / 8] ^ cidr->addr.b[bit / 8]) & (0x80 >> bit % 8))
				break;
		}
		n += bit == cidr->prefix;
	}
	return n;
}

static void an_ipv6_network_never_covers_ipv4(void **state)
{
	static const char *const v6[] = {
		"::",	       "::1",	 "::fffe:ffff:ffff", "::1:0:0:0",
		"2001:db8::1", "7fff::", "8000::",	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	};
	static const char *const v4[] = { "::ffff:0.0.0.0", "::ffff:192.0.2.1", "::ffff:255.255.255.255" };
	_cleanup_config_ struct config *all = parse("{\"version\": \"1\", \"ddos\": {\"allow\": [\"::/0\"]}}");
	_cleanup_config_ struct config *some = parse("{\"version\": \"1\", \"ddos\": {\"allow\": [\"::/80\"]}}");
	size_t i;

	(void)state;
	assert_int_equal(all->ddos.n_allow, 96);
	assert_int_equal(some->ddos.n_allow, 16);
	for (i = 0; i < ARRAY_SIZE(v6); i++) {
		assert_int_equal(times_covered(all, v6[i]), 1);
		assert_int_equal(times_covered(some, v6[i]), i < 3);
	}
	for (i = 0; i < ARRAY_SIZE(v4); i++) {
		assert_int_equal(times_covered(all, v4[i]), 0);
		assert_int_equal(times_covered(some, v4[i]), 0);
	}
}

static void exempt_paths_lose_their_trailing_slash(void **state)
{
	_cleanup_config_ struct config *config =
		parse("{\"version\": \"1\", \"auth\": {\"exempt_paths\": [\"/\", \"/a/\", \"/a\", \"/a/b/\", "
		      "\"/.well-known/...\", \"/a.b/..c\", "
		      "\"/~!$&'()*+,=:@-_\"]}}");
	char *const *paths = config->auth.exempt_paths;

	(void)state;
	assert_int_equal(config->auth.n_exempt_paths, 7);
	assert_string_equal(paths[0], "/");
	assert_string_equal(paths[1], "/a");
	assert_string_equal(paths[2], "/a");
	assert_string_equal(paths[3], "/a/b");
	assert_string_equal(paths[4], "/.well-known/...");
	assert_string_equal(paths[5], "/a.b/..c");
	assert_string_equal(paths[6], "/~!$&'()*+,=:@-_");
}

/* The slash that goes does not count. */
static void an_exempt_path_has_at_most_110_bytes(void **state)
{
	_cleanup_config_ struct config *config = NULL;
	char path[111], text[256];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[110] = '\0';
	snprintf(text, sizeof(text), "{\"version\": \"1\", \"auth\": {\"exempt_paths\": [\"%s/\"]}}", path);
	config = parse(text);
	assert_string_equal(config->auth.exempt_paths[0], path);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_file_gives_the_defaults),
	cmocka_unit_test(what_is_left_out_has_its_default),
	cmocka_unit_test(ranges_include_their_ends),
	cmocka_unit_test(a_whole_number_may_be_written_in_any_form),
	cmocka_unit_test(a_disabled_limit_has_no_mode),
	cmocka_unit_test(one_port_on_several_addresses),
	cmocka_unit_test(networks_of_both_families),
	cmocka_unit_test(an_ipv6_network_never_covers_ipv4),
	cmocka_unit_test(exempt_paths_lose_their_trailing_slash),
	cmocka_unit_test(an_exempt_path_has_at_most_110_bytes),
};

int main(void)
{
	return cmocka_run_group_tests_name("config", tests, directory_make, directory_remove);
}

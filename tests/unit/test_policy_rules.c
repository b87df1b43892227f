// SPDX-License-Identifier: MIT
/* Unit tests of core/policy_rules: what holds for which path, and what limits and listeners become in the policy maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/policy_keys.h"
#include "core/policy_rules.h"

static const char text[] =
	"{\"version\": \"1\","
	" \"listeners\": [{\"name\": \"a\", \"port\": 1}, {\"name\": \"b\", \"port\": 2, \"enforce\": false},"
	"  {\"name\": \"c\", \"port\": 3, \"auth\": {\"base64_tokens\": [\"x\"]}}, {\"name\": \"d\", \"port\": 4}],"
	" \"auth\": {\"base64_tokens\": [\"t\"], \"exempt_paths\": [\"/healthz\", \"/api/v1/tracing/open\"]},"
	" \"license\": {\"is_enterprise\": true, \"features\": {\"multi_cloud\": true, \"zero_trust\": false},"
	"  \"feature_gates\": [{\"prefix\": \"/api/v1/multi-cloud/beta\", \"feature\": \"beta\"},"
	"   {\"prefix\": \"/api/v1/zero-trust/\", \"feature\": \"multi_cloud\"},"
	"   {\"prefix\": \"/api/v1/tracing/trial\", \"feature\": \"distributed_tracing\", \"enforce\": false},"
	"   {\"prefix\": \"/api/v1/tracing/trial/over\", \"feature\": \"distributed_tracing\"},"
	"   {\"prefix\": \"/api/v1/traffic-shaping\", \"feature\": \"advanced_routing\", \"enforce\": false},"
	"   {\"prefix\": \"/api/v1/multi-cloud/trial\", \"feature\": \"multi_cloud\", \"enforce\": false}],"
	"  \"max_proxies\": 10, \"current_proxies\": 10},"
	" \"request_limits\": [{\"name\": \"all\", \"per\": \"listener\", \"rate\": 100},"
	"  {\"name\": \"api\", \"per\": \"token\", \"rate\": 2.5, \"burst\": 7, \"prefix\": \"/api\"},"
	"  {\"name\": \"b\", \"per\": \"subject\", \"rate\": 1, \"listener\": \"b\", \"enforce\": false},"
	"  {\"name\": \"deep\", \"per\": \"source\", \"rate\": 1000, \"prefix\": \"/api/v1/multi-cloud\"}]}";

static struct config *config;

static int setup(void **state)
{
	struct config_error error;

	(void)state;
	return config_parse(text, strlen(text), "test", NULL, &config, &error);
}

static int teardown(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static struct path_rule rule_of(size_t listener, const char *path)
{
	struct path_rule rule = { .flags = 99 };
	struct path_entry *entries;
	size_t n;

	assert_int_equal(rules_of(config, listener, &entries, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (i)
			assert_true(strcmp(entries[i - 1].path, entries[i].path) < 0);
		if (!strcmp(entries[i].path, path))
			rule = entries[i].rule;
	}
	free(entries);
	return rule;
}

static void assert_rule(size_t listener, const char *path, uint32_t flags, uint64_t limits)
{
	struct path_rule rule = rule_of(listener, path);

	assert_int_equal(rule.flags, flags);
	assert_int_equal(rule.limits, limits);
}

static void longer_paths_take_over_what_shorter_ones_say(void **state)
{
	(void)state;
	assert_rule(0, "/healthz", PATH_EXEMPT, 1);
	assert_rule(0, "/api", 0, 3);
	assert_rule(0, "/api/v1/tracing", PATH_UNLICENSED, 3);
	assert_rule(0, "/api/v1/tracing/open", PATH_EXEMPT | PATH_UNLICENSED, 3);
	assert_rule(0, "/api/v1/multi-cloud", 0, 11);
	assert_rule(0, "/api/v1/multi-cloud/beta", PATH_UNLICENSED, 11);
	assert_rule(0, "/api/v1/advanced-rate-limit", PATH_UNLICENSED, 3);
}

static void a_configured_gate_wins_over_the_built_in_one(void **state)
{
	(void)state;
	assert_rule(0, "/api/v1/zero-trust", 0, 3);
}

static void a_gate_that_is_a_dry_run_is_that_for_its_own_paths(void **state)
{
	(void)state;
	assert_rule(0, "/api/v1/tracing", PATH_UNLICENSED, 3);
	assert_rule(0, "/api/v1/tracing/trial", PATH_UNLICENSED_DRY, 3);
	assert_rule(0, "/api/v1/tracing/trial/over", PATH_UNLICENSED, 3);
	assert_rule(0, "/api/v1/traffic-shaping", PATH_UNLICENSED_DRY, 3);
	assert_rule(0, "/api/v1/multi-cloud/trial", 0, 11);
}

static void limits_hold_where_they_are_meant_to(void **state)
{
	(void)state;
	assert_int_equal(rules_default_limits(config, 0), 1);
	assert_int_equal(rules_default_limits(config, 1), 5);
	assert_int_equal(rules_default_limits(config, 2), 1);
	assert_rule(1, "/api", 0, 7);
	assert_rule(2, "/healthz", 99, 0);
}

static void listeners_with_the_same_rules_share_a_set(void **state)
{
	(void)state;
	assert_int_equal(rules_set_of(config, 0), 0);
	assert_int_equal(rules_set_of(config, 1), 1);
	assert_int_equal(rules_set_of(config, 2), 2);
	assert_int_equal(rules_set_of(config, 3), 0);
}

/* Nothing is written for a capture: who shared its set would have none. */
static void captures_share_no_set(void **state)
{
	static const char with[] =
		"{\"version\": \"1\", \"listeners\": [{\"name\": \"c\", \"mode\": \"capture\", \"direction\": \"out\", "
		"\"cgroup\": \"/c\", \"match\": {\"ports\": [1]}, \"cluster_name\": \"s\"}, {\"name\": \"a\", \"port\": 2}, "
		"{\"name\": \"b\", \"port\": 3}], \"services\": [{\"name\": \"s\", \"hosts\": [\"127.0.0.1\"], \"port\": 1}]}";
	struct config_error error;
	struct config *captures;

	(void)state;
	assert_int_equal(config_parse(with, strlen(with), "test", NULL, &captures, &error), 0);
	assert_int_equal(rules_set_of(captures, 1), 1);
	assert_int_equal(rules_set_of(captures, 2), 1);
	config_free(captures);
}

static void a_dry_run_is_a_flag(void **state)
{
	struct listener_key key;
	struct listener value;

	(void)state;
	assert_int_equal(listener_of(config, 0, 5, &key, &value), 0);
	assert_int_equal(value.flags, LISTENER_REQUIRE_AUTH);
	assert_int_equal(value.limits, 1);
	assert_int_equal(listener_of(config, 1, 5, &key, &value), 0);
	assert_int_equal(value.flags, LISTENER_REQUIRE_AUTH | LISTENER_DRY_RUN);
}

static bool overfull(bool enterprise, uint32_t most, uint32_t now)
{
	struct listener_key key;
	struct listener value;

	config->license.is_enterprise = enterprise;
	config->license.max_proxies = most;
	config->license.current_proxies = now;
	assert_int_equal(listener_of(config, 0, 5, &key, &value), 0);
	return value.flags & LISTENER_OVERFULL;
}

static void the_licence_bounds_the_proxies(void **state)
{
	(void)state;
	assert_false(overfull(true, 10, 10));
	assert_true(overfull(true, 10, 11));
	assert_false(overfull(false, 100, 3));
	assert_true(overfull(false, 100, 4));
	assert_true(overfull(false, 1, 2));
	config->license.given = false;
	assert_false(overfull(false, 1, 100));
	config->license.given = true;
}

static void the_community_has_no_features(void **state)
{
	(void)state;
	config->license.is_enterprise = false;
	assert_int_equal(rules_unlicensed(&config->license, "/api/v1/multi-cloud"), PATH_UNLICENSED);
	config->license.is_enterprise = true;
	assert_false(rules_unlicensed(&config->license, "/api/v1/multi-cloud"));
	assert_false(rules_unlicensed(&config->license, "/api/v1/tracingX"));
	assert_int_equal(rules_unlicensed(&config->license, "/api/v1/tracing/x"), PATH_UNLICENSED);
	config->license.given = false;
	assert_false(rules_unlicensed(&config->license, "/api/v1/tracing"));
	config->license.given = true;
}

static void a_limit_is_an_interval_and_how_far_one_may_be_ahead(void **state)
{
	struct limit limit, again;

	(void)state;
	limit_of(config, 1, 5, &limit);
	assert_int_equal(limit.interval, 400000000ULL * BUCKET_TICKS);
	assert_int_equal(limit.burst, 6 * 400000000ULL * BUCKET_TICKS);
	assert_int_equal(limit.per, LIMIT_PER_TOKEN);
	assert_int_equal(limit.generation, 5);
	assert_int_equal(limit.dry, 0);
	limit_of(config, 1, 6, &again);
	assert_true(again.id == limit.id);
	limit_of(config, 0, 5, &again);
	assert_true(again.id != limit.id);
	assert_int_equal(again.burst, 99 * 10000000ULL * BUCKET_TICKS);
	limit_of(config, 2, 5, &again);
	assert_int_equal(again.dry, 1);
	assert_int_equal(again.burst, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longer_paths_take_over_what_shorter_ones_say),
		cmocka_unit_test(a_configured_gate_wins_over_the_built_in_one),
		cmocka_unit_test(a_gate_that_is_a_dry_run_is_that_for_its_own_paths),
		cmocka_unit_test(limits_hold_where_they_are_meant_to),
		cmocka_unit_test(listeners_with_the_same_rules_share_a_set),
		cmocka_unit_test(captures_share_no_set),
		cmocka_unit_test(a_dry_run_is_a_flag),
		cmocka_unit_test(the_licence_bounds_the_proxies),
		cmocka_unit_test(the_community_has_no_features),
		cmocka_unit_test(a_limit_is_an_interval_and_how_far_one_may_be_ahead),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

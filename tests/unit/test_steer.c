// SPDX-License-Identifier: MIT
/* Unit tests of core/steer.c: what a configuration lets be steered, and who has which slot. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/steer.h"
#include "core/util.h"

#define GATEWAY(name, port, more) \
	"{\"name\": \"" name "\", \"port\": " port ", \"mode\": \"gateway\", \"protocol\": \"tcp\"" more "}"
#define SERVICE(name, port, more) "{\"name\": \"" name "\", \"hosts\": [\"127.0.0.1\"], \"port\": " port more "}"
#define CONFIG(listeners, services, routes)                                             \
	"{\"version\": \"1\", \"listeners\": [" listeners "], \"services\": [" services \
	"], \"source_routes\": [" routes "], \"auth\": {\"require_auth\": false}}"

static struct config *config_of(const char *text)
{
	struct config_error error = {};
	struct config *config = NULL;

	if (config_parse(text, strlen(text), "test", NULL, &config, &error) < 0)
		fail_msg("%s", error.text);
	return config;
}

static void test_listeners(void **state)
{
	struct config *config = config_of(CONFIG(
		GATEWAY("plain", "1", ", \"cluster_name\": \"s\"") "," GATEWAY("all", "2", ", \"cluster_name\": \"s\", \"accept_proxy_protocol\": true") "," GATEWAY(
			"some", "3",
			", \"cluster_name\": \"s\", \"accept_proxy_protocol\": {\"trusted\": [\"192.0.2.1\"]}") ",{\"name\": \"http\", \"port\": 4, \"mode\": \"gateway\", \"protocol\": \"http\", \"cluster_name\": \"s\"}",
		SERVICE("s", "80", ""), ""));

	(void)state;
	assert_int_equal(steer_listener_why(config, 0), STEER_WORKS);
	assert_int_equal(steer_listener_why(config, 1), STEER_READS_PROXY);
	assert_int_equal(steer_listener_why(config, 2), STEER_READS_PROXY);
	assert_int_equal(steer_listener_why(config, 3), STEER_HTTP);
	config_free(config);
}

/* n rules that are no networks, and one that is. */
static struct config *config_with_rules(int n)
{
	char routes[4096], text[8192];
	size_t len = snprintf(routes, sizeof(routes),
			      "{\"listener\": \"g\", \"match\": {\"cidr\": \"10.0.0.0/8\"}, \"cluster_name\": \"s\"}");

	for (int i = 0; i < n; i++)
		len += snprintf(
			routes + len, sizeof(routes) - len,
			",{\"listener\": \"g\", \"match\": {\"mod\": 99, \"equals\": %d}, \"cluster_name\": \"s\"}", i);
	snprintf(text, sizeof(text), CONFIG(GATEWAY("g", "1", ""), SERVICE("s", "80", ""), "%s"), routes);
	return config_of(text);
}

static void test_rules(void **state)
{
	struct config *fit = config_with_rules(MPBPF_STEER_RULES), *more = config_with_rules(MPBPF_STEER_RULES + 1);

	(void)state;
	assert_int_equal(steer_listener_why(fit, 0), STEER_WORKS);
	assert_true(steer_wanted(fit));
	assert_int_equal(steer_listener_why(more, 0), STEER_RULES);
	assert_false(steer_wanted(more));
	config_free(fit);
	config_free(more);
}

static void test_services(void **state)
{
	struct config *config = config_of(CONFIG(
		GATEWAY("g", "1",
			", \"cluster_name\": \"plain\"") ",{\"name\": \"guard\", \"address\": \"192.0.2.1\", \"port\": 8080}",
		SERVICE("unused", "81", "") "," SERVICE("plain", "80", "") "," SERVICE("v2", "80", ", \"proxy_protocol\": \"v2\"") "," SERVICE(
			"least", "80",
			", \"policy\": \"least_conn\"") "," SERVICE("hash", "80",
								    ", \"policy\": \"source_hash\"") "," SERVICE("guarded",
														 "8080",
														 ""),
		"{\"listener\": \"g\", \"match\": {\"cidr\": \"10.0.0.0/8\"}, \"cluster_name\": \"hash\"},"
		"{\"listener\": \"g\", \"match\": {\"cidr\": \"11.0.0.0/8\"}, \"cluster_name\": \"guarded\"}"));
	uint32_t numbers[6];

	(void)state;
	assert_int_equal(steer_service_why(config, 1), STEER_WORKS);
	assert_int_equal(steer_service_why(config, 2), STEER_SENDS_PROXY);
	assert_int_equal(steer_service_why(config, 3), STEER_LEAST_CONN);
	assert_int_equal(steer_service_why(config, 4), STEER_WORKS);
	/* The guard's address is another: the service may be bound to all. */
	assert_int_equal(steer_service_why(config, 5), STEER_GUARDED);
	steer_numbers(config, numbers);
	assert_int_equal(numbers[0], 0);
	assert_int_equal(numbers[1], 1);
	assert_int_equal(numbers[4], 2);
	assert_int_equal(numbers[5], 0);
	config_free(config);
}

/* A cluster whose endpoint is another gateway, at its own address, at any, or perhaps; and one that is at another address. */
static void test_chained(void **state)
{
	struct config *config = config_of(CONFIG(
		GATEWAY("g", "1", ", \"cluster_name\": \"own\"") "," GATEWAY("any", "2", ", \"cluster_name\": \"any\"") "," GATEWAY(
			"own", "3",
			", \"cluster_name\": \"own\", \"address\": \"127.0.0.1\"") "," GATEWAY("four", "4",
											       ", \"cluster_name\": \"four\", \"address\": \"0.0.0.0\""),
		SERVICE("any", "2", "") "," SERVICE("own", "3", "") "," SERVICE(
			"four", "4", "") ",{\"name\": \"other\", \"hosts\": [\"127.0.0.2\"], \"port\": 3},"
					 "{\"name\": \"name\", \"hosts\": [\"a.example\"], \"port\": 3}",
		""));
	static const enum steer_why want[] = { STEER_GATEWAY, STEER_GATEWAY, STEER_GATEWAY, STEER_WORKS,
					       STEER_GATEWAY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(steer_service_why(config, i), want[i]);
	assert_false(steer_wanted(config));
	config_free(config);
}

static void test_why_texts(void **state)
{
	(void)state;
	for (int i = STEER_WORKS + 1; i < STEER_WHY_MAX; i++)
		for (int k = i + 1; k <= STEER_WHY_MAX; k++)
			assert_string_not_equal(steer_why_text(i), steer_why_text(k));
}

/* ---- slots ---- */

static void cluster_make(struct cluster *cluster, enum balance_policy policy, const uint32_t *weights, size_t n)
{
	struct endpoint list[8] = {};

	for (size_t i = 0; i < n; i++) {
		list[i] = (struct endpoint){ .addr = cidr_v4, .port = 80, .weight = weights[i] };
		list[i].addr.b[15] = i + 1;
	}
	cluster_init(cluster, policy, 1);
	assert_int_equal(cluster_set(cluster, list, n), 0);
}

static size_t count(const struct steer_cluster *steer, uint32_t place)
{
	size_t n = 0;

	for (size_t i = 0; i < MPBPF_STEER_SLOTS; i++)
		n += steer->slots[i] == place;
	return n;
}

static void test_by_source(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3 }, places[] = { 5, 0, 7 };
	struct steer_cluster steer;
	struct cluster cluster;
	size_t owner;

	(void)state;
	cluster_make(&cluster, BALANCE_SOURCE_HASH, weights, 3);
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(steer.head.generation, 9);
	assert_int_equal(steer.head.by, STEER_BY_SOURCE);
	assert_int_equal(steer.head.why, STEER_WORKS);
	for (uint32_t slot = 0; slot < MPBPF_STEER_SLOTS; slot++) {
		assert_int_equal(cluster_slot_owner(&cluster, slot, NULL, &owner), 0);
		assert_int_equal(steer.slots[slot], places[owner]);
	}
	/* Whoever is ill has none. */
	cluster.endpoints[2].healthy = false;
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(count(&steer, 7), 0);
	assert_true(count(&steer, 5) > 1000 && count(&steer, 0) > 2000);
	cluster.endpoints[0].healthy = false;
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(steer.head.why, STEER_FAR);
	cluster_free(&cluster);
}

static void test_by_flow(void **state)
{
	static const uint32_t weights[] = { 1, 0, 3, 4 }, places[] = { 5, 6, 7, 8 };
	struct steer_cluster steer;
	struct cluster cluster;

	(void)state;
	cluster_make(&cluster, BALANCE_ROUND_ROBIN, weights, 4);
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(steer.head.by, STEER_BY_FLOW);
	assert_int_equal(steer.head.why, STEER_WORKS);
	assert_int_equal(count(&steer, 5), MPBPF_STEER_SLOTS / 8);
	assert_int_equal(count(&steer, 6), 0);
	assert_int_equal(count(&steer, 7), MPBPF_STEER_SLOTS * 3 / 8);
	assert_int_equal(count(&steer, 8), MPBPF_STEER_SLOTS / 2);
	cluster.endpoints[3].healthy = false;
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(count(&steer, 5), MPBPF_STEER_SLOTS / 4);
	assert_int_equal(count(&steer, 7), MPBPF_STEER_SLOTS * 3 / 4);
	cluster_free(&cluster);
}

static void test_by_flow_all_here(void **state)
{
	static const uint32_t weights[] = { 1, 1, 0 }, one_far[] = { 5, 0, 7 }, drained_far[] = { 5, 6, 0 };
	struct steer_cluster steer;
	struct cluster cluster;

	(void)state;
	cluster_make(&cluster, BALANCE_RANDOM, weights, 3);
	steer_cluster_of(&cluster, one_far, 9, &steer);
	assert_int_equal(steer.head.why, STEER_FAR);
	assert_int_equal(count(&steer, 0), MPBPF_STEER_SLOTS);
	/* Without weight it need not be here. */
	steer_cluster_of(&cluster, drained_far, 9, &steer);
	assert_int_equal(steer.head.why, STEER_WORKS);
	assert_int_equal(count(&steer, 0), 0);
	/* Nor when it is ill. */
	cluster.endpoints[1].healthy = false;
	steer_cluster_of(&cluster, one_far, 9, &steer);
	assert_int_equal(count(&steer, 5), MPBPF_STEER_SLOTS);
	cluster.endpoints[0].healthy = false;
	steer_cluster_of(&cluster, one_far, 9, &steer);
	assert_int_equal(steer.head.why, STEER_NOBODY);
	assert_int_equal(count(&steer, 0), MPBPF_STEER_SLOTS);
	cluster_free(&cluster);
}

static void test_too_many(void **state)
{
	static const uint32_t places[STEER_ENDPOINTS_MAX + 1] = { 1 };
	struct endpoint list[STEER_ENDPOINTS_MAX + 1] = {};
	struct steer_cluster steer;
	struct cluster cluster;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = (struct endpoint){ .port = i + 1, .weight = 1 };
	cluster_init(&cluster, BALANCE_SOURCE_HASH, 1);
	assert_int_equal(cluster_set(&cluster, list, ARRAY_SIZE(list)), 0);
	steer_cluster_of(&cluster, places, 9, &steer);
	assert_int_equal(steer.head.why, STEER_CLUSTERS);
	assert_int_equal(count(&steer, 0), MPBPF_STEER_SLOTS);
	cluster_free(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listeners), cmocka_unit_test(test_rules),
		cmocka_unit_test(test_services),  cmocka_unit_test(test_chained),
		cmocka_unit_test(test_why_texts), cmocka_unit_test(test_by_source),
		cmocka_unit_test(test_by_flow),	  cmocka_unit_test(test_by_flow_all_here),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

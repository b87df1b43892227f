// SPDX-License-Identifier: MIT
/* Unit tests of core/capture.c and route_capture(): who is captured where, and what the kernel is told of a cluster. */
#include <arpa/inet.h>

#include "config_test.h"
#include "core/capture.h"
#include "core/route.h"

#define SERVICE(name, more) "{\"name\": \"" name "\", \"hosts\": [\"127.0.0.1\"], \"port\": 80" more "}"
#define CAPTURE(name, more)                                                                                   \
	"{\"name\": \"" name "\", \"mode\": \"capture\", \"direction\": \"out\", \"cgroup\": \"/" name "\", " \
	"\"match\": {\"ports\": [80]}" more "}"
#define ROUTE(listener, match, cluster) \
	"{\"listener\": \"" listener "\", \"match\": {" match "}, \"cluster_name\": \"" cluster "\"}"

/* The order in the file is mostly against that of precedence: nothing may hang on it. */
static const char text[] =
	"{\"version\": \"1\", \"listeners\": [" CAPTURE("out", ", \"cluster_name\": \"rest\"") "," CAPTURE("bare", "") "], \"services\": [" SERVICE("unused", "") "," SERVICE("rest", "") "," SERVICE("net", "") "," SERVICE(
		"host",
		"") "," SERVICE("v6",
				"") "," SERVICE("source",
						"") "," SERVICE("odd",
								"") "], \"source_routes\": [" ROUTE("out",
												    "\"last_octet\": \"odd\"",
												    "odd") "," ROUTE("out",
														     "\"cidr\": \"10.1.0.0/16\"",
														     "source") "," ROUTE("out",
																	 "\"destination\": \"192.0.2.0/24\"",
																	 "net") "," ROUTE("out",
																			  "\"destination\": \"192.0.2.7/32\"",
																			  "host") "," ROUTE("out",
																					    "\"destination\": \"::/0\"",
																					    "v6") "," ROUTE("bare",
																							    "\"destination\": \"192.0.2.0/24\"",
																							    "net") "]}";

static void destinations_come_before_sources(void **state)
{
	static const struct {
		size_t listener;
		const char *source, *destination, *cluster;
	} cases[] = {
		{ 0, "10.1.0.1", "192.0.2.1", "net" },	     { 0, "10.1.0.1", "192.0.2.7", "host" },
		{ 0, "10.1.0.1", "198.51.100.1", "source" }, { 0, "10.2.0.1", "198.51.100.1", "odd" },
		{ 0, "10.2.0.2", "198.51.100.1", "rest" },   { 0, "10.1.0.1", "2001:db8::1", "v6" },
		{ 1, "10.1.0.1", "192.0.2.1", "net" },	     { 1, "10.1.0.1", "192.0.3.1", NULL },
		{ 1, "10.1.0.1", "2001:db8::1", NULL },
	};
	_cleanup_config_ struct config *config = parse(text);
	_cleanup_(route_table_free_ptr) struct route_table *table = NULL;

	(void)state;
	assert_int_equal(route_table_new(config, &table), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct addr source, destination;
		struct route_answer got;

		assert_true(cidr_parse_address(cases[i].source, &source, NULL));
		assert_true(cidr_parse_address(cases[i].destination, &destination, NULL));
		route_capture(table, cases[i].listener, &source, &destination, &got);
		if (!got.service != !cases[i].cluster || (got.service && strcmp(got.service->name, cases[i].cluster)))
			fail_msg("%s to %s: %s", cases[i].source, cases[i].destination,
				 got.service ? got.service->name : "-");
	}
}

static void services_that_captures_lead_to_have_numbers(void **state)
{
	_cleanup_config_ struct config *config = parse(text);
	uint32_t numbers[7];

	(void)state;
	capture_numbers(config, numbers);
	assert_int_equal(numbers[0], 0);
	for (size_t i = 1; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(numbers[i], i);
	assert_true(capture_leads_to(config, "bare", "net") && !capture_leads_to(config, "bare", "rest"));
}

/* One cluster more than the kernel has room for: the relay chooses for it. */
static void the_relay_serves_those_beyond(void **state)
{
	const size_t n = MPBPF_CAPTURE_CLUSTERS + 2;
	_cleanup_config_ struct config *config = NULL;
	_cleanup_free_ char *services = NULL, *routes = NULL, *whole = NULL;
	uint32_t numbers[MPBPF_CAPTURE_CLUSTERS + 2];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *s = services, *r = routes;

		assert_true(asprintf(&services, "%s%s" SERVICE("s%zu", ""), s ?: "", s ? "," : "", i) > 0);
		assert_true(asprintf(&routes, "%s%s" ROUTE("c", "\"destination\": \"192.0.2.%zu/32\"", "s%zu"), r ?: "",
				     r ? "," : "", i, i) > 0);
	}
	assert_true(asprintf(&whole,
			     "{\"version\": \"1\", \"listeners\": [" CAPTURE("c", "") "], \"services\": [%s], "
										      "\"source_routes\": [%s]}",
			     services, routes) > 0);
	config = parse(whole);
	capture_numbers(config, numbers);
	assert_int_equal(numbers[MPBPF_CAPTURE_CLUSTERS - 1], MPBPF_CAPTURE_CLUSTERS);
	assert_int_equal(numbers[MPBPF_CAPTURE_CLUSTERS], CAPTURE_RELAYED);
	assert_int_equal(numbers[n - 1], CAPTURE_RELAYED);
}

static struct service_config service_of(enum balance_policy policy, enum proxy_protocol proxy)
{
	return (struct service_config){ .name = "s", .policy = policy, .proxy_protocol = proxy };
}

static void what_the_kernel_cannot_choose_is_relayed(void **state)
{
	const struct service_config plain = service_of(BALANCE_ROUND_ROBIN, PROXY_OFF),
				    random = service_of(BALANCE_RANDOM, PROXY_OFF),
				    least = service_of(BALANCE_LEAST_CONN, PROXY_OFF),
				    hash = service_of(BALANCE_SOURCE_HASH, PROXY_OFF),
				    proxy = service_of(BALANCE_ROUND_ROBIN, PROXY_V1);

	(void)state;
	assert_int_equal(capture_service_why(&plain), CAPTURE_WORKS);
	assert_int_equal(capture_service_why(&random), CAPTURE_WORKS);
	assert_int_equal(capture_service_why(&least), CAPTURE_LEAST_CONN);
	assert_int_equal(capture_service_why(&hash), CAPTURE_SOURCE_HASH);
	assert_int_equal(capture_service_why(&proxy), CAPTURE_SENDS_PROXY);
}

static void only_endpoints_that_take_connections_are_told(void **state)
{
	struct endpoint endpoints[] = {
		{ .addr.b = { [15] = 1 }, .port = 80, .weight = 3, .healthy = true },
		{ .addr.b = { [15] = 2 }, .port = 80, .weight = 5 },
		{ .addr.b = { [15] = 3 }, .port = 80, .healthy = true },
		{ .addr.b = { [15] = 4 }, .port = 81, .weight = 2, .healthy = true },
	};
	const struct cluster cluster = { .endpoints = endpoints, .n_endpoints = ARRAY_SIZE(endpoints) }, none = {};
	const struct service_config service = service_of(BALANCE_ROUND_ROBIN, PROXY_OFF);
	static struct capture_cluster told;

	(void)state;
	capture_cluster_of(&service, &cluster, 7, 9, &told);
	assert_int_equal(told.netns, 9);
	assert_int_equal(told.generation, 7);
	assert_int_equal(told.relayed, 0);
	assert_int_equal(told.n_endpoints, 2);
	assert_int_equal(told.total, 5);
	assert_int_equal(told.endpoints[0].upto, 3);
	assert_int_equal(told.endpoints[1].upto, 5);
	assert_int_equal(told.endpoints[1].addr.b[15], 4);
	assert_int_equal(told.endpoints[1].port, htons(81));
	capture_cluster_of(&service, &none, 8, 9, &told);
	assert_int_equal(told.n_endpoints, 0);
}

static void too_many_endpoints_are_the_relays(void **state)
{
	static struct endpoint endpoints[MPBPF_CAPTURE_ENDPOINTS + 1];
	struct cluster cluster = { .endpoints = endpoints, .n_endpoints = MPBPF_CAPTURE_ENDPOINTS };
	const struct service_config service = service_of(BALANCE_RANDOM, PROXY_OFF);
	static struct capture_cluster told;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++)
		endpoints[i] = (struct endpoint){ .addr.b = { [15] = i }, .port = 80, .weight = 1, .healthy = true };
	capture_cluster_of(&service, &cluster, 1, 9, &told);
	assert_int_equal(told.relayed, 0);
	assert_int_equal(told.n_endpoints, MPBPF_CAPTURE_ENDPOINTS);
	cluster.n_endpoints++;
	capture_cluster_of(&service, &cluster, 1, 9, &told);
	assert_int_equal(told.relayed, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(destinations_come_before_sources),
	cmocka_unit_test(services_that_captures_lead_to_have_numbers),
	cmocka_unit_test(the_relay_serves_those_beyond),
	cmocka_unit_test(what_the_kernel_cannot_choose_is_relayed),
	cmocka_unit_test(only_endpoints_that_take_connections_are_told),
	cmocka_unit_test(too_many_endpoints_are_the_relays),
};

int main(void)
{
	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Unit tests of core/config_gateway.c and core/config_references.c: what is read of gateways, services and routes. */
#include "config_test.h"

#define SERVICE "\"services\": [{\"name\": \"s\", \"hosts\": [\"h\"], \"port\": 1}]"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_true(cidr_parse_address(text, &addr, NULL));
	return addr;
}

static void full_example_gateways(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct service_config *egress = config_service(config, "egress1");
	const struct listener_config *last = &config->listeners[6];

	(void)state;
	assert_string_equal(last->cluster_name, "egress1");
	assert_true(last->accept_proxy.enabled && !config->listeners[5].accept_proxy.enabled);
	assert_int_equal(last->accept_proxy.n_trusted, 2);
	assert_cidr(&last->accept_proxy.trusted[1], "2001:db8::", 32);
	assert_int_equal(config_n_guarded(config), 6);
	assert_int_equal(config_n_relayed(config), 3);
	assert_int_equal(config_n_captures(config, CAPTURE_OUT), 1);
	assert_int_equal(egress->n_weights, 2);
	assert_int_equal(egress->weights[0], 3);
	assert_int_equal(egress->policy, BALANCE_SOURCE_HASH);
	assert_int_equal(egress->proxy_protocol, PROXY_V2);
	assert_true(egress->proxy_unique_id);
	assert_int_equal(egress->drain_s, 60);
	assert_int_equal(egress->health.type, HEALTH_HTTP);
	assert_string_equal(egress->health.path, "/healthz");
	assert_int_equal(egress->health.interval_ms, 5000);
	assert_int_equal(egress->health.timeout_ms, 500);
	assert_int_equal(egress->health.rise, 1);
	assert_int_equal(egress->health.fall, 2);
	assert_null(config_service(config, "egress"));
}

/* What the second cluster leaves out, and the first has not at all. */
static void service_defaults(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct service_config *plain = &config->services[0], *checked = &config->services[3];

	(void)state;
	assert_null(plain->weights);
	assert_int_equal(plain->policy, BALANCE_ROUND_ROBIN);
	assert_int_equal(plain->proxy_protocol, PROXY_OFF);
	assert_false(plain->proxy_unique_id);
	assert_int_equal(plain->health.type, HEALTH_NONE);
	assert_int_equal(plain->drain_s, 30);
	assert_int_equal(checked->policy, BALANCE_LEAST_CONN);
	assert_int_equal(checked->health.type, HEALTH_TCP);
	assert_null(checked->health.path);
	assert_int_equal(checked->health.interval_ms, 2000);
	assert_int_equal(checked->health.timeout_ms, 1000);
	assert_int_equal(checked->health.rise, 2);
	assert_int_equal(checked->health.fall, 3);
}

static void full_example_source_routes(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct source_route_config *routes = config->source_routes;

	(void)state;
	assert_int_equal(config->n_source_routes, 4);
	assert_string_equal(routes[0].name, "lab");
	assert_string_equal(routes[0].listener, "egress");
	assert_string_equal(routes[0].cluster_name, "egress1");
	assert_true(routes[0].match.by_cidr && !routes[1].match.by_cidr && !routes[2].match.by_cidr);
	assert_cidr(&routes[0].match.cidr, "::ffff:10.1.0.0", 112);
	assert_int_equal(routes[1].match.last_octet, LAST_OCTET_EVEN);
	assert_int_equal(routes[1].match.mod, 2);
	assert_int_equal(routes[1].match.equals, 0);
	assert_null(routes[2].name);
	assert_int_equal(routes[2].match.mod, 4);
	assert_int_equal(routes[2].match.equals, 1);
	assert_true(routes[3].match.by_destination && !routes[3].match.by_cidr && !routes[0].match.by_destination);
	assert_cidr(&routes[3].match.cidr, "::ffff:192.0.2.128", 121);
}

static void full_example_capture(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct listener_config *capture = &config->listeners[7];

	(void)state;
	assert_int_equal(capture->mode, LISTENER_CAPTURE);
	assert_int_equal(capture->protocol, LISTENER_TCP);
	assert_int_equal(capture->direction, CAPTURE_OUT);
	assert_string_equal(capture->cgroup, "/sys/fs/cgroup/app.slice");
	assert_int_equal(capture->match.n_ports, 2);
	assert_int_equal(capture->match.ports[1], 5433);
	assert_int_equal(capture->match.n_cidrs, 2);
	assert_cidr(&capture->match.cidrs[0], "::ffff:192.0.2.0", 120);
	assert_cidr(&capture->match.cidrs[1], "2001:db8::", 32);
	assert_false(listener_is_guarded(capture));
	assert_int_equal(config->listeners[0].direction, CAPTURE_NONE);
}

/* In one cgroup a port and every port, and in two the same port, are two things. */
static void captures_may_stand_side_by_side(void **state)
{
	static const char *const both[][2] = {
		{ "\"cgroup\": \"/c\", \"match\": {\"ports\": [80]}",
		  "\"cgroup\": \"/d\", \"match\": {\"ports\": [80]}" },
		{ "\"cgroup\": \"/c\", \"match\": {\"ports\": [80]}",
		  "\"cgroup\": \"/c\", \"match\": {\"ports\": [80], \"cidrs\": [\"10.0.0.0/8\"]}" },
		{ "\"cgroup\": \"/c\", \"match\": {\"cidrs\": [\"10.0.0.0/8\"]}",
		  "\"cgroup\": \"/c\", \"match\": {\"ports\": [80], \"cidrs\": [\"10.0.0.0/8\"]}" },
		{ "\"cgroup\": \"/c\", \"match\": {\"cidrs\": [\"10.0.0.0/8\"]}",
		  "\"cgroup\": \"/c\", \"match\": {\"cidrs\": [\"10.0.0.0/9\", \"::/0\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		_cleanup_config_ struct config *config = NULL;
		char text[1024];

		snprintf(
			text, sizeof(text),
			"{\"version\": \"1\", \"listeners\": ["
			"{\"name\": \"a\", \"mode\": \"capture\", \"direction\": \"out\", %s, \"cluster_name\": \"s\"},"
			"{\"name\": \"b\", \"mode\": \"capture\", \"direction\": \"out\", %s, \"cluster_name\": \"s\"}], " SERVICE
			"}",
			both[i][0], both[i][1]);
		config = parse(text);
		assert_int_equal(config_n_captures(config, CAPTURE_OUT), 2);
		assert_int_equal(config->n_warnings, 0);
	}
}

/* "10.0.0.0/8" may be written as IPv6; "::/0" means no IPv4 address. */
static void networks_cover_their_own_family(void **state)
{
	static const struct {
		const char *network;
		unsigned int prefix;
		const char *addr;
		bool covers;
	} cases[] = {
		{ "10.0.0.0", 104, "10.255.0.1", true },
		{ "10.0.0.0", 104, "11.0.0.0", false },
		{ "10.0.0.0", 104, "::a00:1", false },
		{ "0.0.0.0", 96, "255.255.255.255", true },
		{ "0.0.0.0", 96, "::1", false },
		{ "::", 0, "2001:db8::1", true },
		{ "::", 0, "192.0.2.1", false },
		{ "::", 80, "192.0.2.1", false },
		{ "2001:db8::", 33, "2001:db8:7fff::1", true },
		{ "2001:db8::", 33, "2001:db8:8000::1", false },
		{ "192.0.2.7", 128, "192.0.2.7", true },
		{ "192.0.2.7", 128, "192.0.2.6", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr network = { .addr = addr_of(cases[i].network), .prefix = cases[i].prefix };
		struct addr addr = addr_of(cases[i].addr);

		if (cidr_covers(&network, &addr) != cases[i].covers)
			fail_msg("%s of %u, %s", cases[i].network, cases[i].prefix, cases[i].addr);
	}
}

#define TCP_GATEWAY \
	"{\"name\": \"a\", \"port\": 1, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"s\"}"

/* That there is no key is nothing to a listener that judges no token. */
static void only_listeners_that_judge_warn_of_missing_keys(void **state)
{
	_cleanup_config_ struct config *tcp =
		parse("{\"version\": \"1\", \"listeners\": [" TCP_GATEWAY "], " SERVICE "}");

	(void)state;
	assert_int_equal(tcp->n_warnings, 0);
	assert_false(tcp->listeners[0].accept_proxy.enabled);
}

static void ranges_include_their_ends(void **state)
{
	_cleanup_config_ struct config *config = parse(
		"{\"version\": \"1\", \"listeners\": [" TCP_GATEWAY "], \"services\": [{\"name\": \"s\", "
		"\"hosts\": [\"h\", \"i\"], \"port\": 1, \"weights\": [0, 1000], \"drain_s\": 0, \"health_check\": "
		"{\"interval_ms\": 3600000, \"timeout_ms\": 10, \"rise\": 100, \"fall\": 1}}], \"source_routes\": "
		"[{\"listener\": \"a\", \"cluster_name\": \"s\", \"match\": {\"mod\": 4294967295, \"equals\": "
		"4294967294}}, {\"listener\": \"a\", \"cluster_name\": \"s\", \"match\": {\"mod\": 1, \"equals\": 0}}]}");

	(void)state;
	assert_int_equal(config->services[0].weights[1], 1000);
	assert_int_equal(config->services[0].drain_s, 0);
	assert_int_equal(config->services[0].health.interval_ms, 3600000);
	assert_int_equal(config->source_routes[0].match.equals, 4294967294);
	assert_int_equal(config->source_routes[1].match.mod, 1);
}

static bool judge_alike(const char *a, const char *b)
{
	_cleanup_config_ struct config *one = parse(a), *other = parse(b);

	return config_judges_alike(one, other);
}

/* Of two configurations, a key file that both name included. */
static void where_requests_go_is_no_part_of_how_they_are_judged(void **state)
{
	static const char first[] = "{\"version\": \"1\", \"listeners\": [" TCP_GATEWAY "], " SERVICE "}";
	static const char keyed[] = "{\"version\": \"1\", \"auth\": {\"jwt_secret_file\": \"jwt.key\"}}";
	_cleanup_config_ struct config *before = NULL, *after = NULL;

	(void)state;
	assert_true(judge_alike(first, first));
	assert_true(judge_alike(first,
				"{ \"version\":\"1\",\n\"listeners\" :[" TCP_GATEWAY "], " SERVICE
				", \"routes\": [{\"name\": \"r\", \"prefix\": \"/\", \"cluster_name\": \"s\"}]}"));
	assert_false(judge_alike(first, "{\"version\": \"1\", \"listeners\": [" TCP_GATEWAY "], " SERVICE
					", \"auth\": {\"leeway_s\": 59}}"));
	assert_false(judge_alike("{\"version\": \"1\", \"auth\": {\"base64_tokens\": [\"ab\", \"c\"]}}",
				 "{\"version\": \"1\", \"auth\": {\"base64_tokens\": [\"a\", \"bc\"]}}"));
	put_text("jwt.key", KEY_48);
	before = parse(keyed);
	put_text("jwt.key", KEY_48 "x");
	after = parse(keyed);
	assert_false(config_judges_alike(before, after));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(full_example_gateways),
	cmocka_unit_test(service_defaults),
	cmocka_unit_test(full_example_source_routes),
	cmocka_unit_test(full_example_capture),
	cmocka_unit_test(captures_may_stand_side_by_side),
	cmocka_unit_test(networks_cover_their_own_family),
	cmocka_unit_test(only_listeners_that_judge_warn_of_missing_keys),
	cmocka_unit_test(ranges_include_their_ends),
	cmocka_unit_test(where_requests_go_is_no_part_of_how_they_are_judged),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_gateway", tests, directory_make, directory_remove);
}

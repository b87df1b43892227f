// SPDX-License-Identifier: MIT
/* Unit tests of core/config*: what each value of the examples becomes. */
#include "config_test.h"

static void full_example_rates(const struct rate_limit_config *limit)
{
	const struct override_config *o = limit->overrides;
	const struct class_config *c = limit->classes;

	assert_true(limit->rate.bytes == 100000000 && limit->rate.burst == 40000 &&
		    limit->rate.burst_bytes == 200000000);
	assert_int_equal(limit->algorithm, RATE_ALGORITHM_TOKEN_BUCKET);
	assert_int_equal(limit->max_quotas, 131072);
	assert_int_equal(limit->n_overrides, 2);
	assert_string_equal(o[0].name, "office");
	assert_cidr(&o[0].cidr, "::ffff:192.0.2.0", 120);
	assert_true(o[0].rate.packets == 100000 && o[0].rate.bytes == 500000000 && o[0].rate.mode == RATE_ENFORCE);
	assert_true(o[0].rate.burst == 100000 && o[0].rate.burst_bytes == 500000000);
	assert_string_equal(o[1].name, "2001:db8:1::/48");
	assert_cidr(&o[1].cidr, "2001:db8:1::", 48);
	assert_true(o[1].rate.packets == 20000 && o[1].rate.bytes == 100000000 && o[1].rate.mode == RATE_OFF);
	assert_true(o[1].rate.burst == 40000 && o[1].rate.burst_bytes == 200000000);
	assert_int_equal(limit->n_classes, 2);
	assert_string_equal(c[0].name, "ping");
	assert_true(c[0].protocol == RATE_ICMP && !c[0].port && c[0].rate.packets == 20 && c[0].rate.burst == 5);
	assert_true(!c[0].rate.bytes && c[0].rate.mode == RATE_MONITOR);
	assert_true(c[1].protocol == RATE_UDP && c[1].port == 53 && c[1].rate.packets == 500);
	assert_true(c[1].rate.bytes == 500000 && c[1].rate.burst == 500 && c[1].rate.burst_bytes == 600000);
}

static void full_example_l4(const struct config *config)
{
	assert_int_equal(config->events_per_second, 20);
	full_example_rates(&config->rate_limit);
	assert_true(config->rate_limit.enabled);
	assert_int_equal(config->rate_limit.window_ms, 500);
	assert_int_equal(config->rate_limit.rate.packets, 20000);
	assert_int_equal(config->rate_limit.max_sources, 65536);
	assert_int_equal(config->rate_limit.rate.mode, RATE_MONITOR);
	assert_true(config->rate_limit.connections.enabled && config->rate_limit.connections.rate == 20);
	assert_int_equal(config->rate_limit.connections.burst, 40);
	assert_int_equal(config->rate_limit.connections.open, 100);
	assert_int_equal(config->rate_limit.connections.mode, RATE_MONITOR);
	assert_false(config->ddos.drop_invalid);
	assert_int_equal(config->ddos.syn_cookies, SYN_ALWAYS);
	assert_int_equal(config->ddos.syn_rate, 5000);
	assert_int_equal(config->ddos.n_syn_ports, 2);
	assert_int_equal(config->ddos.syn_ports[0], 22);
	assert_int_equal(config->ddos.syn_ports[1], 65535);
	assert_int_equal(config->ddos.n_deny, 3);
	assert_cidr(&config->ddos.deny[0], "::ffff:203.0.113.0", 120);
	assert_cidr(&config->ddos.deny[1], "::ffff:198.51.100.7", 128);
	assert_cidr(&config->ddos.deny[2], "2001:db8:dead::", 48);
	assert_int_equal(config->ddos.n_allow, 3);
	assert_cidr(&config->ddos.allow[0], "::ffff:10.0.0.0", 104);
	assert_cidr(&config->ddos.allow[1], "fd00::", 8);
	assert_cidr(&config->ddos.allow[2], "2001:db8::1", 128);
	assert_true(config->ddos.ban.enabled);
	assert_int_equal(config->ddos.ban.failures, 50);
	assert_int_equal(config->ddos.ban.window_s, 30);
	assert_int_equal(config->ddos.ban.ban_s, 900);
	assert_int_equal(config->max_verdicts, 131072);
}

static void full_example_protocols(const struct config *config)
{
	const struct protocol_rule_config *rules = config->protocol_rules;

	assert_true(config->classify.enabled);
	assert_int_equal(config->classify.max_flows, 131072);
	assert_int_equal(config->classify.n_grpc_ports, 2);
	assert_int_equal(config->classify.grpc_ports[0], 50051);
	assert_int_equal(config->classify.grpc_ports[1], 9000);
	assert_int_equal(config->n_protocol_rules, 2);
	assert_string_equal(rules[0].name, "old-tls");
	assert_true(rules[0].protocol == PROTOCOL_TLS && rules[0].below == TLS_1_2 && !rules[0].port &&
		    !rules[0].monitor);
	assert_string_equal(rules[1].name, "no-ssh-on-web");
	assert_true(rules[1].protocol == PROTOCOL_SSH && !rules[1].below && rules[1].port == 8080 && rules[1].monitor);
}

static void full_example_listeners(const struct config *config)
{
	static const struct {
		const char *name, *address;
		bool any;
		uint16_t port, auth;
		bool dry;
		enum listener_mode mode;
		enum listener_protocol protocol;
	} want[] = {
		{ "web", "::", true, 8080, 0, false, LISTENER_GUARD, LISTENER_HTTP },
		{ "web-v4", "::ffff:0.0.0.0", false, 8081, 0, false, LISTENER_GUARD, LISTENER_HTTP },
		{ "admin", "2001:db8::10", false, 8443, 3, false, LISTENER_GUARD, LISTENER_HTTP },
		{ "public", "::ffff:192.0.2.1", false, 80, 4, true, LISTENER_GUARD, LISTENER_HTTP },
		{ "partner", "::", true, 8444, 5, false, LISTENER_GUARD, LISTENER_HTTP },
		{ "edge", "::ffff:192.0.2.1", false, 8000, 0, false, LISTENER_GATEWAY, LISTENER_HTTP },
		{ "egress", "::", true, 3128, 0, false, LISTENER_GATEWAY, LISTENER_TCP },
		{ "databases", "::", true, 0, 0, false, LISTENER_CAPTURE, LISTENER_TCP },
	};
	const struct auth_config *auth;
	uint16_t number = 77;
	size_t i;

	assert_int_equal(config->n_listeners, ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(config->listeners[i].name, want[i].name);
		assert_addr(config->listeners[i].address, want[i].address);
		assert_int_equal(config->listeners[i].any, want[i].any);
		assert_int_equal(config->listeners[i].port, want[i].port);
		assert_int_equal(config->listeners[i].mode, want[i].mode);
		assert_int_equal(config->listeners[i].protocol, want[i].protocol);
		assert_int_equal(config->listeners[i].enforce, !want[i].dry);
		auth = config_auth(config, i, &number);
		assert_int_equal(number, want[i].auth);
		assert_ptr_equal(auth, want[i].auth ? config->listeners[i].auth : &config->auth);
	}
}

/* A listener's own block takes nothing over from the global one. */
static void full_example_auth(const struct config *config)
{
	const struct auth_config *global = &config->auth, *admin = config->listeners[2].auth;
	const struct auth_config *open = config->listeners[3].auth;

	assert_string_equal(global->secret, KEY_48);
	assert_int_equal(global->secret_len, 48);
	assert_int_equal(global->algorithms, JWT_BIT(JWT_HS384));
	assert_true(global->require_auth);
	assert_int_equal(global->n_tokens, 2);
	assert_string_equal(global->tokens[0], "token1");
	assert_string_equal(global->tokens[1], "dG9rZW4y");
	assert_int_equal(global->n_exempt_paths, 3);
	assert_string_equal(global->exempt_paths[0], "/healthz");
	assert_string_equal(global->exempt_paths[1], "/metrics");
	assert_string_equal(global->exempt_paths[2], "/ready");
	assert_int_equal(global->leeway_s, 30);

	assert_string_equal(admin->secret, "full-example-secret-never-use-it-full-example-secret-never-use-it");
	assert_int_equal(admin->secret_len, 65);
	assert_int_equal(admin->algorithms, JWT_BIT(JWT_HS512));
	assert_true(admin->require_auth);
	assert_int_equal(admin->n_tokens, 1);
	assert_string_equal(admin->tokens[0], "full-example-token");
	assert_int_equal(admin->n_exempt_paths, 0);
	assert_int_equal(admin->leeway_s, 0);

	assert_false(open->require_auth);
	assert_null(open->secret);
	assert_int_equal(open->n_tokens + open->n_exempt_paths, 0);
	assert_int_equal(open->leeway_s, 60);
}

static void full_example_license(const struct config *config)
{
	assert_string_equal(config->license.license_key, "PENG-XXXX-XXXX-XXXX-XXXX-ABCD");
	assert_true(config->license.is_enterprise);
	assert_int_equal(config->license.max_proxies, 100);
	assert_int_equal(config->license.current_proxies, 5);
	assert_int_equal(config->license.n_features, 2);
	assert_string_equal(config->license.features[0], "multi_cloud");
	assert_string_equal(config->license.features[1], "rate_limiting");
	assert_int_equal(config->license.n_gates, 1);
	assert_string_equal(config->license.gates[0].prefix, "/reports");
	assert_string_equal(config->license.gates[0].feature, "reporting");
}

static void full_example_limits(const struct config *config)
{
	const struct request_limit_config *limit = config->request_limits;

	assert_int_equal(config->n_request_limits, 2);
	assert_string_equal(limit[0].name, "all");
	assert_int_equal(limit[0].per, LIMIT_PER_SOURCE);
	assert_true(limit[0].rate == 100 && limit[0].burst == 100 && limit[0].enforce);
	assert_true(!limit[0].listener && !limit[0].prefix);
	assert_string_equal(limit[1].name, "search");
	assert_int_equal(limit[1].per, LIMIT_PER_SUBJECT);
	assert_true(limit[1].rate == 0.5 && limit[1].burst == 5 && !limit[1].enforce);
	assert_string_equal(limit[1].listener, "web");
	assert_string_equal(limit[1].prefix, "/search");
}

static void full_example_responses(const struct config *config)
{
	assert_true(config->metrics.request && !config->metrics.response);
	assert_true(config->metrics.timing && !config->metrics.size);
	assert_true(config->metrics.sample_rate == 0.25);
	assert_int_equal(config->metrics.n_prefixes, 2);
	assert_string_equal(config->metrics.prefixes[1], "/static");
	assert_int_equal(config->metrics.n_hosts, 3);
	assert_string_equal(config->metrics.hosts[0], "api.example.com");
	assert_string_equal(config->metrics.hosts[1], "*.example.com");
	assert_string_equal(config->metrics.hosts[2], "[2001:db8::1]");
	assert_true(config->listeners[0].license_headers && !config->listeners[1].license_headers);
	assert_string_equal(config->listeners[0].response_headers, "X-Node: node-1\r\n");
}

static void full_example_services(const struct config *config)
{
	assert_int_equal(config->n_services, 4);
	assert_string_equal(config->services[0].name, "backend-api");
	assert_int_equal(config->services[0].n_hosts, 2);
	assert_string_equal(config->services[0].hosts[0], "127.0.0.1");
	assert_string_equal(config->services[0].hosts[1], "api.internal");
	assert_int_equal(config->services[0].port, 8081);
	assert_string_equal(config->services[0].protocol, "http");
	assert_string_equal(config->services[1].protocol, "grpc");
	assert_int_equal(config->n_routes, 2);
	assert_string_equal(config->routes[0].name, "api-route");
	assert_string_equal(config->routes[0].prefix, "/api");
	assert_string_equal(config->routes[0].cluster_name, "backend-api");
	assert_int_equal(config->routes[0].n_hosts, 2);
	assert_string_equal(config->routes[0].hosts[0], "api.example.com");
	assert_string_equal(config->routes[0].hosts[1], "*.example.org");
	assert_int_equal(config->routes[0].timeout_s, 5);
	assert_string_equal(config->routes[1].name, "rest");
	assert_int_equal(config->routes[1].n_hosts, 0);
	assert_int_equal(config->routes[1].timeout_s, 30);
}

static void every_value_of_the_full_example(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");

	(void)state;
	full_example_l4(config);
	full_example_protocols(config);
	full_example_listeners(config);
	full_example_auth(config);
	full_example_license(config);
	full_example_limits(config);
	full_example_responses(config);
	full_example_services(config);
}

static void the_other_examples_load_without_a_warning(void **state)
{
	_cleanup_config_ struct config *minimal = load_example("minimal.json");
	_cleanup_config_ struct config *demo = load_example("mpbpf.json");

	(void)state;
	assert_int_equal(minimal->n_warnings, 0);
	assert_int_equal(minimal->n_listeners, 1);
	assert_true(minimal->listeners[0].any);
	assert_string_equal(minimal->auth.secret, KEY_48);
	assert_int_equal(demo->n_warnings, 0);
	assert_int_equal(demo->n_listeners, 1);
	assert_int_equal(demo->listeners[0].port, 8080);
	assert_int_equal(demo->auth.n_exempt_paths, 3);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_value_of_the_full_example),
	cmocka_unit_test(the_other_examples_load_without_a_warning),
};

int main(void)
{
	return cmocka_run_group_tests_name("config_examples", tests, directory_make, directory_remove);
}

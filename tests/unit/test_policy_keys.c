// SPDX-License-Identifier: MIT
/* Unit tests of core/policy_keys: generations, and what a configuration becomes in the policy maps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "core/census.h"
#include "core/policy_keys.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static void the_next_generation_has_the_other_slot_and_is_never_none(void **state)
{
	const uint32_t from[] = { 0, 1, 2, 0x7fffffff, 0x80000000, UINT32_MAX - 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		uint32_t next = generation_next(from[i]);

		assert_int_not_equal(next, 0);
		assert_int_equal(next & 1, !(from[i] & 1));
	}
	assert_int_equal(generation_next(0), 1);
	assert_int_equal(generation_next(UINT32_MAX), 2);
}

static void a_policy_is_off_when_the_limit_is(void **state)
{
	struct config config = {
		.rate_limit = { .enabled = true, .window_ms = 250, .rate = { .packets = 7, .mode = RATE_MONITOR } }
	};
	struct cidr cidr = {};
	struct policy p;

	(void)state;
	policy_of(&config, 5, &p);
	assert_int_equal(p.generation, 5);
	assert_int_equal(p.rate_mode, RATE_MONITOR);
	assert_int_equal(p.window_ns, 250000000);
	assert_int_equal(p.packets, 7);
	assert_int_equal(p.drop_invalid | p.has_deny | p.has_allow, 0);
	config.rate_limit.enabled = false;
	config.ddos.drop_invalid = true;
	config.ddos.deny = &cidr;
	config.ddos.n_deny = 1;
	policy_of(&config, 6, &p);
	assert_int_equal(p.rate_mode, RATE_OFF);
	assert_int_equal(p.drop_invalid, 1);
	assert_int_equal(p.has_deny, 1);
	assert_int_equal(p.has_allow, 0);
}

static void a_lease_is_a_small_part_of_the_limit(void **state)
{
	static const struct {
		uint32_t packets;
		int n_cpus;
		unsigned int lease, charge;
	} cases[] = {
		{ 10000, 2, 25, 50 },
		{ 400, 2, 1, 2 },
		{ 399, 2, 1, 0 },
		{ 10000, 1024, 1, 0 },
		{ UINT32_MAX, 1, MPBPF_LEASE_MAX, MPBPF_LEASE_MAX },
		{ UINT32_MAX, 1023, MPBPF_LEASE_MAX, 1023 * MPBPF_LEASE_MAX },
		{ UINT32_MAX, 1024, MPBPF_LEASE_MAX, 0 },
		{ 0, 1, 1, 0 },
		{ 10000, -1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy p = {};

		lease_of(cases[i].packets, cases[i].n_cpus, &p);
		assert_int_equal(p.lease, cases[i].lease);
		assert_int_equal(p.charge, cases[i].charge);
	}
}

static void a_policy_says_what_clients_may_ask(void **state)
{
	struct config config = { .clients = { .max_waiting = 77, .asks = { .rate = 100, .burst = 1 } } };
	struct policy p;

	(void)state;
	policy_of(&config, 5, &p);
	assert_int_equal(p.max_waiting, 77);
	assert_int_equal(p.ask_interval, 0);
	assert_int_equal(p.ask_burst, 0);
	config.clients.asks.enabled = true;
	policy_of(&config, 5, &p);
	assert_int_equal(p.ask_interval, 10000000ULL * BUCKET_TICKS);
	assert_int_equal(p.ask_burst, 0);
	config.clients.asks.burst = 31;
	policy_of(&config, 5, &p);
	assert_int_equal(p.ask_burst, 30 * p.ask_interval);
	config.clients.asks = (struct asks_config){ .enabled = true, .rate = 0.001, .burst = 1000000 };
	policy_of(&config, 5, &p);
	assert_int_equal(p.ask_interval, 1000000000000ULL * BUCKET_TICKS);
	assert_int_equal(p.ask_burst, 1ULL << 62);
}

static void a_policy_says_which_protocols_are_told(void **state)
{
	struct config config = { .classify = { .grpc_ports = { 50051, 443 }, .n_grpc_ports = 2 } };
	struct protocol_rule_config rule = { .protocol = PROTOCOL_SSH, .port = 8080, .monitor = true };
	struct protocol_rule key;
	struct policy p;

	(void)state;
	policy_of(&config, 5, &p);
	assert_int_equal(p.flows | p.n_protocol_rules, 0);
	assert_int_equal(p.grpc_ports[0], htons(50051));
	assert_int_equal(p.grpc_ports[1], htons(443));
	assert_int_equal(p.grpc_ports[2], 0);
	assert_true(p.grpc_bits == (1ULL << (50051 & 63) | 1ULL << (443 & 63)));
	config.classify.enabled = true;
	config.protocol_rules = &rule;
	config.n_protocol_rules = 1;
	policy_of(&config, 5, &p);
	assert_true(p.flows && p.n_protocol_rules == 1);
	protocol_rule_of(&config, 0, 5, &key);
	assert_true(key.generation == 5 && key.protocol == PROTOCOL_SSH && key.port == htons(8080) && key.dry &&
		    !key.below);
	rule = (struct protocol_rule_config){ .protocol = PROTOCOL_TLS, .below = TLS_1_3 };
	protocol_rule_of(&config, 0, 6, &key);
	assert_true(key.protocol == PROTOCOL_TLS && key.below == TLS_1_3 && !key.port && !key.dry);
}

static void a_network_key_counts_list_generation_and_prefix(void **state)
{
	struct cidr cidr = { .addr = addr_of("::ffff:203.0.113.0"), .prefix = 120 };
	struct cidr_key key;

	(void)state;
	memset(&key, 0xff, sizeof(key));
	cidr_key_of(&cidr, CIDR_ALLOW, 9, &key);
	assert_int_equal(key.prefixlen, 64 + 96 + 24);
	assert_int_equal(key.generation, 9);
	assert_int_equal(key.list, CIDR_ALLOW);
	assert_memory_equal(&key.addr, &cidr.addr, sizeof(key.addr));
}

static void assert_path_key(const struct path_key *key, const char *path, size_t bytes)
{
	char want[MPBPF_PATH_KEY] = "";

	memcpy(want, path, bytes);
	assert_int_equal(key->prefixlen, 64 + 8 * bytes);
	assert_int_equal(key->generation, 3);
	assert_int_equal(key->rules, 2);
	assert_memory_equal(key->path, want, sizeof(want));
}

static void a_path_has_a_key_for_itself_and_one_for_what_is_below(void **state)
{
	struct path_key keys[2];

	(void)state;
	memset(keys, 0xff, sizeof(keys));
	assert_int_equal(path_keys_of("/healthz", 2, 3, keys), 2);
	assert_path_key(&keys[0], "/healthz", 9);
	assert_path_key(&keys[1], "/healthz/", 9);
	assert_int_equal(path_keys_of("/", 2, 3, keys), 1);
	assert_path_key(&keys[0], "/", 1);
}

static void a_path_fits_with_its_end_or_not_at_all(void **state)
{
	char path[MPBPF_PATH_KEY + 1];
	struct path_key keys[2];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[MPBPF_PATH_KEY - 1] = '\0';
	assert_int_equal(path_keys_of(path, 2, 3, keys), 2);
	assert_int_equal(keys[0].prefixlen, 64 + 8 * MPBPF_PATH_KEY);
	assert_int_equal(keys[0].path[MPBPF_PATH_KEY - 1], '\0');
	assert_int_equal(keys[1].path[MPBPF_PATH_KEY - 1], '/');
	path[MPBPF_PATH_KEY - 1] = 'a';
	path[MPBPF_PATH_KEY] = '\0';
	assert_int_equal(path_keys_of(path, 2, 3, keys), -ENAMETOOLONG);
}

static void a_listener_key_is_zero_where_any_address_will_do(void **state)
{
	static const struct addr any;
	char *exempt[] = { "/healthz" };
	struct auth_config own = { .require_auth = true, .exempt_paths = exempt, .n_exempt_paths = 1 };
	struct listener_config listeners[] = {
		{ .any = true, .port = 8080, .enforce = true },
		{ .address = addr_of("::ffff:10.0.0.1"), .port = 443, .auth = &own, .enforce = true },
	};
	struct config config = { .listeners = listeners, .n_listeners = 2 };
	struct listener_key key;
	struct listener value;

	(void)state;
	listener_of(&config, 0, 7, &key, &value);
	assert_int_equal(key.generation, 7);
	assert_int_equal(key.port, htons(8080));
	assert_memory_equal(&key.addr, &any, sizeof(any));
	assert_int_equal(value.index, 0);
	assert_int_equal(value.auth, 0);
	assert_int_equal(value.flags, 0);
	listener_of(&config, 1, 7, &key, &value);
	assert_int_equal(key.port, htons(443));
	assert_memory_equal(&key.addr, &listeners[1].address, sizeof(any));
	assert_int_equal(value.index, 1);
	assert_int_equal(value.auth, 2);
	assert_int_equal(value.flags, LISTENER_REQUIRE_AUTH);
	assert_int_equal(value.rules, 1);
	assert_true(value.rule_first == 1ULL << ('h' & 63));
}

/* Its own address wins over a listener that guards the port on any: what it accepts is not to be judged. */
static void a_gateway_for_tcp_is_not_guarded(void **state)
{
	struct listener_config listeners[] = {
		{ .any = true, .port = 80, .enforce = true },
		{ .address = addr_of("::ffff:10.0.0.1"),
		  .port = 80,
		  .enforce = true,
		  .mode = LISTENER_GATEWAY,
		  .protocol = LISTENER_TCP },
		{ .any = true, .port = 81, .enforce = true, .mode = LISTENER_GATEWAY, .protocol = LISTENER_HTTP },
	};
	struct config config = { .listeners = listeners, .n_listeners = 3 };
	struct listener_key key;
	struct listener value;

	(void)state;
	listener_of(&config, 0, 1, &key, &value);
	assert_int_equal(value.flags & LISTENER_GONE, 0);
	listener_of(&config, 1, 1, &key, &value);
	assert_int_equal(value.flags & LISTENER_GONE, LISTENER_GONE);
	listener_of(&config, 2, 1, &key, &value);
	assert_int_equal(value.flags & LISTENER_GONE, 0);
}

static void a_listener_tells_how_its_exempt_paths_begin(void **state)
{
	char *paths[] = { "/healthz", "/ready", "/readiness" }, *root[] = { "/healthz", "/" };
	struct listener_config listener = { .any = true, .port = 80 };
	struct config config = { .listeners = &listener, .n_listeners = 1, .auth = { .exempt_paths = paths } };
	struct listener_key key;
	struct listener value;

	(void)state;
	listener_of(&config, 0, 1, &key, &value);
	assert_true(value.rule_first == 0);
	config.auth.n_exempt_paths = 3;
	listener_of(&config, 0, 1, &key, &value);
	assert_true(value.rule_first == (1ULL << ('h' & 63) | 1ULL << ('r' & 63)));
	config.auth.exempt_paths = root;
	config.auth.n_exempt_paths = 2;
	listener_of(&config, 0, 1, &key, &value);
	assert_true(value.rule_first == UINT64_MAX);
}

static void a_listener_covers_what_its_key_matches(void **state)
{
	struct addr v4 = addr_of("::ffff:10.0.0.1"), other4 = addr_of("::ffff:10.0.0.2"), v6 = addr_of("fd00::1");
	struct listener_config any = { .any = true, .port = 80 };
	struct listener_config any4 = { .address = addr_of("::ffff:0.0.0.0"), .port = 80 };
	struct listener_config one = { .address = v4, .port = 80 };

	(void)state;
	assert_true(listener_covers(&any, &v4, 80));
	assert_true(listener_covers(&any, &v6, 80));
	assert_false(listener_covers(&any, &v6, 81));
	assert_true(listener_covers(&any4, &v4, 80));
	assert_false(listener_covers(&any4, &v6, 80));
	assert_true(listener_covers(&one, &v4, 80));
	assert_false(listener_covers(&one, &other4, 80));
	assert_false(listener_covers(&one, &v4, 8080));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_generation_has_the_other_slot_and_is_never_none),
		cmocka_unit_test(a_lease_is_a_small_part_of_the_limit),
		cmocka_unit_test(a_policy_is_off_when_the_limit_is),
		cmocka_unit_test(a_policy_says_what_clients_may_ask),
		cmocka_unit_test(a_policy_says_which_protocols_are_told),
		cmocka_unit_test(a_network_key_counts_list_generation_and_prefix),
		cmocka_unit_test(a_path_has_a_key_for_itself_and_one_for_what_is_below),
		cmocka_unit_test(a_path_fits_with_its_end_or_not_at_all),
		cmocka_unit_test(a_listener_key_is_zero_where_any_address_will_do),
		cmocka_unit_test(a_gateway_for_tcp_is_not_guarded),
		cmocka_unit_test(a_listener_tells_how_its_exempt_paths_begin),
		cmocka_unit_test(a_listener_covers_what_its_key_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

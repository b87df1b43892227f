// SPDX-License-Identifier: MIT
/* Unit tests of core/config_clients.c: what slow and hostile clients are held to. Errors are in config_errors.txt. */
#include "config_test.h"

static void every_value_of_the_full_example(void **state)
{
	_cleanup_config_ struct config *config = load_example("full.json");
	const struct clients_config *clients = &config->clients;

	(void)state;
	assert_int_equal(clients->head_timeout_s, 5);
	assert_int_equal(clients->body_timeout_s, 20);
	assert_int_equal(clients->max_waiting, 1000);
	assert_int_equal(clients->max_held_bytes, 67108864);
	assert_true(clients->asks.enabled && clients->asks.rate == 200);
	assert_int_equal(clients->asks.burst, 400);
}

static void ranges_include_their_ends(void **state)
{
	_cleanup_config_ struct config *low =
		parse("{\"version\": \"1\", \"clients\": {\"head_timeout_s\": 1, \"body_timeout_s\": 1, "
		      "\"max_waiting\": 1, \"max_held_bytes\": 1048576, \"asks\": {\"rate\": 0.001, \"burst\": 1}}}");
	_cleanup_config_ struct config *high =
		parse("{\"version\": \"1\", \"clients\": {\"head_timeout_s\": 3600, \"body_timeout_s\": 86400, "
		      "\"max_waiting\": 262144, \"max_held_bytes\": 4294967295, "
		      "\"asks\": {\"rate\": 1000000, \"burst\": 1000000}}}");

	(void)state;
	assert_int_equal(low->clients.head_timeout_s, 1);
	assert_int_equal(low->clients.body_timeout_s, 1);
	assert_int_equal(low->clients.max_waiting, 1);
	assert_int_equal(low->clients.max_held_bytes, 1048576);
	assert_true(low->clients.asks.rate == 0.001);
	assert_int_equal(low->clients.asks.burst, 1);
	assert_int_equal(high->clients.head_timeout_s, 3600);
	assert_int_equal(high->clients.body_timeout_s, 86400);
	assert_int_equal(high->clients.max_waiting, MPBPF_CONNS_MAX);
	assert_int_equal(high->clients.max_held_bytes, UINT32_MAX);
	assert_true(high->clients.asks.rate == 1000000);
	assert_int_equal(high->clients.asks.burst, 1000000);
}

static void what_is_left_out_keeps_its_default(void **state)
{
	_cleanup_config_ struct config *config =
		parse("{\"version\": \"1\", \"clients\": {\"max_waiting\": 7, \"asks\": {\"enabled\": false}}}");

	(void)state;
	assert_int_equal(config->clients.max_waiting, 7);
	assert_int_equal(config->clients.head_timeout_s, 10);
	assert_false(config->clients.asks.enabled);
	assert_true(config->clients.asks.rate == 5000);
	assert_int_equal(config->clients.asks.burst, 10000);
	assert_int_equal(config->n_warnings, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_of_the_full_example),
		cmocka_unit_test(ranges_include_their_ends),
		cmocka_unit_test(what_is_left_out_keeps_its_default),
	};

	return cmocka_run_group_tests_name("config_clients", tests, directory_make, directory_remove);
}

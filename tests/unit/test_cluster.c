// SPDX-License-Identifier: MIT
/* Unit tests of core/cluster.c: shares by weight, turns, who is picked and who is not, health. */
#include <errno.h>

#include "cluster_test.h"

/* The order that nginx documents. */
static void round_robin_is_smooth(void **state)
{
	static const uint32_t weights[] = { 5, 1, 1 };
	static const size_t want[] = { 0, 0, 1, 0, 2, 0, 0 };
	_cleanup_cluster_ struct cluster cluster;
	struct addr source = v4(1);

	(void)state;
	cluster_of(&cluster, BALANCE_ROUND_ROBIN, weights, 3);
	for (size_t i = 0; i < 3 * ARRAY_SIZE(want); i++)
		assert_int_equal(pick(&cluster, &source), want[i % ARRAY_SIZE(want)]);
}

/* In every window of the sum of the weights each has exactly its share. */
static void round_robin_is_exact(void **state)
{
	static const uint32_t weights[] = { 3, 0, 7, 1, 2 };
	_cleanup_cluster_ struct cluster cluster;
	struct addr source = v4(1);
	size_t sum = 13, history[130];

	(void)state;
	cluster_of(&cluster, BALANCE_ROUND_ROBIN, weights, 5);
	for (size_t i = 0; i < ARRAY_SIZE(history); i++)
		history[i] = pick(&cluster, &source);
	for (size_t from = 0; from + sum <= ARRAY_SIZE(history); from += sum) {
		uint32_t counts[5] = {};

		for (size_t i = 0; i < sum; i++)
			counts[history[from + i]]++;
		assert_memory_equal(counts, weights, sizeof(counts));
	}
}

static void random_keeps_to_the_weights(void **state)
{
	static const uint32_t weights[] = { 1, 2, 0, 7 };
	_cleanup_cluster_ struct cluster cluster;
	struct addr source = v4(1);
	double counts[4] = {};
	int n = 20000;

	(void)state;
	cluster_of(&cluster, BALANCE_RANDOM, weights, 4);
	for (int i = 0; i < n; i++)
		counts[pick(&cluster, &source)]++;
	for (size_t i = 0; i < 4; i++)
		assert_share(counts[i], n, weights[i] / 10.0);
}

static void another_seed_is_another_order(void **state)
{
	static const uint32_t weights[] = { 1, 1 };
	_cleanup_cluster_ struct cluster a, b;
	struct addr source = v4(1);
	int same = 0;

	(void)state;
	cluster_of(&a, BALANCE_RANDOM, weights, 2);
	cluster_of(&b, BALANCE_RANDOM, weights, 2);
	b.random = 43;
	for (int i = 0; i < 1000; i++)
		same += pick(&a, &source) == pick(&b, &source);
	assert_share(same, 1000, 0.5);
}

/* Connections that stay: counts follow the weights. When some end, the gap is filled first. */
static void least_conn_fills_up_by_weight(void **state)
{
	static const uint32_t weights[] = { 1, 2, 1 };
	_cleanup_cluster_ struct cluster cluster;
	struct addr source = v4(1);

	(void)state;
	cluster_of(&cluster, BALANCE_LEAST_CONN, weights, 3);
	for (int i = 0; i < 40; i++) {
		struct endpoint *e = &cluster.endpoints[pick(&cluster, &source)];

		cluster_opened(&cluster, &e->addr, e->port);
	}
	assert_int_equal(cluster.endpoints[0].connections, 10);
	assert_int_equal(cluster.endpoints[1].connections, 20);
	assert_int_equal(cluster.endpoints[2].connections, 10);
	for (int i = 0; i < 5; i++)
		cluster_closed(&cluster, &cluster.endpoints[2].addr, 8080);
	for (int i = 0; i < 5; i++) {
		size_t k = pick(&cluster, &source);

		assert_int_equal(k, 2);
		cluster.endpoints[k].connections++;
	}
}

/* Nothing is open: short connections must not all go to the first. */
static void least_conn_takes_turns_among_equals(void **state)
{
	static const uint32_t weights[] = { 1, 1, 1 };
	_cleanup_cluster_ struct cluster cluster;
	struct addr source = v4(1);
	int counts[3] = {};

	(void)state;
	cluster_of(&cluster, BALANCE_LEAST_CONN, weights, 3);
	for (int i = 0; i < 30; i++)
		counts[pick(&cluster, &source)]++;
	for (int i = 0; i < 3; i++)
		assert_int_equal(counts[i], 10);
}

static const enum balance_policy policies[] = { BALANCE_ROUND_ROBIN, BALANCE_RANDOM, BALANCE_LEAST_CONN,
						BALANCE_SOURCE_HASH };

static void only_the_healthy_with_a_weight_are_picked(void **state)
{
	static const uint32_t weights[] = { 1, 1, 0, 1 };

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		_cleanup_cluster_ struct cluster cluster;

		cluster_of(&cluster, policies[p], weights, 4);
		cluster.endpoints[1].healthy = false;
		for (uint32_t i = 0; i < 200; i++) {
			struct addr source = v4(i);
			size_t k = pick(&cluster, &source);

			assert_true(k == 0 || k == 3);
		}
	}
}

static void without_one_it_says_so(void **state)
{
	static const uint32_t weights[] = { 1, 0, 1 };
	const bool all[] = { true, true, true }, one[] = { true, false, false };
	struct addr source = v4(1);

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		_cleanup_cluster_ struct cluster cluster;
		size_t i = 77;

		cluster_of(&cluster, policies[p], weights, 0);
		assert_int_equal(cluster_pick(&cluster, &source, NULL, &i), -ENOENT);
		fill(&cluster, weights, 3);
		assert_int_equal(cluster_pick(&cluster, &source, all, &i), -EHOSTUNREACH);
		assert_int_equal(i, 77);
		assert_int_equal(cluster_pick(&cluster, &source, one, &i), 0);
		assert_int_equal(i, 2);
		cluster.endpoints[0].healthy = cluster.endpoints[2].healthy = false;
		assert_int_equal(cluster_pick(&cluster, &source, NULL, &i), -ENOENT);
		assert_int_equal(cluster_pick(&cluster, &source, all, &i), -ENOENT);
	}
}

static void who_stays_stays_as_he_is(void **state)
{
	static const uint32_t before[] = { 1, 1, 1 }, after[] = { 5, 1 };
	_cleanup_cluster_ struct cluster cluster;
	struct endpoint *first;
	struct addr gone = v4(0x0a000002);

	(void)state;
	cluster_of(&cluster, BALANCE_LEAST_CONN, before, 3);
	cluster.endpoints[0].connections = 9;
	cluster.endpoints[0].healthy = false;
	fill(&cluster, after, 2);
	first = &cluster.endpoints[0];
	assert_int_equal(cluster.n_endpoints, 2);
	assert_int_equal(first->connections, 9);
	assert_int_equal(first->weight, 5);
	assert_false(first->healthy);
	assert_null(cluster_find(&cluster, &gone, 8080));
	assert_null(cluster_find(&cluster, &first->addr, 8081));
	cluster_opened(&cluster, &gone, 8080);
	cluster_closed(&cluster, &gone, 8080);
	/* He comes back, healthy and with none. */
	fill(&cluster, before, 3);
	assert_true(cluster.endpoints[2].healthy);
	cluster_closed(&cluster, &gone, 8080);
	assert_int_equal(cluster.endpoints[2].connections, 0);
}

/* Two names of one machine. */
static void twins_are_one_with_both_weights(void **state)
{
	struct endpoint list[] = { { .addr = v4(7), .port = 1, .weight = 1 },
				   { .addr = v4(8), .port = 1, .weight = 1 },
				   { .addr = v4(7), .port = 1, .weight = 2 },
				   { .addr = v4(7), .port = 2, .weight = 1 } };
	_cleanup_cluster_ struct cluster cluster;

	(void)state;
	cluster_init(&cluster, BALANCE_RANDOM, 1);
	assert_int_equal(cluster_set(&cluster, list, ARRAY_SIZE(list)), 0);
	assert_int_equal(cluster.n_endpoints, 3);
	assert_int_equal(cluster.endpoints[0].weight, 3);
	assert_int_equal(cluster.endpoints[2].port, 2);
	assert_int_equal(cluster_set(&cluster, NULL, 0), 0);
	assert_int_equal(cluster.n_endpoints, 0);
}

static void health_changes_after_so_many_in_a_row(void **state)
{
	const struct health_config health = { .type = HEALTH_TCP, .rise = 2, .fall = 3 };
	/* Each try, and whether it is healthy after it. */
	static const struct {
		bool ok, healthy;
	} tries[] = { { false, true },	{ false, true },  { true, true },   { false, true },
		      { false, true },	{ false, false }, { false, false }, { true, false },
		      { false, false }, { true, false },  { true, true },   { false, true } };
	struct endpoint endpoint = { .healthy = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		bool was = endpoint.healthy;

		assert_int_equal(endpoint_report(&endpoint, &health, tries[i].ok), was != tries[i].healthy);
		assert_int_equal(endpoint.healthy, tries[i].healthy);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_robin_is_smooth),
		cmocka_unit_test(round_robin_is_exact),
		cmocka_unit_test(random_keeps_to_the_weights),
		cmocka_unit_test(another_seed_is_another_order),
		cmocka_unit_test(least_conn_fills_up_by_weight),
		cmocka_unit_test(least_conn_takes_turns_among_equals),
		cmocka_unit_test(only_the_healthy_with_a_weight_are_picked),
		cmocka_unit_test(without_one_it_says_so),
		cmocka_unit_test(who_stays_stays_as_he_is),
		cmocka_unit_test(twins_are_one_with_both_weights),
		cmocka_unit_test(health_changes_after_so_many_in_a_row),
	};

	return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}

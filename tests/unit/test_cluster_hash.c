// SPDX-License-Identifier: MIT
/* Unit tests of core/cluster.c: the slots of source_hash: shares by weight, the same for ever, and none moves without need. */
#include "cluster_test.h"

static void source_hash_keeps_to_the_weights(void **state)
{
	static const uint32_t weights[] = { 1, 2, 0, 7 };
	_cleanup_cluster_ struct cluster cluster;
	double slots[4] = {};
	size_t owner;

	(void)state;
	cluster_of(&cluster, BALANCE_SOURCE_HASH, weights, 4);
	for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
		assert_int_equal(cluster_slot_owner(&cluster, slot, NULL, &owner), 0);
		slots[owner]++;
	}
	for (size_t i = 0; i < 4; i++)
		assert_share(slots[i], CLUSTER_SLOTS, weights[i] / 10.0);
}

/* Neighbours are spread as if they were strangers, and each comes back to where it was. */
static void source_hash_spreads_neighbours_and_is_constant(void **state)
{
	static const uint32_t weights[] = { 1, 1, 1, 1 };
	_cleanup_cluster_ struct cluster a, b;
	double counts[4] = {};
	int n = 4000;

	(void)state;
	cluster_of(&a, BALANCE_SOURCE_HASH, weights, 4);
	cluster_of(&b, BALANCE_SOURCE_HASH, weights, 4);
	b.random = 1;
	for (int i = 0; i < n; i++) {
		struct addr source = v4(0xc0a80000 + i);
		size_t k = pick(&a, &source);

		counts[k]++;
		assert_int_equal(pick(&a, &source), k);
		assert_int_equal(pick(&b, &source), k);
	}
	/* Slots are not even, and sources share them: twice the deviation. */
	for (size_t i = 0; i < 4; i++)
		assert_true(counts[i] > n * 0.2 && counts[i] < n * 0.3);
}

/* As another implementation, with floating-point logarithms, has it: every node and every version agrees. */
static void source_hash_is_the_same_for_ever(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3, 4 };
	static const struct {
		const char *source;
		uint32_t slot;
		size_t owner;
	} cases[] = {
		{ "192.0.2.1", 3193, 3 },   { "10.1.2.3", 2006, 3 },	    { "203.0.113.77", 2178, 2 },
		{ "2001:db8::1", 412, 2 },  { "2001:db8::ffff:1", 412, 2 }, { "2001:db8:0:1::1", 2812, 2 },
		{ "198.51.100.9", 366, 1 },
	};
	_cleanup_cluster_ struct cluster cluster;

	(void)state;
	cluster_of(&cluster, BALANCE_SOURCE_HASH, weights, 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct addr source;

		assert_true(cidr_parse_address(cases[i].source, &source, NULL));
		if (cluster_slot(&source) != cases[i].slot || pick(&cluster, &source) != cases[i].owner)
			fail_msg("%s: slot %u, endpoint %zu", cases[i].source, cluster_slot(&source),
				 pick(&cluster, &source));
	}
}

static void only_the_slots_of_who_goes_move(void **state)
{
	static const uint32_t weights[] = { 3, 1, 2, 4 };
	_cleanup_cluster_ struct cluster whole, less;
	size_t before, after, moved = 0;

	(void)state;
	cluster_of(&whole, BALANCE_SOURCE_HASH, weights, 4);
	cluster_of(&less, BALANCE_SOURCE_HASH, weights, 3);
	for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
		assert_int_equal(cluster_slot_owner(&whole, slot, NULL, &before), 0);
		assert_int_equal(cluster_slot_owner(&less, slot, NULL, &after), 0);
		if (before == 3)
			moved++;
		else
			assert_int_equal(before, after);
	}
	assert_share(moved, CLUSTER_SLOTS, 0.4);
	/* Unhealthy is as good as gone, and back again. */
	whole.endpoints[3].healthy = false;
	for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
		assert_int_equal(cluster_slot_owner(&whole, slot, NULL, &before), 0);
		assert_int_equal(cluster_slot_owner(&less, slot, NULL, &after), 0);
		assert_int_equal(before, after);
	}
}

/* A heavier endpoint takes slots from others; none moves between the others. */
static void a_greater_weight_only_attracts(void **state)
{
	static const uint32_t light[] = { 10, 10, 10 }, heavy[] = { 10, 20, 10 };
	_cleanup_cluster_ struct cluster a, b;
	size_t before, after, moved = 0;

	(void)state;
	cluster_of(&a, BALANCE_SOURCE_HASH, light, 3);
	cluster_of(&b, BALANCE_SOURCE_HASH, heavy, 3);
	for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
		assert_int_equal(cluster_slot_owner(&a, slot, NULL, &before), 0);
		assert_int_equal(cluster_slot_owner(&b, slot, NULL, &after), 0);
		assert_true(after == before || after == 1);
		moved += after != before;
	}
	assert_share(moved, CLUSTER_SLOTS, 1.0 / 6);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_hash_keeps_to_the_weights),
		cmocka_unit_test(source_hash_spreads_neighbours_and_is_constant),
		cmocka_unit_test(source_hash_is_the_same_for_ever),
		cmocka_unit_test(only_the_slots_of_who_goes_move),
		cmocka_unit_test(a_greater_weight_only_attracts),
	};

	return cmocka_run_group_tests_name("cluster_hash", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* core/policy on real maps: a policy is switched as a whole, leaves nothing of the old, and one that does not fit changes nothing. */
#include "policy_maps.h"

static void assert_keys(uint32_t generation, int listeners, int paths, int cidrs)
{
	assert_int_equal(keys(MAP_LISTENERS, 0, generation), listeners);
	assert_int_equal(keys(MAP_LISTENERS, 0, 0), listeners);
	assert_int_equal(keys(MAP_PATHS, 4, generation), paths);
	assert_int_equal(keys(MAP_PATHS, 4, 0), paths);
	assert_int_equal(keys(MAP_CIDRS, 4, generation), cidrs);
	assert_int_equal(keys(MAP_CIDRS, 4, 0), cidrs);
}

static void the_old_policy_goes_with_the_switch(void **state)
{
	struct config first = config_of(3, 4), second = config_of(1, 0);

	(void)state;
	assert_false(policy_in_force(&maps, &first, "/a"));
	assert_int_equal(policy_publish(&maps, &first, "/a"), 0);
	assert_int_equal(policy_generation(&maps, &first), 1);
	/* Two listeners share the global block's two paths; the third has "/" alone. */
	assert_keys(1, 3, 5, 4);
	assert_true(policy_in_force(&maps, &first, "/a"));
	assert_false(policy_in_force(&maps, &first, "/b"));
	assert_false(policy_in_force(&maps, &second, "/a"));
	assert_int_equal(policy_publish(&maps, &second, NULL), 0);
	assert_true(policy_generation(&maps, &second) == 2 && !policy_generation(&maps, &first));
	assert_keys(2, 1, 4, 0);
	assert_string_equal(maps.control->config_path, "");
	assert_true(policy_in_force(&maps, &second, NULL));
}

static void each_block_in_use_is_written_whoever_comes_first(void **state)
{
	struct listener_config order[] = {
		{ .name = "b", .any = true, .port = 1, .auth = &own },
		{ .name = "a", .any = true, .port = 2 },
	};
	struct config config = config_of(2, 0);

	(void)state;
	config.listeners = order;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_keys(1, 2, 5, 0);
}

static void no_listener_no_path(void **state)
{
	struct config config = config_of(0, 1);

	(void)state;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_keys(1, 0, 0, 1);
}

static void what_does_not_fit_changes_nothing(void **state)
{
	struct config good = config_of(3, 4), listeners_full = config_of(2, 0), cidrs_full = config_of(1, 5);
	struct policy before[2], after[2];

	(void)state;
	assert_int_equal(policy_publish(&maps, &good, "/good"), 0);
	for (__u32 i = 0; i < 2; i++)
		assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_POLICIES], &i, &before[i]), 0);
	assert_int_equal(policy_publish(&maps, &listeners_full, "/bad"), -E2BIG);
	assert_int_equal(policy_publish(&maps, &cidrs_full, "/bad"), -E2BIG);
	assert_int_equal(maps.control->generation, 1);
	assert_keys(1, 3, 5, 4);
	assert_true(policy_in_force(&maps, &good, "/good"));
	for (__u32 i = 0; i < 2; i++)
		assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_POLICIES], &i, &after[i]), 0);
	assert_memory_equal(before, after, sizeof(before));
}

static void overrides_go_with_the_switch_and_must_fit(void **state)
{
	struct override_config overrides[OVERRIDES_ROOM + 1];
	char names[OVERRIDES_ROOM + 1][2] = {};
	struct config config = config_of(0, 0);
	const size_t at = offsetof(struct cidr_key, generation);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(overrides); i++) {
		names[i][0] = 'a' + i;
		overrides[i] = (struct override_config){ .name = names[i],
							 .cidr = cidrs[i],
							 .rate = { .packets = 1, .mode = RATE_ENFORCE } };
	}
	config.rate_limit.overrides = overrides;
	config.rate_limit.n_overrides = 2;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_OVERRIDES, at, 1), 2);
	config.rate_limit.n_overrides = 1;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_OVERRIDES, at, 2), 1);
	assert_int_equal(keys(MAP_OVERRIDES, at, 0), 1);
	config.rate_limit.n_overrides = OVERRIDES_ROOM + 1;
	assert_int_equal(policy_publish(&maps, &config, NULL), -E2BIG);
	assert_int_equal(maps.control->generation, 2);
	assert_int_equal(keys(MAP_OVERRIDES, at, 0), 1);
}

static void two_listeners_with_one_key_are_refused(void **state)
{
	struct listener_config same[] = { { .name = "a", .any = true, .port = 1 },
					  { .name = "b", .any = true, .port = 1 } };
	struct config config = config_of(2, 0);

	(void)state;
	config.listeners = same;
	assert_int_equal(policy_publish(&maps, &config, "/bad"), -EEXIST);
	assert_int_equal(maps.control->generation, 0);
	assert_keys(1, 0, 0, 0);
}

static void leftovers_of_a_killed_publisher_go(void **state)
{
	struct config config = config_of(1, 1);
	struct listener_key key = { .generation = 77 }, next;
	struct listener value = {}, listener;
	struct cidr_key cidr;
	__u32 one = 1;

	(void)state;
	assert_int_equal(policy_publish(&maps, &config, "/a"), 0);
	cidr_key_of(&cidrs[0], CIDR_DENY, 2, &cidr);
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_LISTENERS], &key, &value, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_CIDRS], &cidr, &one, BPF_ANY), 0);
	/* Also one that the next policy is about to write itself. */
	listener_of(&config, 0, 2, &next, &listener);
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_LISTENERS], &next, &listener, BPF_ANY), 0);
	assert_int_equal(policy_publish(&maps, &config, "/a"), 0);
	assert_keys(2, 1, 4, 1);
}

static void the_generation_wraps_around_none(void **state)
{
	struct config config = config_of(1, 1);
	__u32 even = 0;
	struct policy policy;

	(void)state;
	maps.control->generation = UINT32_MAX;
	assert_int_equal(policy_publish(&maps, &config, "/a"), 0);
	assert_int_equal(maps.control->generation, 2);
	assert_keys(2, 1, 4, 1);
	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_POLICIES], &even, &policy), 0);
	assert_int_equal(policy.generation, 2);
}

static void the_path_may_be_the_one_in_force(void **state)
{
	struct config config = config_of(1, 1);
	char path[257];

	(void)state;
	assert_int_equal(policy_publish(&maps, &config, "/a/b"), 0);
	assert_int_equal(policy_publish(&maps, &config, maps.control->config_path), 0);
	assert_string_equal(maps.control->config_path, "/a/b");
	memset(path, 'x', sizeof(path));
	path[256] = '\0';
	assert_int_equal(policy_publish(&maps, &config, path), -ENAMETOOLONG);
	path[255] = '\0';
	assert_int_equal(policy_publish(&maps, &config, path), 0);
	assert_string_equal(maps.control->config_path, path);
}

static void what_only_a_load_changes_is_told(void **state)
{
	struct config config = config_of(0, 0);
	struct policy_fixed fixed;

	(void)state;
	assert_int_equal(policy_fixed_differ(&maps, &config, &fixed), 0);
	assert_false(fixed.max_sources || fixed.max_verdicts);
	config.max_verdicts++;
	assert_int_equal(policy_fixed_differ(&maps, &config, &fixed), 0);
	assert_true(!fixed.max_sources && fixed.max_verdicts);
	config.rate_limit.max_sources++;
	assert_int_equal(policy_fixed_differ(&maps, &config, &fixed), 0);
	assert_true(fixed.max_sources && fixed.max_verdicts && !fixed.max_quotas);
	config.rate_limit.max_quotas++;
	assert_int_equal(policy_fixed_differ(&maps, &config, &fixed), 0);
	assert_true(fixed.max_quotas);
	config.classify.max_flows++;
	assert_int_equal(policy_fixed_differ(&maps, &config, &fixed), 0);
	assert_true(fixed.max_flows);
}

static void named_ports_and_those_of_listeners_go_with_the_switch(void **state)
{
	uint16_t ports[SYN_PORTS_ROOM + 1] = { 22, 22, 80 };
	struct config config = config_of(2, 0);

	(void)state;
	config.ddos.syn_ports = ports;
	config.ddos.n_syn_ports = 3;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 1), 4);
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 2), 4);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 0), 4);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		ports[i] = 100 + i;
	config.ddos.n_syn_ports = ARRAY_SIZE(ports);
	assert_int_equal(policy_publish(&maps, &config, NULL), -E2BIG);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 2), 4);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 0), 4);
	config.ddos.n_syn_ports = 0;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_SYN_PORTS, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_old_policy_goes_with_the_switch),
		TEST(each_block_in_use_is_written_whoever_comes_first),
		TEST(no_listener_no_path),
		TEST(what_does_not_fit_changes_nothing),
		TEST(overrides_go_with_the_switch_and_must_fit),
		TEST(named_ports_and_those_of_listeners_go_with_the_switch),
		TEST(two_listeners_with_one_key_are_refused),
		TEST(leftovers_of_a_killed_publisher_go),
		TEST(the_generation_wraps_around_none),
		TEST(the_path_may_be_the_one_in_force),
		TEST(what_only_a_load_changes_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

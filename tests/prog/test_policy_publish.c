// SPDX-License-Identifier: MIT
/* core/policy on real maps: a policy is switched as a whole, leaves nothing of the old, and one that does not fit changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <cmocka.h>

#include "core/policy.h"
#include "core/policy_keys.h"
#include "core/util.h"
#include "mpbpf/steer.h"

#define LISTENERS_ROOM 4
#define CIDRS_ROOM 8
#define OVERRIDES_ROOM 4
#define SYN_PORTS_ROOM 8

static struct maps maps = MAPS_EMPTY;

static int make(enum bpf_map_type type, size_t key, size_t value, unsigned int entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, NULL, key, value, entries, &opts);

	if (fd < 0)
		print_error("bpf_map_create: %s\n", strerror(-fd));
	return fd;
}

static const enum map_id made[] = {
	MAP_CONTROL,	MAP_POLICIES,	MAP_LISTENERS, MAP_PATHS,	   MAP_CIDRS,	    MAP_SOURCES,   MAP_VERDICTS,
	MAP_LIMITS,	MAP_METRICS,	MAP_NAMES,     MAP_HEADERS,	   MAP_RULES,	    MAP_OVERRIDES, MAP_QUOTAS,
	MAP_RULE_NAMES, MAP_RULE_STATS, MAP_FLOWS,     MAP_PROTOCOL_RULES, MAP_RULE_COUNTS, MAP_SYN_PORTS,
};

static int setup(void **state)
{
	(void)state;
	maps.fd[MAP_CONTROL] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct control), 1, BPF_F_MMAPABLE);
	maps.fd[MAP_POLICIES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct policy), 2, 0);
	maps.fd[MAP_LISTENERS] =
		make(BPF_MAP_TYPE_HASH, sizeof(struct listener_key), sizeof(struct listener), LISTENERS_ROOM, 0);
	maps.fd[MAP_PATHS] =
		make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct path_key), sizeof(struct path_rule), 16, BPF_F_NO_PREALLOC);
	maps.fd[MAP_CIDRS] = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct cidr_key), 4, CIDRS_ROOM, BPF_F_NO_PREALLOC);
	maps.fd[MAP_SOURCES] = make(BPF_MAP_TYPE_LRU_HASH, 8, 8, 2048, 0);
	maps.fd[MAP_VERDICTS] =
		make(BPF_MAP_TYPE_LRU_HASH, sizeof(struct verdict_key), sizeof(struct verdict), 4096, 0);
	maps.fd[MAP_LIMITS] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct limit), 2 * MPBPF_LIMITS_MAX, 0);
	maps.fd[MAP_METRICS] = make(BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct metric_key), sizeof(struct metric), 64, 0);
	maps.fd[MAP_NAMES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct name), MPBPF_NAMES_MAX, 0);
	maps.fd[MAP_HEADERS] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct header_block), 2 * MPBPF_HEADERS_MAX, 0);
	maps.fd[MAP_RULES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct rate_rule), 2 * MPBPF_RULES_MAX, 0);
	maps.fd[MAP_OVERRIDES] =
		make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct cidr_key), 4, OVERRIDES_ROOM, BPF_F_NO_PREALLOC);
	maps.fd[MAP_QUOTAS] = make(BPF_MAP_TYPE_LRU_HASH, sizeof(struct quota_key), sizeof(struct quota), 1024, 0);
	maps.fd[MAP_RULE_NAMES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct name), MPBPF_RULE_NAMES, 0);
	maps.fd[MAP_RULE_STATS] = make(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct rule_stats), MPBPF_RULE_NAMES, 0);
	maps.fd[MAP_SYN_PORTS] = make(BPF_MAP_TYPE_HASH, sizeof(struct syn_port_key), 4, SYN_PORTS_ROOM, 0);
	maps.fd[MAP_FLOWS] = make(BPF_MAP_TYPE_LRU_HASH, sizeof(struct flow_key), sizeof(struct flow), 2048, 0);
	maps.fd[MAP_PROTOCOL_RULES] =
		make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct protocol_rule), 2 * MPBPF_PROTOCOL_RULES, 0);
	maps.fd[MAP_RULE_COUNTS] = make(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct rule_count),
					MPBPF_NAMES_MAX - MPBPF_LISTENER_NAMES, 0);
	maps.fd[MAP_GATEWAYS] = make(BPF_MAP_TYPE_HASH, sizeof(struct listener_key), sizeof(struct gateway), 4, 0);
	maps.fd[MAP_STEERS] = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct steer_key), 4, 4, BPF_F_NO_PREALLOC);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (maps.fd[made[i]] < 0)
			return -1;
	maps.control = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, maps.fd[MAP_CONTROL], 0);
	return maps.control == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	maps_close(&maps);
	return 0;
}

/* How many keys a map has of a generation; of all when 0. */
static int keys(enum map_id id, size_t at, uint32_t generation)
{
	char key[sizeof(struct path_key)];
	uint32_t found;
	int n = 0;

	for (int r = bpf_map_get_next_key(maps.fd[id], NULL, key); !r;
	     r = bpf_map_get_next_key(maps.fd[id], key, key)) {
		memcpy(&found, key + at, sizeof(found));
		n += !generation || found == generation;
	}
	return n;
}

static void assert_keys(uint32_t generation, int listeners, int paths, int cidrs)
{
	assert_int_equal(keys(MAP_LISTENERS, 0, generation), listeners);
	assert_int_equal(keys(MAP_LISTENERS, 0, 0), listeners);
	assert_int_equal(keys(MAP_PATHS, 4, generation), paths);
	assert_int_equal(keys(MAP_PATHS, 4, 0), paths);
	assert_int_equal(keys(MAP_CIDRS, 4, generation), cidrs);
	assert_int_equal(keys(MAP_CIDRS, 4, 0), cidrs);
}

static char *exempt[] = { "/healthz", "/metrics" }, *own_exempt[] = { "/" };
static struct auth_config own = { .exempt_paths = own_exempt, .n_exempt_paths = 1 };
static struct listener_config listeners[] = {
	{ .name = "a", .any = true, .port = 1 },
	{ .name = "b", .any = true, .port = 2 },
	{ .name = "c", .any = true, .port = 3, .auth = &own },
	{ .name = "d", .any = true, .port = 4 },
	{ .name = "e", .any = true, .port = 5 },
};
static struct cidr cidrs[2 * CIDRS_ROOM];

static struct config config_of(size_t n_listeners, size_t n_deny)
{
	for (size_t i = 0; i < ARRAY_SIZE(cidrs); i++)
		cidrs[i] = (struct cidr){ .addr.w = { 0, 0, htonl(0xffff), htonl(i << 8) }, .prefix = 120 };
	return (struct config){
		.rate_limit = { .enabled = true,
				.window_ms = 1000,
				.rate = { .packets = 10, .mode = RATE_ENFORCE },
				.max_sources = 2048,
				.max_quotas = 1024 },
		.max_verdicts = 4096,
		.classify = { .enabled = true, .max_flows = 2048 },
		.listeners = listeners,
		.n_listeners = n_listeners,
		.ddos = { .deny = cidrs, .n_deny = n_deny },
		.auth = { .exempt_paths = exempt, .n_exempt_paths = 2 },
		.digest = { n_listeners, n_deny },
	};
}

static void the_old_policy_goes_with_the_switch(void **state)
{
	struct config first = config_of(3, 4), second = config_of(1, 0);

	(void)state;
	assert_false(policy_in_force(&maps, &first, "/a"));
	assert_int_equal(policy_publish(&maps, &first, "/a"), 0);
	assert_int_equal(maps.control->generation, 1);
	/* Two listeners share the global block's two paths; the third has "/" alone. */
	assert_keys(1, 3, 5, 4);
	assert_true(policy_in_force(&maps, &first, "/a"));
	assert_false(policy_in_force(&maps, &first, "/b"));
	assert_false(policy_in_force(&maps, &second, "/a"));
	assert_int_equal(policy_publish(&maps, &second, NULL), 0);
	assert_int_equal(maps.control->generation, 2);
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

static struct protocol_rule rule_at(uint32_t i)
{
	uint32_t at = (maps.control->generation & 1) * MPBPF_PROTOCOL_RULES + i;
	struct protocol_rule rule;

	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_PROTOCOL_RULES], &at, &rule), 0);
	assert_int_equal(rule.generation, maps.control->generation);
	return rule;
}

/* So that its counters go on. */
static void a_protocol_rule_keeps_its_number(void **state)
{
	static char one[] = "one", two[] = "two";
	struct protocol_rule_config rules[] = {
		{ .name = one, .protocol = PROTOCOL_TLS, .below = TLS_1_2 },
		{ .name = two, .protocol = PROTOCOL_SSH, .port = 8080, .monitor = true },
	};
	struct config config = config_of(0, 0);
	struct protocol_rule first, second;

	(void)state;
	config.protocol_rules = rules;
	config.n_protocol_rules = 2;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	first = rule_at(0);
	second = rule_at(1);
	assert_true(first.protocol == PROTOCOL_TLS && first.below == TLS_1_2 && !first.dry && !first.port);
	assert_true(second.protocol == PROTOCOL_SSH && second.port == htons(8080) && second.dry && !second.below);
	assert_true(first.number != second.number);
	config.protocol_rules = &rules[1];
	config.n_protocol_rules = 1;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(rule_at(0).number, second.number);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(a_protocol_rule_keeps_its_number),
		TEST(what_only_a_load_changes_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

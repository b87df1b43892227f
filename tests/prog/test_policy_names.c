// SPDX-License-Identifier: MIT
/* core/policy on real maps: what the kernel counts under has a number, which stays its own over reloads. */
#include <stdio.h>
#include <bpf/libbpf.h>

#include "http1_host.h"
#include "policy_maps.h"

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

/* metric_key.host that a request for a host is counted under; 0: none. The key is that of a Host field. */
static uint32_t number_of(const char *host)
{
	struct host_key key;
	__u32 number;

	assert_int_equal(http1_host_key((const struct http1_buf *)host, 0, strlen(host), &key), 0);
	key.generation = maps.control->generation;
	return bpf_map_lookup_elem(maps.fd[MAP_HOSTS], &key, &number) ? 0 : number;
}

static const char *name_of(uint32_t host)
{
	static struct name name;
	__u32 at = MPBPF_PROTOCOL_NAMES + host;

	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_NAMES], &at, &name), 0);
	return name.text;
}

static uint32_t publish_hosts(char **hosts, size_t n)
{
	struct config config = config_of(0, 0);

	config.metrics.hosts = hosts;
	config.metrics.n_hosts = n;
	assert_int_equal(policy_publish(&maps, &config, NULL), 0);
	assert_int_equal(keys(MAP_HOSTS, 4, maps.control->generation), n);
	assert_int_equal(keys(MAP_HOSTS, 4, 0), n);
	return number_of("api.example.org");
}

static void a_host_counts_under_the_longest_name(void **state)
{
	char *hosts[] = { "*.example.org", "api.example.org", "*.eu.example.org", "[2001:db8::1]" };
	uint32_t api = publish_hosts(hosts, 4);

	(void)state;
	assert_string_equal(name_of(api), "api.example.org");
	assert_string_equal(name_of(number_of("www.example.org")), "*.example.org");
	assert_string_equal(name_of(number_of("a.api.example.org:80")), "*.example.org");
	assert_string_equal(name_of(number_of("A.EU.example.org.")), "*.eu.example.org");
	assert_string_equal(name_of(number_of("eu.example.org")), "*.example.org");
	assert_string_equal(name_of(number_of("[2001:DB8::1]:8080")), "[2001:db8::1]");
	assert_int_equal(number_of("example.org"), 0);
	assert_int_equal(number_of("badexample.org"), 0);
	assert_int_equal(number_of("api.example.org.evil"), 0);
	assert_int_equal(number_of("org"), 0);
	assert_int_equal(number_of("[2001:db8::10]"), 0);
	assert_int_equal(number_of("[api.example.org]"), 0);
}

static struct metric_key counted(uint32_t host)
{
	struct metric zeros[256] = {};
	struct metric_key key = { .host = host, .at = 1 };

	assert_true(libbpf_num_possible_cpus() <= 256);
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_METRICS], &key, zeros, BPF_ANY), 0);
	return key;
}

/* And who gets the number of one that is gone begins at nothing. */
static void a_host_keeps_its_number_and_counters(void **state)
{
	char *first[] = { "gone.example.org", "api.example.org" }, *second[] = { "api.example.org" };
	uint32_t api = publish_hosts(first, 2), gone = number_of("gone.example.org");
	struct metric_key of_api = counted(api), of_gone = counted(gone), of_none = counted(0);
	struct metric sums[256];
	static char hosts[3][MPBPF_HOSTS_MAX][16];
	char *all[3][MPBPF_HOSTS_MAX];

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < MPBPF_HOSTS_MAX; i++) {
			snprintf(hosts[k][i], sizeof(hosts[k][i]), "%c%zu", (char)('a' + k), i);
			all[k][i] = hosts[k][i];
		}
		all[k][0] = "api.example.org";
	}
	assert_int_equal(publish_hosts(second, 1), api);
	assert_int_equal(publish_hosts(all[0], MPBPF_HOSTS_MAX), api);
	assert_int_equal(publish_hosts(all[1], MPBPF_HOSTS_MAX), api);
	assert_string_equal(name_of(gone), "gone.example.org");
	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_METRICS], &of_gone, sums), 0);
	assert_int_equal(publish_hosts(all[2], MPBPF_HOSTS_MAX), api);
	assert_string_not_equal(name_of(gone), "gone.example.org");
	assert_int_not_equal(bpf_map_lookup_elem(maps.fd[MAP_METRICS], &of_gone, sums), 0);
	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_METRICS], &of_api, sums), 0);
	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_METRICS], &of_none, sums), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_protocol_rule_keeps_its_number),
		TEST(a_host_counts_under_the_longest_name),
		TEST(a_host_keeps_its_number_and_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* What the tests of core/policy share: the maps that it writes, with little room in some, and configurations. */
#ifndef MPBPF_TESTS_POLICY_MAPS_H
#define MPBPF_TESTS_POLICY_MAPS_H

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

#include "core/capture.h"
#include "core/policy.h"
#include "core/policy_keys.h"
#include "core/util.h"
#include "mpbpf/steer.h"

#define LISTENERS_ROOM 4
#define CIDRS_ROOM 8
#define OVERRIDES_ROOM 4
#define SYN_PORTS_ROOM 8

static struct maps maps = MAPS_EMPTY;

static inline int make(enum bpf_map_type type, size_t key, size_t value, unsigned int entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, NULL, key, value, entries, &opts);

	if (fd < 0)
		print_error("bpf_map_create: %s\n", strerror(-fd));
	return fd;
}

static const enum map_id made[] = {
	MAP_CONTROL,	MAP_POLICIES, MAP_LISTENERS,	  MAP_PATHS,	    MAP_CIDRS,
	MAP_SOURCES,	MAP_VERDICTS, MAP_LIMITS,	  MAP_METRICS,	    MAP_NAMES,
	MAP_HEADERS,	MAP_RULES,    MAP_OVERRIDES,	  MAP_QUOTAS,	    MAP_RULE_NAMES,
	MAP_RULE_STATS, MAP_FLOWS,    MAP_PROTOCOL_RULES, MAP_RULE_COUNTS,  MAP_SYN_PORTS,
	MAP_HOSTS,	MAP_GATEWAYS, MAP_STEERS,	  MAP_CAPTURE_NETS, MAP_CAPTURES,
};

static inline int setup(void **state)
{
	(void)state;
	maps.fd[MAP_CONTROL] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct control), 1, BPF_F_MMAPABLE);
	maps.fd[MAP_POLICIES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct policy), 2, 0);
	maps.fd[MAP_LISTENERS] =
		make(BPF_MAP_TYPE_HASH, sizeof(struct listener_key), sizeof(struct listener), LISTENERS_ROOM, 0);
	maps.fd[MAP_PATHS] =
		make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct path_key), sizeof(struct path_rule), 16, BPF_F_NO_PREALLOC);
	maps.fd[MAP_CIDRS] = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct cidr_key), 4, CIDRS_ROOM, BPF_F_NO_PREALLOC);
	maps.fd[MAP_SOURCES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct source_set), MPBPF_SOURCE_SETS(2048), 0);
	maps.fd[MAP_VERDICTS] =
		make(BPF_MAP_TYPE_LRU_HASH, sizeof(struct verdict_key), sizeof(struct verdict), 4096, 0);
	maps.fd[MAP_LIMITS] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct limit), 2 * MPBPF_LIMITS_MAX, 0);
	maps.fd[MAP_METRICS] = make(BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct metric_key), sizeof(struct metric), 64, 0);
	maps.fd[MAP_NAMES] = make(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct name), MPBPF_NAMES_MAX, 0);
	maps.fd[MAP_HOSTS] =
		make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct host_key), 4, 2 * MPBPF_HOSTS_MAX, BPF_F_NO_PREALLOC);
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
					MPBPF_PROTOCOL_NAMES - MPBPF_LISTENER_NAMES, 0);
	maps.fd[MAP_GATEWAYS] = make(BPF_MAP_TYPE_HASH, sizeof(struct listener_key), sizeof(struct gateway), 4, 0);
	maps.fd[MAP_STEERS] = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct steer_key), 4, 4, BPF_F_NO_PREALLOC);
	maps.fd[MAP_CAPTURE_NETS] =
		make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct capture_net_key), 4, 4, BPF_F_NO_PREALLOC);
	maps.fd[MAP_CAPTURES] = make(BPF_MAP_TYPE_HASH, sizeof(struct capture_key), sizeof(struct capture), 4, 0);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (maps.fd[made[i]] < 0)
			return -1;
	maps.control = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, maps.fd[MAP_CONTROL], 0);
	return maps.control == MAP_FAILED ? -1 : 0;
}

static inline int teardown(void **state)
{
	(void)state;
	maps_close(&maps);
	return 0;
}

/* How many keys a map has of a generation; of all when 0. */
static inline int keys(enum map_id id, size_t at, uint32_t generation)
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

static inline struct config config_of(size_t n_listeners, size_t n_deny)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

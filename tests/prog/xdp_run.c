/* SPDX-License-Identifier: MIT */
/* Tests: loads xdp_ingress and runs it on frames. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "packets.h"
#include "source_place.h"
#include "tap.h"
#include "xdp_run.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define CPUS_MAX 1024

static const __u64 hash_key[2] = { 0x736f6d6520736563ULL, 0x7265742077616974ULL };

static int map_fd(const struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

static void load(struct xdp_run *run, const char *path, uint32_t max_sources)
{
	struct bpf_program *program;
	int r;

	run->object = bpf_object__open_file(path, NULL);
	if (!run->object)
		tap_bail("%s: %s", path, strerror(errno));
	bpf_object__for_each_program(program, run->object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), "xdp_ingress"));
	if (max_sources)
		bpf_map__set_max_entries(bpf_object__find_map_by_name(run->object, "sources"),
					 MPBPF_SOURCE_SETS(max_sources));
	r = bpf_object__load(run->object);
	if (r)
		tap_bail("%s: cannot be loaded: %s", path, strerror(-r));
}

/* The table as the program has it. */
static void sources_map(struct xdp_run *run)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(run->sources, &info, &len))
		tap_bail("sources: %s", strerror(errno));
	run->n_sets = info.max_entries;
	run->sets = mmap(NULL, run->n_sets * sizeof(*run->sets), PROT_READ | PROT_WRITE, MAP_SHARED, run->sources, 0);
	if (run->sets == MAP_FAILED)
		tap_bail("sources cannot be mapped: %s", strerror(errno));
}

void xdp_run_open(struct xdp_run *run, uint32_t max_sources)
{
	const char *path = getenv("MPBPF_BPF_OBJ");
	struct bpf_program *program;

	memset(run, 0, sizeof(*run));
	load(run, path ? path : MPBPF_BUILD "/mpbpf.bpf.o", max_sources);
	program = bpf_object__find_program_by_name(run->object, "xdp_ingress");
	if (!program)
		tap_bail("the object has no program xdp_ingress");
	run->program = bpf_program__fd(program);
	run->control = map_fd(run->object, "control");
	run->policies = map_fd(run->object, "policies");
	run->cidrs = map_fd(run->object, "cidrs");
	run->sources = map_fd(run->object, "sources");
	run->stats = map_fd(run->object, "xdp_stats");
	sources_map(run);
}

void xdp_run_close(struct xdp_run *run)
{
	munmap(run->sets, run->n_sets * sizeof(*run->sets));
	bpf_object__close(run->object);
	run->object = NULL;
}

static void update(int map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map, key, value, BPF_ANY))
		tap_bail("cannot write to a map: %s", strerror(errno));
}

void xdp_write_control(struct xdp_run *run, uint32_t generation)
{
	struct control control = { .abi = MPBPF_ABI_VERSION, .generation = generation };

	uint32_t zero = 0;

	memcpy(control.hash_key, hash_key, sizeof(hash_key));
	update(run->control, &zero, &control);
	run->generation = generation;
}

void xdp_write_policy(struct xdp_run *run, uint32_t slot, const struct policy *policy)
{
	update(run->policies, &slot, policy);
}

void xdp_set_policy(struct xdp_run *run, struct policy policy)
{
	policy.generation = run->generation + 1;
	if (!policy.jiffy_ns)
		policy.jiffy_ns = clock_jiffy_ns();
	xdp_write_policy(run, policy.generation & 1, &policy);
	xdp_write_control(run, policy.generation);
}

void xdp_add_cidr(struct xdp_run *run, enum cidr_list list, const char *address, unsigned int prefix)
{
	struct cidr_key key = { .generation = run->generation + 1, .list = list };
	uint32_t value = 1;

	address_parse(address, key.addr.b);
	key.prefixlen = 64 + prefix + (strchr(address, ':') ? 0 : 96);
	update(run->cidrs, &key, &value);
}

static int run_program(const struct xdp_run *run, struct bpf_test_run_opts *opts)
{
	return bpf_prog_test_run_opts(run->program, opts) ? -errno : (int)opts->retval;
}

int xdp_run_frame(const struct xdp_run *run, const void *bytes, size_t len, size_t linear, uint32_t repeat)
{
	struct xdp_md ctx = { .data_end = linear ? linear : len, .ingress_ifindex = run->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len, .repeat = repeat);

	if (linear || run->ifindex) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	return run_program(run, &opts);
}

int xdp_time_frame(const struct xdp_run *run, const void *bytes, size_t len, uint32_t repeat, uint32_t *ret_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len, .repeat = repeat);
	int action = run_program(run, &opts);

	if (action >= 0)
		*ret_ns = opts.duration;
	return action;
}

static void stats_add(struct xdp_stats *sum, const struct xdp_stats *add, int sign)
{
	const uint64_t *from = (const uint64_t *)add;
	uint64_t *to = (uint64_t *)sum;
	size_t i;

	_Static_assert(sizeof(*sum) % sizeof(*to) == 0, "counters and nothing else");
	for (i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += sign * from[i];
}

void xdp_read_stats(const struct xdp_run *run, struct xdp_stats *ret)
{
	static struct xdp_stats cpus[CPUS_MAX];
	int i, n = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	if (n < 1 || n > CPUS_MAX || bpf_map_lookup_elem(run->stats, &zero, cpus))
		tap_bail("cannot read xdp_stats");
	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < n; i++)
		stats_add(ret, &cpus[i], 1);
}

struct xdp_stats xdp_stats_since(const struct xdp_run *run, const struct xdp_stats *before)
{
	struct xdp_stats now;

	xdp_read_stats(run, &now);
	stats_add(&now, before, -1);
	return now;
}

struct source_key source_of(const char *address)
{
	struct source_key key = {};
	struct addr addr;

	address_parse(address, addr.b);
	if (strchr(address, ':')) {
		key.w[0] = addr.w[0];
		key.w[1] = addr.w[1];
	} else {
		key.w[1] = addr.w[3];
	}
	return key;
}

/* The entry that has this name, or with 0 the first free one. */
static struct source_way *source_way(const struct xdp_run *run, const struct source_key *key, uint64_t name)
{
	const struct source_place place = source_place(source_name(key), hash_key, run->n_sets);
	const uint32_t numbers[] = { place.first, place.second };

	for (size_t i = 0; i < 2 && numbers[i] < run->n_sets; i++)
		for (size_t way = 0; way < MPBPF_SOURCE_WAYS; way++)
			if (run->sets[numbers[i]].ways[way].name == name)
				return &run->sets[numbers[i]].ways[way];
	return NULL;
}

bool xdp_read_source(const struct xdp_run *run, const struct source_key *key, uint64_t *ret)
{
	const struct source_way *entry = source_way(run, key, source_name(key));

	if (entry)
		*ret = entry->source.window_count;
	return entry;
}

bool xdp_write_source(const struct xdp_run *run, const struct source_key *key, uint64_t window_count)
{
	struct source_way *entry = source_way(run, key, source_name(key)) ?: source_way(run, key, 0);

	if (entry)
		*entry = (struct source_way){ .name = source_name(key), .source.window_count = window_count };
	return entry;
}

unsigned long long xdp_map_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		tap_bail("%s cannot be read", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	fclose(f);
	return bytes;
}

static bool counters_match(const struct xdp_stats *moved, size_t len, enum xdp_reason reason, int protocol)
{
	bool held = moved->packets == 1 && moved->bytes == len && !moved->would_drop;
	uint64_t malformed = 0;
	int i;

	for (i = 0; i < MALFORMED_MAX; i++)
		malformed += moved->malformed[i];
	held &= malformed == moved->reasons[XDP_REASON_MALFORMED] && !moved->malformed[MALFORMED_NONE];
	for (i = 0; i < XDP_REASON_MAX; i++)
		held &= moved->reasons[i] == (i == (int)reason);
	for (i = 0; i < PROTOCOL_MAX; i++)
		held &= moved->protocols[i] == (i == protocol);
	return held;
}

bool xdp_expect(const struct xdp_run *run, const void *bytes, size_t len, size_t linear, enum xdp_reason reason,
		int protocol, const char *what)
{
	int action, expected = reason == XDP_REASON_PASS ? XDP_PASS : XDP_DROP;
	struct xdp_stats before, moved;

	xdp_read_stats(run, &before);
	action = xdp_run_frame(run, bytes, len, linear, 1);
	moved = xdp_stats_since(run, &before);
	if (!CHECK(action == expected, "%s: %zu bytes, %zu linear: action %d, expected %d", what, len, linear, action,
		   expected))
		return false;
	return CHECK(
		counters_match(&moved, len, reason, protocol),
		"%s: %zu bytes, %zu linear: packets %llu bytes %llu pass %llu rate %llu denied %llu malformed %llu "
		"other %llu http1 %llu tls %llu http2 %llu grpc %llu websocket %llu would_drop %llu; expected reason "
		"%d, protocol %d",
		what, len, linear, moved.packets, moved.bytes, moved.reasons[XDP_REASON_PASS],
		moved.reasons[XDP_REASON_RATE_LIMIT], moved.reasons[XDP_REASON_DENIED],
		moved.reasons[XDP_REASON_MALFORMED], moved.protocols[PROTOCOL_OTHER], moved.protocols[PROTOCOL_HTTP1],
		moved.protocols[PROTOCOL_TLS], moved.protocols[PROTOCOL_HTTP2], moved.protocols[PROTOCOL_GRPC],
		moved.protocols[PROTOCOL_WEBSOCKET], moved.would_drop, reason, protocol);
}

bool xdp_expect_malformed(const struct xdp_run *run, const void *bytes, size_t len, enum malformed kind,
			  const char *what)
{
	struct xdp_stats before, moved;
	int i, found = MALFORMED_NONE;

	xdp_read_stats(run, &before);
	if (!xdp_expect(run, bytes, len, ALL_LINEAR, XDP_REASON_MALFORMED, NO_PROTOCOL, what))
		return false;
	moved = xdp_stats_since(run, &before);
	for (i = 0; i < MALFORMED_MAX; i++)
		if (moved.malformed[i])
			found = i;
	return CHECK(found == (int)kind, "%s: malformed of kind %d, expected %d", what, found, kind);
}

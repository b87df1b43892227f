// SPDX-License-Identifier: MIT
/* Floor 3: sums per-CPU counters, counts map entries, and gives both the names that scripts rely on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>

#include "core/reason_names.h"
#include "core/stats.h"
#include "core/util.h"

/* Entries read at a time when counting. */
#define BATCH 16384

/* Value `at` of a per-CPU array as a sum: `words` counters of 64 bits each. */
static int sum_percpu(int fd, __u32 at, __u64 *ret, size_t words)
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_free_ __u64 *values = NULL;
	int r;

	if (n_cpus < 0)
		return n_cpus;
	values = calloc(n_cpus, words * sizeof(*values));
	if (!values)
		return -ENOMEM;
	r = bpf_map_lookup_elem(fd, &at, values);
	if (r < 0)
		return r;
	memset(ret, 0, words * sizeof(*ret));
	for (int cpu = 0; cpu < n_cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			ret[i] += values[cpu * words + i];
	return 0;
}

/* Counts by whole buckets: a bucket that does not fit into the batch asks for a larger one. */
static int count_entries(int fd, size_t key_size, size_t value_size, uint64_t *ret)
{
	uint64_t total = 0;
	bool first = true;
	__u32 position;

	for (size_t size = BATCH;;) {
		_cleanup_free_ void *keys = calloc(size, key_size), *values = calloc(size, value_size);
		__u32 n = size;
		int r;

		if (!keys || !values)
			return -ENOMEM;
		r = bpf_map_lookup_batch(fd, first ? NULL : &position, &position, keys, values, &n, NULL);
		if (r == -ENOSPC) {
			size *= 2;
			continue;
		}
		if (r < 0 && r != -ENOENT)
			return r;
		total += n;
		first = false;
		if (r == -ENOENT)
			break;
	}
	*ret = total;
	return 0;
}

/* Entries of `sources` that are taken; programs may take more meanwhile. */
static int count_sources(int fd, uint64_t *ret)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct source_set *sets;
	uint64_t total = 0;
	int r;

	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r < 0)
		return r;
	sets = mmap(NULL, info.max_entries * sizeof(*sets), PROT_READ, MAP_SHARED, fd, 0);
	if (sets == MAP_FAILED)
		return -errno;
	for (__u32 i = 0; i < info.max_entries; i++)
		for (size_t way = 0; way < MPBPF_SOURCE_WAYS; way++)
			total += __atomic_load_n(&sets[i].ways[way].name, __ATOMIC_RELAXED) != 0;
	munmap(sets, info.max_entries * sizeof(*sets));
	*ret = total;
	return 0;
}

/* The protocol rules of the policy in force, in their order, each under its name. */
static int read_rules(const struct maps *maps, struct stats *stats)
{
	__u32 generation = maps->control->generation, slot = generation & 1, number, i;
	struct protocol_rule rule;
	struct policy policy;
	struct name name;
	int r;

	r = bpf_map_lookup_elem(maps->fd[MAP_POLICIES], &slot, &policy);
	for (i = 0; r == 0 && i < policy.n_protocol_rules && i < MPBPF_PROTOCOL_RULES; i++) {
		struct protocol_stats *one = &stats->rules[i];

		slot = (generation & 1) * MPBPF_PROTOCOL_RULES + i;
		r = bpf_map_lookup_elem(maps->fd[MAP_PROTOCOL_RULES], &slot, &rule);
		number = MPBPF_LISTENER_NAMES + rule.number;
		if (r == 0)
			r = bpf_map_lookup_elem(maps->fd[MAP_NAMES], &number, &name);
		if (r == 0)
			r = sum_percpu(maps->fd[MAP_RULE_COUNTS], rule.number, (__u64 *)&one->count,
				       sizeof(one->count) / sizeof(__u64));
		if (r < 0)
			break;
		memcpy(one->name, name.text, sizeof(one->name));
		one->name[sizeof(one->name) - 1] = '\0';
		stats->n_rules = i + 1;
	}
	return r;
}

int stats_read(const struct maps *maps, struct stats *ret)
{
	struct stats stats = { .conns_open = maps->control->conns_open, .unclosed = maps->control->unclosed };
	int r;

	_Static_assert(sizeof(stats.xdp) % sizeof(__u64) == 0, "nothing but 64-bit counters");
	_Static_assert(sizeof(stats.requests) % sizeof(__u64) == 0, "nothing but 64-bit counters");
	r = sum_percpu(maps->fd[MAP_XDP_STATS], 0, (__u64 *)&stats.xdp, sizeof(stats.xdp) / sizeof(__u64));
	if (r < 0)
		return r;
	r = sum_percpu(maps->fd[MAP_REQUEST_STATS], 0, (__u64 *)&stats.requests,
		       sizeof(stats.requests) / sizeof(__u64));
	if (r < 0)
		return r;
	r = count_sources(maps->fd[MAP_SOURCES], &stats.sources);
	if (r < 0)
		return r;
	r = count_entries(maps->fd[MAP_VERDICTS], sizeof(struct verdict_key), sizeof(struct verdict), &stats.verdicts);
	if (r < 0)
		return r;
	r = count_entries(maps->fd[MAP_FLOWS], sizeof(struct flow_key), sizeof(struct flow), &stats.flows);
	if (r == 0)
		r = read_rules(maps, &stats);
	if (r < 0)
		return r;
	*ret = stats;
	return 0;
}

struct counter {
	const char *name;
	uint64_t value;
};

/* Adds an object with these counters to `parent` and returns it; NULL: out of memory. */
static cJSON *add_counters(cJSON *parent, const char *name, const struct counter *counters, size_t n)
{
	cJSON *object = cJSON_AddObjectToObject(parent, name);

	for (size_t i = 0; object && i < n; i++)
		if (!cJSON_AddNumberToObject(object, counters[i].name, counters[i].value))
			return NULL;
	return object;
}

#define ADD_COUNTERS(parent, name, ...)                                     \
	add_counters(parent, name, (const struct counter[]){ __VA_ARGS__ }, \
		     ARRAY_SIZE(((const struct counter[]){ __VA_ARGS__ })))

static bool add_malformed(cJSON *xdp, const __u64 *malformed)
{
	struct counter counters[MALFORMED_MAX];

	for (size_t i = 0; i < MALFORMED_MAX; i++)
		counters[i] = (struct counter){ malformed_names[i], malformed[i] };
	return add_counters(xdp, "malformed", counters + MALFORMED_NONE + 1, MALFORMED_MAX - 1);
}

static bool add_rules(cJSON *xdp, const struct stats *stats)
{
	cJSON *rules = cJSON_AddObjectToObject(xdp, "protocol_rules");

	for (size_t i = 0; rules && i < stats->n_rules; i++)
		if (!ADD_COUNTERS(rules, stats->rules[i].name, { "dropped", stats->rules[i].count.dropped },
				  { "would_drop", stats->rules[i].count.would_drop }))
			return false;
	return rules;
}

static bool add_xdp(cJSON *json, const struct stats *stats)
{
	const struct xdp_stats *x = &stats->xdp;
	const __u64 *r = x->reasons, *p = x->protocols;
	cJSON *xdp;

	xdp = ADD_COUNTERS(json, "xdp", { "packets", x->packets }, { "bytes", x->bytes },
			   { "passed", r[XDP_REASON_PASS] });
	return xdp &&
	       ADD_COUNTERS(xdp, "dropped", { "rate_limit", r[XDP_REASON_RATE_LIMIT] },
			    { "denied", r[XDP_REASON_DENIED] }, { "malformed", r[XDP_REASON_MALFORMED] },
			    { "syn_guard", r[XDP_REASON_SYN_GUARD] }, { "banned", r[XDP_REASON_BANNED] },
			    { "connections", r[XDP_REASON_CONNECTIONS] }, { "protocol", r[XDP_REASON_PROTOCOL] }) &&
	       add_malformed(xdp, x->malformed) &&
	       ADD_COUNTERS(xdp, "protocols", { "http1", p[PROTOCOL_HTTP1] }, { "tls", p[PROTOCOL_TLS] },
			    { "http2", p[PROTOCOL_HTTP2] }, { "grpc", p[PROTOCOL_GRPC] },
			    { "websocket", p[PROTOCOL_WEBSOCKET] }, { "ssh", p[PROTOCOL_SSH] },
			    { "redis", p[PROTOCOL_REDIS] }, { "postgresql", p[PROTOCOL_POSTGRESQL] },
			    { "mqtt", p[PROTOCOL_MQTT] }, { "dns", p[PROTOCOL_DNS] }, { "quic", p[PROTOCOL_QUIC] },
			    { "other", p[PROTOCOL_OTHER] }) &&
	       ADD_COUNTERS(xdp, "syn_guard", { "cookies_sent", r[XDP_REASON_SYN_COOKIE] },
			    { "validated", x->syn_validated }) &&
	       cJSON_AddNumberToObject(xdp, "sources", stats->sources) &&
	       cJSON_AddNumberToObject(xdp, "would_drop", x->would_drop) &&
	       cJSON_AddNumberToObject(xdp, "would_drop_connections", x->conn_would_drop) &&
	       cJSON_AddNumberToObject(xdp, "flows", stats->flows) &&
	       cJSON_AddNumberToObject(xdp, "unkept_flows", x->unkept) && add_rules(xdp, stats);
}

/* Denials, or what a dry run let pass of them, under the same names. */
static bool add_denials(cJSON *requests, const char *name, const __u64 *r)
{
	return ADD_COUNTERS(requests, name, { "bad_request", r[REQUEST_BAD] + r[REQUEST_TOO_LARGE] },
			    { "too_large", r[REQUEST_TOO_LARGE] }, { "no_token", r[REQUEST_NO_TOKEN] },
			    { "bad_token", r[REQUEST_BAD_TOKEN] }, { "expired", r[REQUEST_EXPIRED] },
			    { "feature", r[REQUEST_FEATURE] }, { "proxy_count", r[REQUEST_PROXY_COUNT] },
			    { "rate", r[REQUEST_RATE] }, { "helper_down", r[REQUEST_HELPER_DOWN] },
			    { "timeout", r[REQUEST_TIMEOUT] }, { "busy", r[REQUEST_BUSY] },
			    { "ask_rate", r[REQUEST_ASK_RATE] });
}

static bool add_requests(cJSON *json, const struct stats *stats)
{
	const __u64 *r = stats->requests.reasons;
	cJSON *requests;

	requests = ADD_COUNTERS(
		json, "requests",
		{ "allowed", r[REQUEST_ALLOWED] + r[REQUEST_EXEMPT] + r[REQUEST_OPEN] + r[REQUEST_VALIDATED] },
		{ "cached", r[REQUEST_ALLOWED] }, { "exempt", r[REQUEST_EXEMPT] }, { "open", r[REQUEST_OPEN] },
		{ "validated", r[REQUEST_VALIDATED] }, { "asked", stats->requests.asked },
		{ "asked_bytes", stats->requests.asked_bytes });
	return requests && add_denials(requests, "denied", r) &&
	       add_denials(requests, "would_be_denied", stats->requests.would);
}

cJSON *stats_json(const struct stats *stats)
{
	const struct request_stats *r = &stats->requests;
	cJSON *json = cJSON_CreateObject();

	if (json && add_xdp(json, stats) && add_requests(json, stats) &&
	    ADD_COUNTERS(json, "events", { "recorded", stats->xdp.events },
			 { "suppressed", stats->xdp.events_suppressed }) &&
	    ADD_COUNTERS(json, "verdicts", { "entries", stats->verdicts }, { "hits", r->hits },
			 { "misses", r->misses }) &&
	    ADD_COUNTERS(json, "connections", { "guarded", r->guarded },
			 { "open", stats->conns_open > 0 ? stats->conns_open : 0 },
			 { "unguarded_at_load", stats->unguarded }, { "refused", r->refused }, { "broken", r->broken },
			 { "closed", r->conns_closed }, { "held_packets", r->held }, { "measured", r->measured },
			 { "unmeasured", r->unmeasured }, { "unadded", r->unadded }, { "unclosed", stats->unclosed }) &&
	    ADD_COUNTERS(json, "fast_path", { "connections", r->fast }, { "requests", r->fast_requests },
			 { "denied", r->fast_denied }, { "messages", r->fast_messages }, { "full", r->fast_full }))
		return json;
	cJSON_Delete(json);
	return NULL;
}

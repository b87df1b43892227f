// SPDX-License-Identifier: MIT
/* Floor 3: builds the keys and values of the policy maps from a configuration. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <arpa/inet.h>

#include "core/clock.h"
#include "core/policy_headers.h"
#include "core/policy_keys.h"
#include "core/policy_rates.h"
#include "core/policy_rules.h"
#include "core/util.h"
#include "http1_host.h"

#define LICENSE_COMMUNITY_PROXIES 3
#define LEASE_PART 200	       /* of a limit: what a CPU takes at once from it, shared among CPUs */
#define AHEAD_MAX (1ULL << 62) /* ticks, two years: the sum with the present fits into a word */

uint32_t generation_next(uint32_t generation)
{
	/* UINT32_MAX is odd: 1 would share its slot. */
	return generation == UINT32_MAX ? 2 : generation + 1;
}

/* A token bucket as struct limit has it. */
static void bucket_of(double rate, uint32_t burst, __u64 *ret_interval, __u64 *ret_burst)
{
	double interval = NSEC_PER_SEC / rate * BUCKET_TICKS, ahead = interval * (burst - 1);

	*ret_interval = interval;
	*ret_burst = ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
}

void policy_of(const struct config *config, uint32_t generation, struct policy *ret)
{
	const struct connections_config *connections = &config->rate_limit.connections;
	const struct asks_config *asks = &config->clients.asks;

	*ret = (struct policy){
		.generation = generation,
		.rate_mode = config->rate_limit.enabled ? config->rate_limit.rate.mode : RATE_OFF,
		.window_ns = config->rate_limit.window_ms * NSEC_PER_MSEC,
		.packets = config->rate_limit.rate.packets,
		.drop_invalid = config->ddos.drop_invalid,
		.has_deny = config->ddos.n_deny > 0,
		.has_allow = config->ddos.n_allow > 0,
		.ban_failures = config->ddos.ban.enabled ? config->ddos.ban.failures : 0,
		.ban_window_ns = config->ddos.ban.window_s * NSEC_PER_SEC,
		.ban_ns = config->ddos.ban.ban_s * NSEC_PER_SEC,
		.max_waiting = config->clients.max_waiting,
		.events = config->events_per_second,
		.syn_mode = config->ddos.syn_cookies,
		.syn_rate = config->ddos.syn_rate,
		.syn_named = config->ddos.n_syn_ports > 0,
		.flows = config->classify.enabled,
		.n_protocol_rules = config->n_protocol_rules,
	};
	for (size_t i = 0; i < config->classify.n_grpc_ports; i++) {
		ret->grpc_ports[i] = htons(config->classify.grpc_ports[i]);
		ret->grpc_bits |= 1ULL << (config->classify.grpc_ports[i] & 63);
	}
	rates_of(config, ret);
	if (connections->enabled) {
		ret->conn_mode = connections->mode;
		ret->conn_open = connections->open;
		bucket_of(connections->rate, connections->burst, &ret->conn_interval, &ret->conn_burst);
	}
	if (asks->enabled)
		bucket_of(asks->rate, asks->burst, &ret->ask_interval, &ret->ask_burst);
}

void lease_of(uint32_t packets, int n_cpus, struct policy *ret)
{
	uint32_t most = n_cpus > 0 ? packets / (LEASE_PART * n_cpus) : 0;

	ret->lease = most > MPBPF_LEASE_MAX ? MPBPF_LEASE_MAX : most ?: 1;
	ret->charge = most && n_cpus <= UINT16_MAX / MPBPF_LEASE_MAX ? ret->lease * n_cpus : 0;
}

void cidr_key_of(const struct cidr *cidr, enum cidr_list list, uint32_t generation, struct cidr_key *ret)
{
	*ret = (struct cidr_key){
		.prefixlen =
			8 * (offsetof(struct cidr_key, addr) - offsetof(struct cidr_key, generation)) + cidr->prefix,
		.generation = generation,
		.list = list,
		.addr = cidr->addr,
	};
}

/* What lets the kernel pass over the look-up of paths that cannot have a rule: their first characters. */
static int rule_first(const struct config *config, size_t i, uint64_t *ret)
{
	_cleanup_free_ struct path_entry *entries = NULL;
	size_t n = 0;
	int r;

	r = rules_of(config, i, &entries, &n);
	if (r < 0)
		return r;
	*ret = 0;
	for (size_t k = 0; k < n; k++)
		*ret |= entries[k].path[1] ? 1ULL << (entries[k].path[1] & 63) : UINT64_MAX;
	return 0;
}

/* The community edition is bound to three, whatever the file says. */
static bool overfull(const struct license_config *license)
{
	uint32_t most = license->is_enterprise || license->max_proxies < LICENSE_COMMUNITY_PROXIES
				? license->max_proxies
				: LICENSE_COMMUNITY_PROXIES;

	return license->given && license->current_proxies > most;
}

static uint8_t metrics_flags(const struct metrics_config *metrics)
{
	uint8_t flags = (metrics->request ? METRICS_REQUEST : 0) | (metrics->response ? METRICS_RESPONSE : 0) |
			(metrics->timing ? METRICS_TIMING : 0) | (metrics->size ? METRICS_SIZE : 0);

	return flags && metrics->n_hosts ? flags | METRICS_HOST : flags;
}

int listener_of(const struct config *config, size_t i, uint32_t generation, struct listener_key *ret_key,
		struct listener *ret)
{
	const struct listener_config *listener = &config->listeners[i];
	const struct auth_config *auth;
	uint64_t first;
	uint16_t number;
	int r;

	r = rule_first(config, i, &first);
	if (r < 0)
		return r;
	auth = config_auth(config, i, &number);
	*ret_key = (struct listener_key){ .generation = generation, .port = htons(listener->port) };
	if (!listener->any)
		ret_key->addr = listener->address;
	*ret = (struct listener){
		.index = i,
		.auth = number,
		.rules = rules_set_of(config, i),
		.flags = (auth->require_auth ? LISTENER_REQUIRE_AUTH : 0) | (listener->enforce ? 0 : LISTENER_DRY_RUN) |
			 (overfull(&config->license) ? LISTENER_OVERFULL : 0) |
			 (listener_is_guarded(listener) ? 0 : LISTENER_GONE) |
			 (listener->protocol == LISTENER_HTTP ? 0 : LISTENER_OPAQUE) |
			 (listener_is_fast(listener) ? LISTENER_FAST : 0) |
			 (listener->fast_path == FAST_PATH_ON ? LISTENER_FAST_ALL : 0),
		.rule_first = first,
		.limits = rules_default_limits(config, i),
		.headers = headers_place(config, i),
		.metrics = metrics_flags(&config->metrics),
		.sample = metrics_flags(&config->metrics) ? config->metrics.sample_rate * UINT32_MAX : 0,
	};
	return 0;
}

/* FNV-1a; of names that are different from one another, and that an attacker does not choose. */
uint64_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return hash;
}

void limit_of(const struct config *config, size_t i, uint32_t generation, struct limit *ret)
{
	const struct request_limit_config *limit = &config->request_limits[i];

	*ret = (struct limit){
		.id = name_hash(limit->name) ?: 1, /* 0: see clients.h */
		.generation = generation,
		.per = limit->per,
		.dry = !limit->enforce,
	};
	bucket_of(limit->rate, limit->burst, &ret->interval, &ret->burst);
}

void protocol_rule_of(const struct config *config, size_t i, uint32_t generation, struct protocol_rule *ret)
{
	const struct protocol_rule_config *rule = &config->protocol_rules[i];

	*ret = (struct protocol_rule){
		.generation = generation,
		.protocol = rule->protocol,
		.below = rule->below,
		.dry = rule->monitor,
		.port = htons(rule->port),
	};
}

int host_key_of(const char *host, uint32_t generation, struct host_key *ret)
{
	bool wildcard = host[0] == '*';
	const char *name = wildcard ? host + 2 : host;
	size_t len = strlen(name);

	*ret = (struct host_key){ .generation = generation };
	if (http1_host_key((const struct http1_buf *)name, 0, len, ret))
		return -ENAMETOOLONG;
	if (wildcard)
		ret->host[len] = '.';
	return 0;
}

static void path_key_of(const char *path, size_t bytes, uint16_t rules, uint32_t generation, struct path_key *ret)
{
	*ret = (struct path_key){
		.prefixlen = 8 * (offsetof(struct path_key, path) - offsetof(struct path_key, generation) + bytes),
		.generation = generation,
		.rules = rules,
	};
	memcpy(ret->path, path, bytes);
}

int path_keys_of(const char *path, uint16_t rules, uint32_t generation, struct path_key ret[2])
{
	char below[MPBPF_PATH_KEY] = "";
	size_t len = strlen(path);

	if (len + 1 > MPBPF_PATH_KEY)
		return -ENAMETOOLONG;
	if (!strcmp(path, "/")) {
		path_key_of(path, len, rules, generation, &ret[0]);
		return 1;
	}
	path_key_of(path, len + 1, rules, generation, &ret[0]);
	memcpy(below, path, len);
	below[len] = '/';
	path_key_of(below, len + 1, rules, generation, &ret[1]);
	return 2;
}

// SPDX-License-Identifier: MIT
/* Floor 3: publishes a configuration into the policy maps: two generations side by side, one store to switch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/capture.h"
#include "core/clock.h"
#include "core/grace.h"
#include "core/policy.h"
#include "core/policy_headers.h"
#include "core/policy_keys.h"
#include "core/policy_names.h"
#include "core/policy_rates.h"
#include "core/policy_rules.h"
#include "core/policy_syn.h"
#include "core/steer.h"
#include "core/util.h"

/* Maps whose keys carry a generation, and where in the key it stands. */
static const struct keyed_map {
	enum map_id id;
	size_t key_size;
	size_t generation;
} keyed_maps[] = {
	{ MAP_LISTENERS, sizeof(struct listener_key), offsetof(struct listener_key, generation) },
	{ MAP_PATHS, sizeof(struct path_key), offsetof(struct path_key, generation) },
	{ MAP_HOSTS, sizeof(struct host_key), offsetof(struct host_key, generation) },
	{ MAP_CIDRS, sizeof(struct cidr_key), offsetof(struct cidr_key, generation) },
	{ MAP_OVERRIDES, sizeof(struct cidr_key), offsetof(struct cidr_key, generation) },
	{ MAP_SYN_PORTS, sizeof(struct syn_port_key), offsetof(struct syn_port_key, generation) },
	{ MAP_GATEWAYS, sizeof(struct listener_key), offsetof(struct listener_key, generation) },
	{ MAP_STEERS, sizeof(struct steer_key), offsetof(struct steer_key, generation) },
	{ MAP_CAPTURE_NETS, sizeof(struct capture_net_key), offsetof(struct capture_net_key, generation) },
	{ MAP_CAPTURES, sizeof(struct capture_key), offsetof(struct capture_key, generation) },
};

/*
 * The keys of other generations than `keep`, one after the other in *ret. Deleting while walking would start the walk
 * anew.
 */
static int keys_not_of(int fd, const struct keyed_map *map, uint32_t keep, char **ret, size_t *ret_n)
{
	_cleanup_free_ char *keys = NULL;
	char key[sizeof(struct path_key)];
	size_t n = 0, room = 0;
	uint32_t generation;
	int r;

	for (r = bpf_map_get_next_key(fd, NULL, key); r == 0; r = bpf_map_get_next_key(fd, key, key)) {
		memcpy(&generation, key + map->generation, sizeof(generation));
		if (generation == keep)
			continue;
		if (n == room) {
			char *more = reallocarray(keys, room = room ? 2 * room : 64, map->key_size);

			if (!more)
				return -ENOMEM;
			keys = more;
		}
		memcpy(keys + n++ * map->key_size, key, map->key_size);
	}
	if (r != -ENOENT)
		return r;
	*ret = TAKE_PTR(keys);
	*ret_n = n;
	return 0;
}

static int purge_all_but(const struct maps *maps, uint32_t keep)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed_maps); i++) {
		const struct keyed_map *map = &keyed_maps[i];
		_cleanup_free_ char *keys = NULL;
		size_t n = 0;
		int r;

		r = keys_not_of(maps->fd[map->id], map, keep, &keys, &n);
		if (r < 0)
			return r;
		for (size_t k = 0; k < n; k++) {
			r = bpf_map_delete_elem(maps->fd[map->id], keys + k * map->key_size);
			if (r < 0 && r != -ENOENT)
				return r;
		}
	}
	return 0;
}

/* A full map is -ENOSPC from an LPM trie and -E2BIG from a hash. */
static int insert(int fd, const void *key, const void *value, __u64 flags)
{
	int r;

	r = bpf_map_update_elem(fd, key, value, flags);
	return r == -ENOSPC ? -E2BIG : r;
}

static int write_cidrs(int fd, const struct cidr *cidrs, size_t n, enum cidr_list list, uint32_t generation)
{
	struct cidr_key key;
	__u32 value = 1;
	int r;

	for (size_t i = 0; i < n; i++) {
		cidr_key_of(&cidrs[i], list, generation, &key);
		/* A network named twice says the same twice; so does a path. */
		r = insert(fd, &key, &value, BPF_ANY);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The rules of listener `i`, under its own number: the others of its set use them. */
static int write_rules(int fd, const struct config *config, size_t i, uint32_t generation,
		       const struct numbers *numbers)
{
	_cleanup_free_ struct path_entry *entries = NULL;
	struct path_key keys[2];
	size_t n = 0;
	int n_keys, r;

	r = rules_of(config, i, &entries, &n);
	for (size_t k = 0; r == 0 && k < n; k++) {
		entries[k].rule.prefix = numbers->prefixes[entries[k].rule.prefix];
		n_keys = path_keys_of(entries[k].path, i, generation, keys);
		if (n_keys < 0)
			return n_keys;
		while (r == 0 && n_keys-- > 0)
			r = insert(fd, &keys[n_keys], &entries[k].rule, BPF_ANY);
	}
	return r;
}

/* The clients that a listener trusts with its fast path; with others the list is not asked. */
static int write_fast_peers(int fd, const struct listener_config *listener, size_t i, uint32_t generation)
{
	return write_cidrs(fd, listener->fast_peers, listener->n_fast_peers, CIDR_FAST_PEERS + i, generation);
}

static int write_listeners(const struct maps *maps, const struct config *config, uint32_t generation,
			   const struct numbers *numbers)
{
	struct listener_key key;
	struct listener value;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_listeners; i++) {
		if (config->listeners[i].mode == LISTENER_CAPTURE)
			continue;
		r = listener_of(config, i, generation, &key, &value);
		if (config->listeners[i].fast_path == FAST_PATH_AUTO && !maps->control->fast_proven)
			value.flags &= ~LISTENER_FAST;
		value.name = numbers->listeners[i];
		if (r == 0)
			r = insert(maps->fd[MAP_LISTENERS], &key, &value, BPF_NOEXIST);
		if (r == 0 && value.rules == i)
			r = write_rules(maps->fd[MAP_PATHS], config, i, generation, numbers);
		if (r == 0)
			r = write_fast_peers(maps->fd[MAP_CIDRS], &config->listeners[i], i, generation);
	}
	return r;
}

static int write_hosts(int fd, const struct config *config, uint32_t generation, const struct numbers *numbers)
{
	struct host_key key;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->metrics.n_hosts; i++) {
		__u32 number = numbers->hosts[i];

		r = host_key_of(config->metrics.hosts[i], generation, &key);
		if (r == 0)
			r = insert(fd, &key, &number, BPF_ANY);
	}
	return r;
}

/* Slots without a limit are never asked for: no rule has their bit. */
static int write_limits(int fd, const struct config *config, uint32_t generation)
{
	struct limit limit;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_request_limits; i++) {
		__u32 at = (generation & 1) * MPBPF_LIMITS_MAX + i;

		limit_of(config, i, generation, &limit);
		r = bpf_map_update_elem(fd, &at, &limit, BPF_ANY);
	}
	return r;
}

static int write_protocol_rules(int fd, const struct config *config, uint32_t generation, const struct numbers *numbers)
{
	struct protocol_rule rule;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_protocol_rules; i++) {
		__u32 at = (generation & 1) * MPBPF_PROTOCOL_RULES + i;

		protocol_rule_of(config, i, generation, &rule);
		rule.number = numbers->rules[i];
		r = bpf_map_update_elem(fd, &at, &rule, BPF_ANY);
	}
	return r;
}

static int write_headers(int fd, const struct config *config, uint32_t generation)
{
	struct header_block block;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_listeners; i++) {
		__u32 place = headers_place(config, i), at;

		if (!place)
			continue;
		at = (generation & 1) * MPBPF_HEADERS_MAX + place - 1;
		r = header_block_of(config, i, generation, &block);
		if (r == 0)
			r = bpf_map_update_elem(fd, &at, &block, BPF_ANY);
	}
	return r;
}

/* What XDP goes by, but for names. */
static int write_l4(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old)
{
	const struct ddos_config *ddos = &config->ddos;
	int r;

	r = write_cidrs(maps->fd[MAP_CIDRS], ddos->deny, ddos->n_deny, CIDR_DENY, generation);
	if (r < 0)
		return r;
	r = write_cidrs(maps->fd[MAP_CIDRS], ddos->allow, ddos->n_allow, CIDR_ALLOW, generation);
	if (r < 0)
		return r;
	r = rates_publish(maps, config, generation, old);
	if (r < 0)
		return r;
	return policy_syn_write(maps->fd[MAP_SYN_PORTS], config, generation);
}

static int write_generation(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old)
{
	__u32 slot = generation & 1;
	_cleanup_free_ struct numbers *numbers = malloc(sizeof(*numbers));
	struct policy policy;
	int r;

	if (!numbers)
		return -ENOMEM;
	r = write_l4(maps, config, generation, old);
	if (r < 0)
		return r;
	r = write_limits(maps->fd[MAP_LIMITS], config, generation);
	if (r < 0)
		return r;
	r = write_headers(maps->fd[MAP_HEADERS], config, generation);
	if (r < 0)
		return r;
	r = steer_publish(maps, config, generation);
	if (r < 0)
		return r;
	r = capture_publish(maps, config, generation);
	if (r < 0)
		return r;
	r = names_publish(maps, config, generation, old, numbers);
	if (r < 0)
		return r;
	r = write_hosts(maps->fd[MAP_HOSTS], config, generation, numbers);
	if (r < 0)
		return r;
	r = write_listeners(maps, config, generation, numbers);
	if (r < 0)
		return r;
	r = write_protocol_rules(maps->fd[MAP_PROTOCOL_RULES], config, generation, numbers);
	if (r < 0)
		return r;
	policy_of(config, generation, &policy);
	lease_of(policy.packets, libbpf_num_possible_cpus(), &policy);
	policy.jiffy_ns = clock_jiffy_ns();
	policy.event_jiffies = (NSEC_PER_SEC + policy.jiffy_ns / 2) / policy.jiffy_ns;
	return bpf_map_update_elem(maps->fd[MAP_POLICIES], &slot, &policy, BPF_ANY);
}

/*
 * The digest is cleared before the generation is raised and written behind it: whoever has read the new generation never finds the
 * old digest (policy_generation()). Killed in between, the next agent finds that it differs and publishes again.
 */
static void switch_over(struct control *control, uint32_t generation, const struct config *config,
			const char path[static sizeof(control->config_path)])
{
	uint32_t fast = 0;

	for (size_t i = 0; i < config->n_listeners; i++)
		fast += listener_is_fast(&config->listeners[i]) &&
			(control->fast_proven || config->listeners[i].fast_path == FAST_PATH_ON);
	memset(control->digest, 0, sizeof(control->digest));
	__atomic_store_n(&control->generation, generation, __ATOMIC_SEQ_CST);
	__atomic_store_n(&control->fast_listeners, fast, __ATOMIC_RELAXED);
	memcpy(control->config_path, path, sizeof(control->config_path));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(control->digest, config->digest, sizeof(control->digest));
}

int policy_publish(const struct maps *maps, const struct config *config, const char *path)
{
	struct control *control = maps->control;
	uint32_t old = control->generation, new = generation_next(old);
	/* A copy, for the caller's may be control->config_path itself. */
	char origin[sizeof(control->config_path)] = "";
	int r;

	_Static_assert(sizeof(control->digest) == sizeof(config->digest), "one digest");
	if (path && strlen(path) >= sizeof(origin))
		return -ENAMETOOLONG;
	strcpy(origin, path ?: "");

	/* What a publisher killed midway left, be it of the generation before or of one that never came in force. */
	grace_wait();
	r = purge_all_but(maps, old);
	if (r < 0)
		return r;
	r = write_generation(maps, config, new, old);
	if (r < 0) {
		purge_all_but(maps, old);
		return r;
	}
	switch_over(control, new, config, origin);

	/* The switch is done: keys that cannot be deleted now are deleted by the next publish. */
	grace_wait();
	purge_all_but(maps, new);
	return 0;
}

uint32_t policy_generation(const struct maps *maps, const struct config *config)
{
	const struct control *control = maps->control;
	uint32_t generation = __atomic_load_n(&control->generation, __ATOMIC_ACQUIRE);

	return memcmp(control->digest, config->digest, sizeof(control->digest)) ? 0 : generation;
}

bool policy_in_force(const struct maps *maps, const struct config *config, const char *path)
{
	const struct control *control = maps->control;

	return control->generation && !memcmp(control->digest, config->digest, sizeof(control->digest)) &&
	       !strncmp(control->config_path, path ?: "", sizeof(control->config_path));
}

static int max_entries(int fd, uint32_t *ret)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int r;

	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r < 0)
		return r;
	*ret = info.max_entries;
	return 0;
}

int policy_fixed_differ(const struct maps *maps, const struct config *config, struct policy_fixed *ret)
{
	uint32_t sources, quotas, verdicts, flows;
	int r;

	r = max_entries(maps->fd[MAP_SOURCES], &sources);
	if (r < 0)
		return r;
	r = max_entries(maps->fd[MAP_QUOTAS], &quotas);
	if (r < 0)
		return r;
	r = max_entries(maps->fd[MAP_VERDICTS], &verdicts);
	if (r < 0)
		return r;
	r = max_entries(maps->fd[MAP_FLOWS], &flows);
	if (r < 0)
		return r;
	ret->max_sources = sources != MPBPF_SOURCE_SETS(config->rate_limit.max_sources);
	ret->max_quotas = quotas != config->rate_limit.max_quotas;
	ret->max_verdicts = verdicts != config->max_verdicts;
	ret->max_flows = flows != config->classify.max_flows;
	return 0;
}

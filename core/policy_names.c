// SPDX-License-Identifier: MIT
/* Floor 3: numbers of listeners, path prefixes and hosts under which the kernel counts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/policy_names.h"
#include "core/util.h"

static void name_set(struct name *name, const char *text, uint32_t generation)
{
	*name = (struct name){ .generation = generation };
	strncpy(name->text, text, sizeof(name->text) - 1);
}

int names_take(struct name *names, size_t from, size_t to, const char *text, uint32_t generation, uint32_t old,
	       bool *ret_reused)
{
	size_t free_at = 0, stale_at = 0, at;

	*ret_reused = false;
	for (size_t i = from; i < to; i++) {
		if (names[i].generation && !strcmp(names[i].text, text)) {
			names[i].generation = generation;
			return i;
		}
		if (!names[i].generation && !free_at)
			free_at = i;
		else if (names[i].generation != generation && names[i].generation != old && !stale_at)
			stale_at = i;
	}
	at = free_at ?: stale_at;
	if (!at)
		return -E2BIG;
	*ret_reused = !free_at;
	name_set(&names[at], text, generation);
	return at;
}

static int name_write(const struct maps *maps, const struct name *names, __u32 at)
{
	return bpf_map_update_elem(maps->fd[MAP_NAMES], &at, &names[at], BPF_ANY);
}

static int rule_counts_reset(const struct maps *maps, __u32 at)
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct rule_count *zeros = n_cpus > 0 ? calloc(n_cpus, sizeof(*zeros)) : NULL;

	if (n_cpus < 0)
		return n_cpus;
	return zeros ? bpf_map_update_elem(maps->fd[MAP_RULE_COUNTS], &at, zeros, BPF_ANY) : -ENOMEM;
}

/* Deleting while walking begins the walk anew, so what is kept may come again; what is deleted does not. */
static int counters_delete(const struct maps *maps, int number)
{
	struct metric_key key, next;
	int fd = maps->fd[MAP_METRICS], r;

	for (r = bpf_map_get_next_key(fd, NULL, &key); r == 0; key = next) {
		r = bpf_map_get_next_key(fd, &key, &next);
		if (key.listener == number || key.prefix == number || MPBPF_PROTOCOL_NAMES + key.host == number)
			bpf_map_delete_elem(fd, &key);
	}
	return r == -ENOENT ? 0 : r;
}

static int take(const struct maps *maps, struct name *names, size_t from, size_t to, const char *text,
		uint32_t generation, uint32_t old)
{
	bool reused;
	int number, r = 0;

	number = names_take(names, from, to, text, generation, old, &reused);
	if (number < 0)
		return number;
	if (reused && number >= MPBPF_LISTENER_NAMES && number < MPBPF_PROTOCOL_NAMES)
		r = rule_counts_reset(maps, number - MPBPF_LISTENER_NAMES);
	else if (reused)
		r = counters_delete(maps, number);
	if (r == 0)
		r = name_write(maps, names, number);
	return r < 0 ? r : number;
}

int names_read(const struct maps *maps, struct name **ret)
{
	_cleanup_free_ struct name *names = calloc(MPBPF_NAMES_MAX, sizeof(*names));
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (__u32 i = 0; r == 0 && i < MPBPF_NAMES_MAX; i++) {
		r = bpf_map_lookup_elem(maps->fd[MAP_NAMES], &i, &names[i]);
		names[i].text[sizeof(names[i].text) - 1] = '\0';
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(names);
	return 0;
}

int names_publish(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old,
		  struct numbers *ret)
{
	_cleanup_free_ struct name *names = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = names_read(maps, &names);
	for (size_t i = 0; r >= 0 && i < config->metrics.n_prefixes; i++) {
		r = take(maps, names, 1, MPBPF_PREFIX_NAMES, config->metrics.prefixes[i], generation, old);
		if (r >= 0)
			ret->prefixes[1 + i] = r;
	}
	for (size_t i = 0; r >= 0 && i < config->n_listeners; i++) {
		r = take(maps, names, MPBPF_PREFIX_NAMES, MPBPF_LISTENER_NAMES, config->listeners[i].name, generation,
			 old);
		if (r >= 0)
			ret->listeners[i] = r;
	}
	for (size_t i = 0; r >= 0 && i < config->n_protocol_rules; i++) {
		r = take(maps, names, MPBPF_LISTENER_NAMES, MPBPF_PROTOCOL_NAMES, config->protocol_rules[i].name,
			 generation, old);
		if (r >= 0)
			ret->rules[i] = r - MPBPF_LISTENER_NAMES;
	}
	for (size_t i = 0; r >= 0 && i < config->metrics.n_hosts; i++) {
		r = take(maps, names, MPBPF_PROTOCOL_NAMES + 1, MPBPF_NAMES_MAX, config->metrics.hosts[i], generation,
			 old);
		if (r >= 0)
			ret->hosts[i] = r - MPBPF_PROTOCOL_NAMES;
	}
	return r < 0 ? r : 0;
}

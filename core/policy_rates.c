// SPDX-License-Identifier: MIT
/* Floor 3: writes the limits of packets and bytes per source into their maps. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "core/policy_names.h"
#include "core/policy_rates.h"
#include "core/util.h"

#define FIRST_CLASS 1
#define FIRST_OVERRIDE (1 + MPBPF_CLASSES_MAX)
#define ROOM_MAX (1ULL << 61) /* ticks, a year; twice that fits into a word */

void rates_of(const struct config *config, struct policy *policy)
{
	const struct rate_limit_config *limit = &config->rate_limit;
	bool bytes = limit->rate.bytes;

	if (!limit->enabled)
		return;
	if (limit->algorithm == RATE_ALGORITHM_TOKEN_BUCKET)
		policy->rate_flags |= RATE_BUCKET;
	if (bytes)
		policy->rate_flags |= RATE_BYTES;
	if (limit->n_overrides)
		policy->rate_flags |= RATE_OVERRIDES;
	if (limit->n_classes)
		policy->rate_flags |= RATE_CLASSES;
	for (size_t i = 0; i < limit->n_classes; i++)
		policy->rate_classes[limit->classes[i].protocol] |= 1U << i;
}

static struct measure measure_of(const struct rate_limit_config *limit, uint64_t amount, uint64_t burst)
{
	double ticks;

	if (!amount)
		return (struct measure){};
	if (limit->algorithm == RATE_ALGORITHM_WINDOW)
		return (struct measure){ .cost = 1 << MEASURE_SHIFT, .room = amount };
	ticks = (double)limit->window_ms * NSEC_PER_MSEC * BUCKET_TICKS / amount;
	if (ticks * burst >= ROOM_MAX)
		return (struct measure){ .cost = ticks * (1 << MEASURE_SHIFT), .room = ROOM_MAX };
	/* From the rounded cost: so a burst is whole. */
	ticks = (uint64_t)(ticks * (1 << MEASURE_SHIFT) + 0.5);
	return (struct measure){ .cost = ticks, .room = ticks * burst / (1 << MEASURE_SHIFT) + 1 };
}

static const struct rate_config *rate_of(const struct rate_limit_config *limit, size_t i)
{
	if (i == 0)
		return &limit->rate;
	if (i < FIRST_OVERRIDE)
		return i - FIRST_CLASS < limit->n_classes ? &limit->classes[i - FIRST_CLASS].rate : NULL;
	return i - FIRST_OVERRIDE < limit->n_overrides ? &limit->overrides[i - FIRST_OVERRIDE].rate : NULL;
}

void rate_rule_of(const struct config *config, size_t i, uint32_t generation, struct rate_rule *ret)
{
	const struct rate_limit_config *limit = &config->rate_limit;
	const struct rate_config *rate = rate_of(limit, i);

	*ret = (struct rate_rule){};
	if (!rate)
		return;
	*ret = (struct rate_rule){
		.packets = measure_of(limit, rate->packets, rate->burst),
		.bytes = measure_of(limit, rate->bytes, rate->burst_bytes),
		.generation = generation,
		.mode = rate->mode,
	};
	if (i >= FIRST_CLASS && i < FIRST_OVERRIDE)
		ret->port = htons(limit->classes[i - FIRST_CLASS].port);
}

void override_key_of(const struct config *config, size_t i, uint32_t generation, struct cidr_key *ret)
{
	const struct cidr *cidr = &config->rate_limit.overrides[i].cidr;

	*ret = (struct cidr_key){
		.prefixlen =
			8 * (offsetof(struct cidr_key, addr) - offsetof(struct cidr_key, generation)) + cidr->prefix,
		.generation = generation,
		.list = cidr->prefix >= 96 && cidr_is_v4(&cidr->addr) ? 4 : 6,
		.addr = cidr->addr,
	};
}

/* ---- names ---- */

static int names_load(const struct maps *maps, struct name **ret)
{
	struct name *names = calloc(MPBPF_RULE_NAMES, sizeof(*names));
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (__u32 i = 0; r == 0 && i < MPBPF_RULE_NAMES; i++)
		r = bpf_map_lookup_elem(maps->fd[MAP_RULE_NAMES], &i, &names[i]);
	if (r < 0)
		free(names);
	else
		*ret = names;
	return r;
}

static int counters_clear(const struct maps *maps, __u32 name)
{
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct rule_stats *zero = n > 0 ? calloc(n, sizeof(*zero)) : NULL;

	if (!zero)
		return -ENOMEM;
	return bpf_map_update_elem(maps->fd[MAP_RULE_STATS], &name, zero, BPF_ANY);
}

/* The number of a name, which is written before any rule bears it. */
static int name_take(const struct maps *maps, struct name *names, const char *text, uint32_t generation, uint32_t old)
{
	bool reused;
	int number, r = 0;

	number = names_take(names, 1, MPBPF_RULE_NAMES, text, generation, old, &reused);
	if (number < 0)
		return number;
	if (reused)
		r = counters_clear(maps, number);
	if (r == 0)
		r = bpf_map_update_elem(maps->fd[MAP_RULE_NAMES], &number, &names[number], BPF_ANY);
	return r < 0 ? r : number;
}

static const char *name_of(const struct rate_limit_config *limit, size_t i)
{
	return i < FIRST_OVERRIDE ? limit->classes[i - FIRST_CLASS].name : limit->overrides[i - FIRST_OVERRIDE].name;
}

static int rule_publish(const struct maps *maps, const struct config *config, size_t i, struct name *names,
			uint32_t generation, uint32_t old)
{
	__u32 at = (generation & 1) * MPBPF_RULES_MAX + i;
	struct rate_rule rule;
	int number = 0;

	rate_rule_of(config, i, generation, &rule);
	if (!rule.generation)
		return 0;
	if (i)
		number = name_take(maps, names, name_of(&config->rate_limit, i), generation, old);
	if (number < 0)
		return number;
	rule.name = number;
	return bpf_map_update_elem(maps->fd[MAP_RULES], &at, &rule, BPF_ANY);
}

int rates_publish(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old)
{
	const struct rate_limit_config *limit = &config->rate_limit;
	_cleanup_free_ struct name *names = NULL;
	struct cidr_key key;
	int r = 0;

	/* The names cost thousands of calls: only where there are some. Those of before stay, for their counts are kept. */
	if (limit->n_classes || limit->n_overrides)
		r = names_load(maps, &names);
	for (size_t i = 0; r == 0 && i < FIRST_OVERRIDE + limit->n_overrides; i++)
		r = rule_publish(maps, config, i, names, generation, old);
	for (size_t i = 0; r == 0 && i < limit->n_overrides; i++) {
		__u32 rule = FIRST_OVERRIDE + i;

		override_key_of(config, i, generation, &key);
		r = bpf_map_update_elem(maps->fd[MAP_OVERRIDES], &key, &rule, BPF_ANY);
	}
	return r == -ENOSPC ? -E2BIG : r;
}

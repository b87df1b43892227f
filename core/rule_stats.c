// SPDX-License-Identifier: MIT
/* Floor 3: reads the counters of rate limits and gives them their names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>

#include "core/rule_stats.h"
#include "core/util.h"

int rule_name(const struct maps *maps, __u32 number, struct name *ret)
{
	struct name name = { .generation = maps->control->generation, .text = "default" };
	int r = 0;

	if (number)
		r = bpf_map_lookup_elem(maps->fd[MAP_RULE_NAMES], &number, &name);
	name.text[sizeof(name.text) - 1] = '\0';
	if (r == 0)
		*ret = name;
	return r;
}

static int read_one(const struct maps *maps, __u32 number, struct rule_stats *cpus, int n, struct rule_stats *ret)
{
	int r;

	r = bpf_map_lookup_elem(maps->fd[MAP_RULE_STATS], &number, cpus);
	*ret = (struct rule_stats){};
	for (int i = 0; r == 0 && i < n; i++) {
		ret->dropped += cpus[i].dropped;
		ret->would_drop += cpus[i].would_drop;
	}
	return r;
}

static int add_one(cJSON *limits, const char *name, const struct rule_stats *stats)
{
	cJSON *one = cJSON_AddObjectToObject(limits, name);

	if (!one || !cJSON_AddNumberToObject(one, "dropped", stats->dropped) ||
	    !cJSON_AddNumberToObject(one, "would_drop", stats->would_drop))
		return -ENOMEM;
	return 0;
}

int rule_stats_json(const struct maps *maps, cJSON *json)
{
	cJSON *limits = cJSON_AddObjectToObject(cJSON_GetObjectItemCaseSensitive(json, "xdp"), "limits");
	int n = libbpf_num_possible_cpus(), r = 0;
	_cleanup_free_ struct rule_stats *cpus = n > 0 ? calloc(n, sizeof(*cpus)) : NULL;
	struct rule_stats stats;
	struct name name;

	if (!limits || !cpus)
		return -ENOMEM;
	/* Numbers are given from 1 on: behind the first that never was, there is none. */
	for (__u32 i = 0; r == 0 && i < MPBPF_RULE_NAMES; i++) {
		r = rule_name(maps, i, &name);
		if (r == 0 && !name.generation && i)
			break;
		if (r < 0 || (i && name.generation != maps->control->generation))
			continue;
		r = read_one(maps, i, cpus, n, &stats);
		if (r == 0)
			r = add_one(limits, name.text, &stats);
	}
	return r;
}

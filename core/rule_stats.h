/* SPDX-License-Identifier: MIT */
/* Floor 3: what each rate limit has dropped, by its name. */
#ifndef MPBPF_CORE_RULE_STATS_H
#define MPBPF_CORE_RULE_STATS_H

#include <stdbool.h>

#include "core/maps.h"

struct cJSON;

/*
 * rule_stats_json - adds "limits" to json's "xdp": an object for each limit of the policy in force, and for the default
 *
 * Counts are summed over the CPUs. Returns 0, -ENOMEM or -errno.
 */
int rule_stats_json(const struct maps *maps, struct cJSON *json);

/* The name of rule number `number`, "default" for 0; empty: none has it. 0 or -errno. */
int rule_name(const struct maps *maps, __u32 number, struct name *ret);

#endif

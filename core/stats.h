/* SPDX-License-Identifier: MIT */
/* Floor 3: what a data path has counted since its load, summed over all CPUs, and as JSON. */
#ifndef MPBPF_CORE_STATS_H
#define MPBPF_CORE_STATS_H

#include "core/maps.h"

struct cJSON;

struct stats {
	struct xdp_stats xdp;
	struct request_stats requests;
	uint64_t sources; /* that have an entry in the map of that name */
	uint64_t verdicts;
	uint64_t flows;
	size_t n_rules;
	struct protocol_stats {
		char name[MPBPF_PATH_KEY];
		struct rule_count count;
	} rules[MPBPF_PROTOCOL_RULES]; /* of the policy in force */
	int64_t conns_open;
	uint64_t unclosed;  /* connections that should have been closed and could not be */
	uint64_t unguarded; /* struct runtime_facts; left 0 by stats_read() */
};

/* Sums; the counters are read one after the other while they go on counting. 0 or -errno. */
int stats_read(const struct maps *maps, struct stats *ret);
/* The object that `mpbpf stats --json` prints; to be freed with cJSON_Delete(). NULL: out of memory. */
struct cJSON *stats_json(const struct stats *stats);

#endif

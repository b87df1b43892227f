/* SPDX-License-Identifier: MIT */
/* Floor 3: numbers of listeners, path prefixes and hosts under which the kernel counts. A name keeps its number over reloads. */
#ifndef MPBPF_CORE_POLICY_NAMES_H
#define MPBPF_CORE_POLICY_NAMES_H

#include "core/config.h"
#include "core/maps.h"

struct numbers {
	uint16_t listeners[MPBPF_LISTENERS_MAX];    /* of the configuration's listeners, in their order */
	uint8_t prefixes[1 + METRICS_PREFIXES_MAX]; /* of metrics.prefixes, from [1] on; [0] is 0 */
	uint8_t rules[MPBPF_PROTOCOL_RULES];	    /* of protocol_rules, from MPBPF_LISTENER_NAMES on */
	uint8_t hosts[MPBPF_HOSTS_MAX];		    /* of metrics.hosts, from MPBPF_PROTOCOL_NAMES on */
};

/*
 * names_take - gives `text` a number among names[from..to)
 *
 * The one that it has; else one that is free, or whose name neither `generation` nor the one in force (old) has: then
 * *ret_reused is set, for there are counters under it. Marks it with `generation`. Returns the number, or -E2BIG.
 */
int names_take(struct name *names, size_t from, size_t to, const char *text, uint32_t generation, uint32_t old,
	       bool *ret_reused);

/*
 * names_publish - numbers for every name of a configuration, written to the map `names` under `generation`
 *
 * Counters of a number that changes hands are deleted. Returns 0, -E2BIG or -errno.
 */
int names_publish(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old,
		  struct numbers *ret);

/* All of `names`, MPBPF_NAMES_MAX elements; to be freed. 0 or -errno. */
int names_read(const struct maps *maps, struct name **ret);

#endif

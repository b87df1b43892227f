/* SPDX-License-Identifier: MIT */
/* Floor 3: what holds for which paths of a listener: exemptions, licensed features and request limits, as one set of rules. */
#ifndef MPBPF_CORE_POLICY_RULES_H
#define MPBPF_CORE_POLICY_RULES_H

#include "core/config.h"

struct path_entry {
	const char *path; /* the configuration's; canonical, no trailing '/' but for "/" itself */
	struct path_rule rule;
};

/* Bits of the request limits that concern listener `i` at all, whatever the path. */
uint64_t rules_limits(const struct config *config, size_t i);

/*
 * The set of rules of listener `i`: the number of the first listener that has the same. Rules are written once for each set.
 */
uint16_t rules_set_of(const struct config *config, size_t i);

/*
 * rules_of - every path that has a rule at listener `i`, each once, with all that holds there
 *
 * Each entry says what shorter ones say as well, for the kernel finds the longest only. Returns 0 with *ret to be freed, or
 * -ENOMEM.
 */
int rules_of(const struct config *config, size_t i, struct path_entry **ret, size_t *ret_n);

/* What holds for a path of listener `i` that has no entry: the bits of its limits without a prefix. */
uint64_t rules_default_limits(const struct config *config, size_t i);

/* PATH_UNLICENSED or PATH_UNLICENSED_DRY: the path needs a feature that the licence lacks. 0: it does not, or there is no licence. */
uint32_t rules_unlicensed(const struct license_config *license, const char *path);

/*
 * Under which of metrics.prefixes a path is measured: 1 + its index, of the longest that covers it, or 0. In rules_of() too:
 * whoever publishes the rules puts the number in `names` in its place.
 */
uint8_t rules_prefix(const struct metrics_config *metrics, const char *path);

#endif

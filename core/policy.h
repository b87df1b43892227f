/* SPDX-License-Identifier: MIT */
/* Floor 3: puts a configuration in force, at once and for all programs. */
#ifndef MPBPF_CORE_POLICY_H
#define MPBPF_CORE_POLICY_H

#include <stdbool.h>

#include "core/config.h"
#include "core/maps.h"

/*
 * policy_publish - writes the next generation beside the one in force, switches with one store, then, once no program
 * can still read the old one, deletes its keys
 * path: absolute, where the configuration came from, below 256 bytes; NULL: built-in defaults
 *
 * The caller sees to it that there is one publisher at a time.
 *
 * Returns 0; -ENAMETOOLONG: path; -E2BIG: a map is full; -EEXIST: two listeners with one address and port; -errno. On
 * failure the policy in force is untouched and no key of the new one is left.
 */
int policy_publish(const struct maps *maps, const struct config *config, const char *path);

/* The generation in force, if it is that of this configuration; 0: it is another's. */
uint32_t policy_generation(const struct maps *maps, const struct config *config);

/* Is this configuration, from this path, already the one in force? */
bool policy_in_force(const struct maps *maps, const struct config *config, const char *path);

/* Settings that only a new load changes: does `config` ask for others than the maps were made with? */
struct policy_fixed {
	bool max_sources;
	bool max_quotas;
	bool max_verdicts;
	bool max_flows;
};

int policy_fixed_differ(const struct maps *maps, const struct config *config, struct policy_fixed *ret);

#endif

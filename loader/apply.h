/* SPDX-License-Identifier: MIT */
/* Floor 5: a configuration put in force on a loaded data path, by the agent or, without one, by `mpbpf reload`. */
#ifndef MPBPF_LOADER_APPLY_H
#define MPBPF_LOADER_APPLY_H

#include "core/config.h"
#include "core/maps.h"

/* What came of it, in words. */
struct apply_report {
	char text[512]; /* on failure why; else what takes a new load, or "" */
};

/*
 * apply_config - checks that this data path can carry `config`, publishes it, and sets the clock's offset right
 * path: absolute, NULL: built-in defaults
 *
 * Returns 0; -EOPNOTSUPP: listeners, but the L7 programs are not loaded; -errno of policy_publish().
 */
int apply_config(const char *pin_root, const struct maps *maps, const struct config *config, const char *path,
		 struct apply_report *ret);

#endif

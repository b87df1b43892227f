/* SPDX-License-Identifier: MIT */
/* Floor 5: taking a pinned tree down, published or staged. */
#ifndef MPBPF_LOADER_UNLOAD_H
#define MPBPF_LOADER_UNLOAD_H

#include <stdint.h>
#include <sys/types.h>

struct runtime;

/*
 * unload_tree - detaches and unpins what is below `root`; closes the guarded connections that remain
 * drain_ms: how long to wait for requests under way; runtime: stops its agent after that wait; NULL: there is none
 *
 * Returns 0 also when there is nothing, or -errno after logging.
 */
int unload_tree(const char *root, unsigned int drain_ms, const struct runtime *runtime);
/* Ends the agent and waits for its end. 0 also when there is none; -errno after logging. */
int unload_agent(const struct runtime *runtime);
/* Detaches and unpins one link. 0, -ENOENT, -errno. */
int unload_link(const char *path);

#endif

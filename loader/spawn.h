/* SPDX-License-Identifier: MIT */
/* Floor 5: starting mpbpfd. */
#ifndef MPBPF_LOADER_SPAWN_H
#define MPBPF_LOADER_SPAWN_H

#include <sys/types.h>

#include "core/runtime.h"
#include "loader/datapath.h"

/*
 * spawn_agent - starts mpbpfd detached and waits until it serves
 *
 * Found beside this executable, else in PATH. Its output goes to the log file of the runtime directory.
 *
 * Returns 0 with its pid; -errno after logging, with the last line that it wrote; then it runs no more.
 */
int spawn_agent(const struct load_request *request, const struct runtime *runtime, pid_t *ret_pid);

/* Becomes mpbpfd, which then loads by itself. Returns only on failure: -errno after logging. */
int exec_agent(const struct load_request *request);

#endif

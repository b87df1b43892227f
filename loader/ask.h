/* SPDX-License-Identifier: MIT */
/* Floor 5: asking a running mpbpfd over its control socket: one line of JSON each way. */
#ifndef MPBPF_LOADER_ASK_H
#define MPBPF_LOADER_ASK_H

#include "core/runtime.h"

struct cJSON;

/*
 * ask_reload - tells the agent to load the configuration at `path` (absolute), and logs what it says to that
 *
 * Returns 0 with the exit code for the command in *ret_exit; -errno, nothing logged, when it does not answer.
 */
int ask_reload(const struct runtime *runtime, const char *path, int *ret_exit);

/*
 * ask_stats - what the agent itself has counted: objects that belong into those of `mpbpf stats --json`, or none
 *
 * Waits a second for an agent that is busy. Returns 0 and an object to be freed with cJSON_Delete(); -errno, nothing logged.
 */
int ask_stats(const struct runtime *runtime, struct cJSON **ret);

#endif

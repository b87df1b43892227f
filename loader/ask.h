/* SPDX-License-Identifier: MIT */
/* Floor 5: asking a running mpbpfd over its control socket: one line of JSON each way. */
#ifndef MPBPF_LOADER_ASK_H
#define MPBPF_LOADER_ASK_H

#include "core/runtime.h"

/*
 * ask_reload - tells the agent to load the configuration at `path` (absolute), and logs what it says to that
 *
 * Returns 0 with the exit code for the command in *ret_exit; -errno, nothing logged, when it does not answer.
 */
int ask_reload(const struct runtime *runtime, const char *path, int *ret_exit);

#endif

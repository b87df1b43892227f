/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: taking guarded connections out of guard. A socket deleted from a sockhash loses what it has not read yet
 * and is stuck from then on, so guarded connections cannot be let go on: they are closed.
 */
#ifndef MPBPF_LOADER_RETIRE_H
#define MPBPF_LOADER_RETIRE_H

#include <stdint.h>

struct maps;

/* Waits until no guarded connection has a request under way, at most `timeout_ms`. Returns how many still have one. */
uint64_t retire_wait(const struct maps *maps, unsigned int timeout_ms);
/* Closes every guarded connection. Returns how many were open; *ret_left: those that could not be closed. */
uint64_t retire_close(const struct maps *maps, uint64_t *ret_left);

#endif

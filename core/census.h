/* SPDX-License-Identifier: MIT */
/* Floor 3: counts established connections on guarded ports that are not under guard. */
#ifndef MPBPF_CORE_CENSUS_H
#define MPBPF_CORE_CENSUS_H

#include <stdbool.h>

#include "core/config.h"
#include "core/maps.h"

/* Does a socket with this local address (IPv4 mapped) and port belong to listener `l`? */
bool listener_covers(const struct listener_config *l, const struct addr *local, uint16_t port);

/*
 * census_unguarded - established TCP sockets of this network namespace, and of processes in `cgroup` or below it,
 * that a listener covers and that `conns` does not know
 *
 * Taken right after the programs were attached, these are the connections that were open before. Where the kernel
 * does not tell a socket's cgroup (before 5.9), it counts as in. 0 or -errno.
 */
int census_unguarded(const struct maps *maps, const struct config *config, const char *cgroup, uint64_t *ret);

#endif

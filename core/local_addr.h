/* SPDX-License-Identifier: MIT */
/* Floor 3: is an address this host's own, in a network namespace? */
#ifndef MPBPF_CORE_LOCAL_ADDR_H
#define MPBPF_CORE_LOCAL_ADDR_H

#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

/* A socket for the call below, bound to the caller's network namespace for good. Returns 0 or -errno. */
int local_addr_open(int *ret_fd);

/*
 * local_addr_is - would what is sent to the address stay on this host? By its routes, of which all of 127.0.0.0/8 is one.
 * addr: IPv4 mapped
 *
 * Returns 1, 0, or -errno.
 */
int local_addr_is(int fd, const struct addr *addr);

#endif

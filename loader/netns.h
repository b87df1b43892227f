/* SPDX-License-Identifier: MIT */
/* Floor 5: doing something in the network namespace of a connection. */
#ifndef MPBPF_LOADER_NETNS_H
#define MPBPF_LOADER_NETNS_H

#include <stdint.h>

/* The cookie of the network namespace that this thread is in. 0 or -errno. */
int netns_cookie(uint64_t *ret);

/*
 * netns_call - calls `call` with `ret` in the network namespace with this cookie (SO_NETNS_COOKIE) and comes back
 *
 * The namespace is looked for among those that processes are in and those named below /run/netns.
 *
 * Returns what `call` returned; -ESRCH: there is no such namespace any more; -EACCES: or it is among those that this process may
 * not look at or enter; -errno.
 */
int netns_call(uint64_t cookie, int (*call)(int *ret), int *ret);

#endif

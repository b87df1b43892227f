/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: connections whose poll() announces bytes that were taken away, put right when nothing leaves them.
 *
 * A walk of all TCP connections of this network namespace runs iter_settle on each, under its lock. Any of their owners may hold
 * that lock for as long as it likes, so a thread of its own does it; it shares nothing with the helper but a counter. In other
 * network namespaces such a connection stays as it is until a segment leaves it.
 */
#ifndef MPBPF_AUTH_SETTLING_H
#define MPBPF_AUTH_SETTLING_H

#include <stdbool.h>

struct event_base;
struct settling;

/*
 * link_fd: of iter_settle; it is not kept. -1: the kernel has none, and *ret is NULL. No thread is made before `base` runs. Returns
 * 0 or -errno.
 */
int settling_open(int link_fd, struct event_base *base, struct settling **ret);
/*
 * settling_note - bytes were taken away from some connection within a call of its service
 *
 * soon: nothing else puts it right before the client sends more; else an answer will, unless it takes long. NULL is fine.
 */
void settling_note(struct settling *settling, bool soon);
/* NULL is fine. */
void settling_close(struct settling *settling);

#endif

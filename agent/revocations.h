/* SPDX-License-Identifier: MIT */
/* Floor 5: what the agent does for revocations beside judging by them. */
#ifndef MPBPF_AGENT_REVOCATIONS_H
#define MPBPF_AGENT_REVOCATIONS_H

#include "core/maps.h"

struct event_base;
struct revocations;

/*
 * revocations_open - holds every cached verdict against the revocations, for an agent that was killed may have left one that it
 * had no time to look at again; and deletes revocations that have ended, now and once a minute
 *
 * pin_root and maps must outlive it. Returns 0 or -errno.
 */
int revocations_open(struct event_base *base, const char *pin_root, const struct maps *maps, struct revocations **ret);
/* NULL is fine. */
void revocations_close(struct revocations *revocations);

#endif

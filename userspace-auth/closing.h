/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: connections that end: an answer with `Connection: close` is given, or nothing sensible can be said any more.
 *
 * The client gets some time to take the answer and to close by itself, for a reset would overtake bytes under way. Then the
 * socket is destroyed (SOCK_DESTROY), though another process owns it.
 */
#ifndef MPBPF_AUTH_CLOSING_H
#define MPBPF_AUTH_CLOSING_H

#include <stdint.h>
#include <sys/queue.h>

#include "core/maps.h"

struct closing_entry;
struct doors;
struct event;
struct event_base;

struct closing {
	const struct maps *maps;
	struct doors *doors; /* to the network namespaces of the connections */
	struct event *timer;
	TAILQ_HEAD(closing_list, closing_entry) list;
	struct closing_list again; /* those looked at before; each list in the order in which they are due */
	struct closing_list slow;  /* those whose clients take long to read */
};

/* Before all else; closing_close() is fine from then on. */
void closing_init(struct closing *closing);
/* porter: see doors_open(). What cannot be closed is counted in control.unclosed. */
int closing_open(struct closing *closing, const struct maps *maps, int porter, struct event_base *base);
void closing_close(struct closing *closing);
/* Sees to it that connection `cookie` is gone soon, but not while its client goes on reading; that may take a minute. */
void closing_add(struct closing *closing, uint64_t cookie);
/* Every connection that an earlier agent left behind: its bytes are gone with that agent. */
void closing_sweep(struct closing *closing, uint32_t helper_epoch);

#endif

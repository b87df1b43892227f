/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: connections that end: an answer with `Connection: close` is given, or nothing sensible can be said any more.
 *
 * The client gets some time to take the answer and to close by itself, for a reset would overtake bytes under way. Then the
 * socket is destroyed (SOCK_DESTROY), though another process owns it.
 */
#ifndef MPBPF_AUTH_CLOSING_H
#define MPBPF_AUTH_CLOSING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/maps.h"

struct event;
struct event_base;
struct closing_entry;

struct closing {
	const struct maps *maps;
	int diag;	/* inet_diag socket; -1: not permitted */
	uint64_t netns; /* cookie of the network namespace that `diag` sees; 0: not known */
	struct event *timer;
	TAILQ_HEAD(closing_list, closing_entry) list;
	struct closing_list again; /* those looked at before; each list in the order in which they are due */
	struct closing_list slow;  /* those whose clients take long to read */
};

/* Before all else; closing_close() is fine from then on. */
void closing_init(struct closing *closing);
int closing_open(struct closing *closing, const struct maps *maps, struct event_base *base);
void closing_close(struct closing *closing);
/* Whether a connection's socket is where `diag` can find it. */
bool closing_reaches(const struct closing *closing, const struct conn *conn);
/* Sees to it that connection `cookie` is gone soon, but not while its client goes on reading; that may take a minute. */
void closing_add(struct closing *closing, uint64_t cookie);
/* Every connection that an earlier agent left behind: its bytes are gone with that agent. */
void closing_sweep(struct closing *closing, uint32_t helper_epoch);

#endif

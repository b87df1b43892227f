/* SPDX-License-Identifier: MIT */
/* Floor 5: watches over the child process that tries features, whatever becomes of it. */
#ifndef MPBPF_LOADER_CHECK_WATCH_H
#define MPBPF_LOADER_CHECK_WATCH_H

#include <stdint.h>

#include "loader/check.h"

struct check_watch {
	uint32_t wanted; /* 1 << enum check_feature: what is to be tried */
	/* As soon as it is known of a feature what became of it; may be NULL. */
	void (*told)(const struct check_row *row, const struct check_result *result);

	struct check_result results[CHECK_MAX]; /* of those wanted */
	unsigned int next;			/* the first feature of which nothing is known */
	int pipe, signals;
	pid_t child;
	int64_t end; /* of the whole, ms */
};

/* SIGINT, SIGTERM, SIGHUP and SIGQUIT: the caller blocks them. */
void check_signals(sigset_t *ret);

/*
 * check_watch - chooses a cgroup for the child, starts it, collects what it tells, and removes what it left
 * c: c->context is set, the rest is empty
 *
 * Returns 0 when something is known of each feature that was wanted; -EINTR: one of the signals is pending, everything is
 * cleaned up; -errno: there is no child, or (-ECANCELED) it could not begin, c->detail says why.
 */
int check_watch(struct check_watch *w, struct check *c);

#endif

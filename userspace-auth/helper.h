/* SPDX-License-Identifier: MIT */
/* Floor 4: the helper: what the kernel does not decide, decided here by the same code, and handed back in order. */
#ifndef MPBPF_AUTH_HELPER_H
#define MPBPF_AUTH_HELPER_H

#include "core/config.h"
#include "core/maps.h"

struct event_base;
struct helper;

/* What the helper works with and does not own. */
struct helper_fds {
	int conn_update; /* the pinned program of that name */
	int iter_settle; /* the pinned link, or -1: the kernel has none; not used after helper_open() */
	int porter;	 /* opens the doors to other network namespaces, see userspace-auth/doors.h; or -1 */
};

/*
 * helper_open - starts to serve on `base`, as the next epoch of this data path; connections that an earlier agent held are closed
 *
 * maps and config must outlive the helper. Returns 0 or -errno.
 */
int helper_open(const struct maps *maps, const struct helper_fds *fds, struct event_base *base,
		const struct config *config, struct helper **ret);
/* After policy_publish(), in the same turn of the loop: judge by `config` from now on. */
void helper_set_config(struct helper *helper, const struct config *config);
/* Stops serving: the kernel answers 503 for what needs a helper. NULL is fine. */
void helper_close(struct helper *helper);

#endif

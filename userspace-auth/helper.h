/* SPDX-License-Identifier: MIT */
/* Floor 4: the helper: what the kernel does not decide, decided here by the same code, and handed back in order. */
#ifndef MPBPF_AUTH_HELPER_H
#define MPBPF_AUTH_HELPER_H

#include "core/config.h"
#include "core/maps.h"

struct event_base;
struct helper;

/*
 * helper_open - starts to serve on `base`, as the next epoch of this data path; connections that an earlier agent held are closed
 *
 * conn_update_fd: the pinned program of that name; iter_settle_fd: the pinned link, or -1: the kernel has none. maps and config
 * must outlive the helper. Returns 0 or -errno.
 */
int helper_open(const struct maps *maps, int conn_update_fd, int iter_settle_fd, struct event_base *base,
		const struct config *config, struct helper **ret);
/* After policy_publish(), in the same turn of the loop: judge by `config` from now on. */
void helper_set_config(struct helper *helper, const struct config *config);
/* Stops serving: the kernel answers 503 for what needs a helper. NULL is fine. */
void helper_close(struct helper *helper);

#endif

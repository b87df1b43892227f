/* SPDX-License-Identifier: MIT */
/* Floor 5: links of interfaces that went away, and new ones in their place. */
#ifndef MPBPF_LOADER_RELINK_H
#define MPBPF_LOADER_RELINK_H

#include <stdbool.h>

#include "loader/attach.h"

struct runtime;

/* Is the link pinned in PIN_ROOT/links under that name attached to an interface? One outlives its interface. */
bool relink_attached(const char *pin_root, const char *link);

/*
 * relink_xdp - attaches the pinned program to an interface whose link is attached to nothing, in the mode that it had, native
 * mode if it can be, and notes the mode where `mpbpf status` finds it
 *
 * The caller holds pins_links_lock(). Returns 0, or -errno after logging why; the old link stays pinned then.
 */
int relink_xdp(const char *pin_root, const struct runtime *runtime, const char *ifname, bool *ret_native);

#endif

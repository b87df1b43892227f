/* SPDX-License-Identifier: MIT */
/* Floor 5: interfaces on which XDP works, but would see more elsewhere. */
#ifndef MPBPF_LOADER_PLACEMENT_H
#define MPBPF_LOADER_PLACEMENT_H

/* Says so, if `ifname` is one. */
void placement_note(const char *ifname);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 5: attaching programs, each link pinned as soon as it is made. */
#ifndef MPBPF_LOADER_ATTACH_H
#define MPBPF_LOADER_ATTACH_H

#include <stdbool.h>

struct maps;
struct mpbpf;

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_SKB, XDP_MODE_MAX };

/* The words of the command line, by mode. */
extern const char *const xdp_mode_names[];
/* 0 or -EINVAL. */
int xdp_mode_parse(const char *text, enum xdp_mode *ret);
/* "native" or "skb". */
const char *xdp_mode_name(bool native);

/*
 * All functions return 0, or -errno after logging why; pin_root is the staging directory.
 */

/* Is the interface there and its XDP hook free? *ret: its index. */
int attach_xdp_check(const char *ifname, unsigned int *ret);
/* The link, as a file descriptor. */
int attach_xdp_link(int prog_fd, const char *ifname, enum xdp_mode mode, bool *ret_native);
/* The same, pinned. */
int attach_xdp(int prog_fd, const char *ifname, enum xdp_mode mode, const char *pin_root, bool *ret_native);
/*
 * Verdict programs on their maps, then gate and track on the cgroup: no connection is tracked before it can be
 * judged.
 */
int attach_l7(const struct mpbpf *object, const struct maps *maps, const char *cgroup, const char *pin_root);
/* Takes the verdict programs pinned in pin_root off their maps. Never fails: what is not attached is fine. */
void detach_verdicts(const struct maps *maps, const char *pin_root);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: the pin directory of one data path. It is staged beside its place and published by one rename, so that it
 * is there as a whole or not at all:
 *
 *	PINROOT/maps/NAME	every map of core/maps.h, and those of core/lists_maps.c
 *	PINROOT/progs/NAME	programs that no link holds, or that user space runs or attaches
 *	PINROOT/links/NAME	sockops_track, cgroup_gate, iter_settle, iter_listeners, sk_lookup_steer while something is
 *				steered, kprobe_tcp_ioctl and kretprobe_tcp_ioctl where they are needed, and xdp_IFNAME with
 *				the name escaped; capture_* with the hash of the path of each cgroup that is captured
 */
#ifndef MPBPF_CORE_PINS_H
#define MPBPF_CORE_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PIN_ROOT_DEFAULT "/sys/fs/bpf/mpbpf"
#define PIN_PATH_MAX PATH_MAX
#define PIN_XDP_PREFIX "xdp_"

/* PIN_ROOT/DIR/NAME; dir or name may be NULL. 0 or -ENAMETOOLONG. */
int pins_path(char ret[PIN_PATH_MAX], const char *pin_root, const char *dir, const char *name);
/* PIN_ROOT/links/xdp_IFNAME. */
int pins_xdp_path(char ret[PIN_PATH_MAX], const char *pin_root, const char *ifname);

/*
 * pins_prepare - makes sure that pin_root can be made: the directory above it exists and is on bpffs
 *
 * bpffs is mounted at /sys/fs/bpf when that is where pin_root lies and nothing is mounted there; that it was is
 * written down in /run/mpbpf. *ret_fd holds the mount busy until the caller has pinned something.
 *
 * Returns 0; -EOPNOTSUPP: not on bpffs; -EXDEV: the mount would be seen by this process alone (see
 * system_mounts_private); -ENOENT: no directory above pin_root; -errno.
 */
int pins_prepare(const char *pin_root, int *ret_fd);
/* Unmounts bpffs if pins_prepare() mounted it and it is empty. 0: done or nothing to do; -errno. */
int pins_release(void);

/* Where the tree is built: to be used as pin root until pins_publish(). 0 or -ENAMETOOLONG. */
int pins_staging(char ret[PIN_PATH_MAX], const char *pin_root);
/* Makes the empty staging directory. 0; -EEXIST: pin_root, or what a killed load staged, is there; -errno. */
int pins_stage(const char *pin_root);
int pins_publish(const char *pin_root);
bool pins_exist(const char *pin_root);
/*
 * Removes the tree at pin_root (or at its staging directory), links first. 0 also when there is none; -EOPNOTSUPP:
 * this is not a directory that pins_stage() made; -errno.
 */
int pins_remove(const char *pin_root);

/* The lock that publishers of policy hold, as a file descriptor to be closed; -ENOENT: nothing is loaded; -errno. */
int pins_policy_lock(const char *pin_root);
/*
 * The same for who reads or writes the lists of `mpbpf block` and `mpbpf allow`, and for who attaches or detaches interfaces;
 * -EAGAIN: another holds it and `wait` is false.
 */
int pins_lists_lock(const char *pin_root, bool wait);
int pins_links_lock(const char *pin_root, bool wait);

/* Calls `each` with every name below PIN_ROOT/links; stops at its first non-zero result and returns it. */
int pins_links(const char *pin_root, int (*each)(const char *name, void *data), void *data);
/* Interface name of a link's name. 0; -ENOENT: not an XDP link; -errno. */
int pins_xdp_name(const char *link, char *ret, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: questions to the running system: file systems, mount points, processors, names of things as paths. */
#ifndef MPBPF_CORE_SYSTEM_H
#define MPBPF_CORE_SYSTEM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Is `path` on a file system of this magic number (linux/magic.h)? 1, 0, or -errno of statfs(2). */
int system_fs_is(const char *path, unsigned long magic);

/* The first cgroup2 mount point of this mount namespace. 0, -ENOENT: there is none, -ENAMETOOLONG, -errno. */
int system_cgroup2(char *ret, size_t size);

/* How many processors this thread may run on: 1 where it cannot be told. */
size_t system_processors(void);

/* The directory of this process's cgroup (version 2). 0 or -errno. */
int system_own_cgroup(char ret[PATH_MAX]);
/* Is this process in the cgroup (version 2) of that directory, or below it? 1, 0, or -errno: it cannot be told. */
int system_in_cgroup(const char *dir);

/*
 * Was this process given a mount namespace that one of its ancestors does not share (ip netns exec does so)? What is
 * mounted there is gone with the last process in it. false also where it cannot be told.
 */
bool system_mounts_private(void);

/*
 * path_resolve - absolute path without links, `.`, `..` or doubled slashes; the last component need not exist
 *
 * Returns 0, -EINVAL: ends in `.` or `..`, or is `/`; -ENAMETOOLONG; -errno of realpath(3) for the directory above.
 */
int path_resolve(const char *path, char *ret, size_t size);

/*
 * name_escape - a path as one file name, as systemd-escape(1) does it: outer slashes off, `/` becomes `-`, whatever is
 * not a letter, digit, `:` or `_` becomes \xNN. Unlike there dots are escaped too, for bpffs refuses them.
 *
 * Returns 0, -EINVAL: nothing is left; -ENAMETOOLONG.
 */
int name_escape(const char *path, char *ret, size_t size);
/* The way back, without the leading slash. 0, -EINVAL, -ENAMETOOLONG. */
int name_unescape(const char *name, char *ret, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 5: the programs in the kernel, not yet attached. */
#ifndef MPBPF_LOADER_OBJECT_H
#define MPBPF_LOADER_OBJECT_H

#include <stdbool.h>

#include "core/config.h"

struct bpf_map;
struct mpbpf;

/*
 * object_load - sizes the maps by the configuration and loads the programs
 * cgroup: the instance's; selftest_sockmap() makes one of its own in it
 *
 * The L7 programs are left out, and that is said, when this kernel does not take them, or cannot be trusted with them, and
 * no listener asks for them.
 *
 * Returns 0 with *ret (mpbpf__destroy()), *ret_l7 and *ret_fast (selftest.h), or -errno after logging why.
 */
int object_load(const struct config *config, const char *cgroup, struct mpbpf **ret, bool *ret_l7, bool *ret_fast);
/* Before the load: no program is loaded, and of the maps these alone and what the compiler made. */
void object_leave_out(struct mpbpf *object, const struct bpf_map *const *needed, size_t n);
/* For _cleanup_(object_free). */
void object_free(struct mpbpf **object);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: every entry of a hash map, a bucket at a time. */
#ifndef MPBPF_CORE_MAP_WALK_H
#define MPBPF_CORE_MAP_WALK_H

#include <stddef.h>

typedef int map_walk_fn(const void *key, const void *value, void *data);

/*
 * map_walk - calls `each` with every entry of a hash map (LRU or not), and stops at its first non-zero result
 *
 * Buckets are read as a whole, so an entry that is there all the while is never missed, and deleting what was seen does not
 * disturb the walk; going from key to key, as bpf_map_get_next_key() does, has neither.
 *
 * Returns 0, that result, or -errno.
 */
int map_walk(int fd, size_t key_size, size_t value_size, map_walk_fn *each, void *data);

#endif

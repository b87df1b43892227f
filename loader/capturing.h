/* SPDX-License-Identifier: MIT */
/* Floor 5: the programs of capturing: whether this kernel takes them, their pins, and the cgroups that they are attached to. */
#ifndef MPBPF_LOADER_CAPTURING_H
#define MPBPF_LOADER_CAPTURING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/maps.h"

struct mpbpf;

/* Loads these programs alone, pinned nowhere. 0 and *ret (object_free()), or -errno; libbpf's log says why. */
int capturing_load(struct mpbpf **ret);
/* Can they be loaded? Tried once. */
bool capturing_try(void);
/* Before the load of an object: with them or without. */
void capturing_choose(struct mpbpf *object, bool with);

/* Pins them below pin_root, if they are loaded. 0, or -errno after logging. */
int capturing_pin(const struct mpbpf *object, const char *pin_root);
/* Was this data path loaded with them? */
bool capturing_pinned(const char *pin_root);

/*
 * capturing_attach - sees to it that the programs, as they are pinned, work on the cgroup at `path`
 * hash: of that path, by which programs know it; *ret_id: the cgroup's id
 *
 * Attachments to the cgroup that is there stay; those of one that is gone are replaced. Returns 0; -ENOENT: there is no such
 * directory; -ENOTSUP: it is no cgroup2; -errno.
 */
int capturing_attach(const struct maps *maps, const char *pin_root, const char *path, uint64_t hash, uint64_t *ret_id);
/* Attaches unpinned programs, for as long as links[CAPTURING_PROGRAMS] are open. 0 or -errno. */
#define CAPTURING_PROGRAMS 6
int capturing_try_on(const struct mpbpf *object, int cgroup, uint64_t hash, int *links);
/* They work there no more: connections are not captured, and captured ones show where they really go. 0 or -errno. */
int capturing_detach(const char *pin_root, uint64_t hash);
bool capturing_attached(const char *pin_root, uint64_t hash);
/* Detaches all whose hash `keep` does not want; NULL: all. 0 or -errno. */
int capturing_detach_others(const char *pin_root, bool (*keep)(uint64_t hash, void *data), void *data);

#endif

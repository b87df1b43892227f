/* SPDX-License-Identifier: MIT */
/* Floor 5: the programs of steering: whether this kernel takes them, their pins, and the network namespace they work in. */
#ifndef MPBPF_LOADER_STEERING_H
#define MPBPF_LOADER_STEERING_H

#include <stdbool.h>

struct mpbpf;

/* Loads these programs alone, pinned nowhere. 0 and *ret (object_free()), or -errno; libbpf's log says why. */
int steering_load(struct mpbpf **ret);
/* Can they be loaded? Tried once. */
bool steering_try(void);
/* Before the load of an object: with them or without. */
void steering_choose(struct mpbpf *object, bool with);

/* Was it loaded with them? */
bool steering_pinned(const char *pin_root);
/*
 * From now on the kernel notes from where sockets of this process's cgroup connect that capture_exempt() has seen. Returns a file
 * descriptor, with whose end that ends, or -errno.
 */
int steering_know_own(const char *pin_root);
/* Pins what the agent needs of them below pin_root, if they are loaded. 0, or -errno after logging. */
int steering_pin(const struct mpbpf *object, const char *pin_root);

/*
 * steering_attach - sees to it that sk_lookup_steer, as it is pinned, works in the caller's network namespace and in no other
 *
 * An attachment that is there already stays; one by another program is handed over, so that no connection is missed between.
 * Returns 0; -ENOENT: this data path was loaded without; -errno.
 */
int steering_attach(const char *pin_root);
/* It works nowhere any more. 0, also when it did not; -errno. */
int steering_detach(const char *pin_root);
/* Does it work somewhere? */
bool steering_attached(const char *pin_root);

#endif

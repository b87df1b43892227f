/* SPDX-License-Identifier: MIT */
/* Floor 3: what is known of kernel versions before anything is loaded. */
#ifndef MPBPF_CORE_KERNEL_H
#define MPBPF_CORE_KERNEL_H

#include <stddef.h>

struct kernel_version {
	unsigned int major, minor, patch;
};

/*
 * kernel_version_parse - the upstream version of a kernel; patch counts fixes, so a distribution's own number will
 * not do
 * release: uname -r; version: uname -v (Debian's ends in its upstream version); signature: /proc/version_signature of
 * Ubuntu, or NULL
 *
 * Returns 0 or -EINVAL.
 */
int kernel_version_parse(const char *release, const char *version, const char *signature, struct kernel_version *ret);

/* Why sockmap must not carry data on this version, or NULL. */
const char *kernel_sockmap_fault(const struct kernel_version *version);

/* Both for the running kernel; name is its version in words. */
const char *kernel_running_fault(char *ret_name, size_t size);

#endif

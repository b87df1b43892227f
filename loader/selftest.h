/* SPDX-License-Identifier: MIT */
/* Floor 5: whether this kernel's sockmap may be trusted with the bytes of a service, and of its clients, found out before it is. */
#ifndef MPBPF_LOADER_SELFTEST_H
#define MPBPF_LOADER_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * selftest_sockmap - sends more than small buffers hold through connections of its own, and compares (check_partial_send)
 * cgroup: where it may make one for itself
 *
 * Some kernels damage data there, and a version number does not tell which: distributions backport. What was proven once
 * holds until the next boot.
 *
 * *ret_fast: bytes may go past TCP (check_fast_path); false where that is not proven.
 *
 * Returns 0 with ret_note "" or what the caller may want to log; -EINTR: a signal that is blocked is pending; -EOPNOTSUPP: it
 * does damage data, or nothing could be tried and the version is known to; ret_note says why.
 */
int selftest_sockmap(const char *cgroup, bool *ret_fast, char *ret_note, size_t size);

#endif

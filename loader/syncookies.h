/* SPDX-License-Identifier: MIT */
/* Floor 5: net.ipv4.tcp_syncookies, which must be 2 for the kernel to give the SYN guard a cookie for every SYN. */
#ifndef MPBPF_LOADER_SYNCOOKIES_H
#define MPBPF_LOADER_SYNCOOKIES_H

#include "core/runtime.h"

/*
 * syncookies_raise - makes it 2 in this network namespace, after noting down what it was; logs that it did
 *
 * Where it is 2 already nothing is noted, for then it is not ours to put back. Returns 0 or -errno, not logged.
 */
int syncookies_raise(const struct runtime *runtime);

/*
 * syncookies_lower - puts back what it was, if that was noted down and it is still 2; logs that it did
 *
 * Returns 0, also when there is nothing to do or its network namespace is gone; -errno, not logged.
 */
int syncookies_lower(const struct runtime *runtime);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: the clocks that user space and the programs share. */
#ifndef MPBPF_CORE_CLOCK_H
#define MPBPF_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

static inline int64_t clock_ns(clockid_t id)
{
	struct timespec ts = {};

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* The length of a jiffy: the coarse clocks move with each. */
static inline uint32_t clock_jiffy_ns(void)
{
	struct timespec ts = {};

	clock_getres(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_nsec > 0 ? ts.tv_nsec : NSEC_PER_SEC;
}

/* CLOCK_REALTIME - CLOCK_BOOTTIME in ns: what a program adds to bpf_ktime_get_boot_ns() to know the time of day. */
static inline int64_t clock_wall_offset(void)
{
	int64_t before = clock_ns(CLOCK_BOOTTIME);
	int64_t wall = clock_ns(CLOCK_REALTIME);
	int64_t after = clock_ns(CLOCK_BOOTTIME);

	return wall - before - (after - before) / 2;
}

#endif

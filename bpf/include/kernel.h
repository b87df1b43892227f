/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: what every BPF-side file starts from. Compiled for BPF it is vmlinux.h and libbpf's helpers; compiled
 * natively (unit tests, fuzzers and the agent share http1.h and siphash.h) it stands in for the few helpers those use.
 */
#ifndef MPBPF_BPF_KERNEL_H
#define MPBPF_BPF_KERNEL_H

#ifdef __bpf__

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#else

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

static inline long bpf_loop(__u32 n, void *step, void *ctx, __u64 flags)
{
	long (*call)(__u32, void *) = (long (*)(__u32, void *))step;
	__u32 i;

	(void)flags;
	for (i = 0; i < n; i++)
		if (call(i, ctx))
			return i + 1;
	return n;
}

#endif

#include "mpbpf/abi.h"

#ifndef READ_ONCE
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#endif

#ifndef WRITE_ONCE
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Makes the compiler forget what it knows of a value, so that it neither moves nor merges what the verifier must see. */
#define forget(x) asm volatile("" : "+r"(x))

/* n, which lies in 1..max (a power of two), so that every verifier sees it: before Linux 6.8 `n != 0` taught it nothing. */
#define within(n, max)                       \
	({                                   \
		__u32 _within = (n) - 1;     \
		forget(_within);             \
		(_within & ((max) - 1)) + 1; \
	})

#endif

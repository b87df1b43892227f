/* SPDX-License-Identifier: MIT */
/* Test header: what siphash_test.bpf.c and test_siphash_bpf.c share. */
#ifndef MPBPF_TESTS_SIPHASH_TEST_H
#define MPBPF_TESTS_SIPHASH_TEST_H

#include "siphash.h"

struct siphash_case {
	__u64 key[2];
	__u64 out[2];
	__u32 off;
	__u32 len;
	__u64 runs;
	__u8 buf[SIPHASH_BUF];
};

#endif

/* SPDX-License-Identifier: MIT */
/* Test header: what ask_test.bpf.c and test_ask.c share. */
#ifndef MPBPF_TESTS_ASK_TEST_H
#define MPBPF_TESTS_ASK_TEST_H

#include "kernel.h"

/* What ask_bytes() said. */
enum ask_said { SAID_ASKED, SAID_LATER, SAID_NOBODY, SAID_CLOSED, SAID_TUNNEL, SAID_OTHER };

/* How the packet that the program is run on is to be asked about, and what became of that. */
struct ask_case {
	__u64 cookie;
	__u32 held;
	__u32 late; /* 1: only what ask_bytes() does under the connection's lock */
	__u32 said; /* enum ask_said */
	__u32 runs;
};

#endif

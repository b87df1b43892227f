/* SPDX-License-Identifier: MIT */
/* Tests: what packet_both_ways returns. */
#ifndef MPBPF_TESTS_PACKET_QUICK_TEST_H
#define MPBPF_TESTS_PACKET_QUICK_TEST_H

enum { WAYS_NOT_QUICK = 1, WAYS_AGREE, WAYS_DIFFER };

#endif

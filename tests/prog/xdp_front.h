/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Tests: a program in front of xdp_ingress that changes each frame of a repeated test run; both sides of xdp_front.bpf.c. */
#ifndef MPBPF_TESTS_XDP_FRONT_H
#define MPBPF_TESTS_XDP_FRONT_H

#define RESENT_SIZE 62 /* a SYN over IPv4 with eight bytes of options; so long is the answer as well */

struct spread {
	__u32 n;
	__u32 at;
};

struct resent {
	__u16 halves[RESENT_SIZE / 2];
};

#ifndef __bpf__

#include "packets.h"
#include "xdp_run.h"

struct xdp_front {
	struct bpf_object *object;
	struct xdp_run run; /* as that of the program under test, with the one in front of it */
};

/* Ends the test program if it cannot be had. */
void xdp_front_open(const struct xdp_run *run, struct xdp_front *ret);
void xdp_front_close(struct xdp_front *front);

/* Sources by turns: 10.0.0.0 and up, `n` of them. */
void xdp_front_spread(struct xdp_front *front, uint32_t n);
/* The first RESENT_SIZE bytes of each frame are always these. */
void xdp_front_resend(struct xdp_front *front, const struct frame *frame);

#endif

#endif

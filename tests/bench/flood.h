/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Bench: what floodgen.c tells the program that makes the frames of a flood, flood.bpf.c. */
#ifndef MPBPF_TESTS_FLOOD_H
#define MPBPF_TESTS_FLOOD_H

#define FLOOD_FRAME 60		  /* the shortest of Ethernet, without its checksum */
#define FLOOD_MADE_UP 0xc6120000u /* 198.18.0.0/15 (RFC 2544) */
#define FLOOD_MADE_UP_MASK 0x1ffffu

/* shapes[0]: a frame, with nothing in what changes from one to the next, and the sums of what does not. */
struct flood_shape {
	__u32 frame[FLOOD_FRAME / 4];
	__u32 ip_sum;  /* of 16-bit words, as they lie in memory */
	__u32 tcp_sum; /* the pseudo header too */
	__u32 tcp;     /* a SYN; 0: UDP, without checksum */
	__u32 spoofed; /* from made-up sources */
};

#endif

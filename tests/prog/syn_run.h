/* SPDX-License-Identifier: MIT */
/* Tests: SYNs and what may follow them, run through xdp_ingress in a network namespace with real listening sockets. */
#ifndef MPBPF_TESTS_SYN_RUN_H
#define MPBPF_TESTS_SYN_RUN_H

#include "packets.h"
#include "xdp_run.h"

enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };

#define SYN_SEQ 0x01fffffe /* of every SYN */
#define PORT_SERVED 80	   /* as packet_build() has it */

/* What came back. */
struct answer {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	int action;
};

/*
 * A network namespace of this process's own, in which the addresses of packet_build() are those of lo and both families are
 * listened on at PORT_SERVED. Returns the listening socket, or ends the test program.
 */
int syn_net_open(void);
/* net.NAME, dots as slashes. */
void syn_sysctl(const char *name, const char *value);
/* Tells the program that frames for `mac` are for this host. */
void syn_link_set(const struct xdp_run *run, const uint8_t mac[6]);
void syn_state_set(const struct xdp_run *run, const struct syn_state *state);
struct syn_state syn_state_get(const struct xdp_run *run);

/* A TCP segment with these flags; of `spec` a first word of TCP options is the MSS, if that is not 0. */
void syn_build(const struct packet_spec *spec, uint8_t flags, uint16_t mss, struct frame *frame);
/* The segment that a client would send for this SYN-ACK: `off` is added to the cookie. */
void syn_acknowledge(const struct answer *answer, const struct frame *syn, uint32_t off, struct frame *frame);
/* repeat: how often it comes; then the answer is that to the last one. */
void syn_run(const struct xdp_run *run, const struct frame *frame, size_t linear, uint32_t repeat, struct answer *ret);

/* CHECKs every byte of the answer to a SYN; `tags` of its VLAN tags are to be those of the SYN. */
void syn_check_answer(const struct answer *answer, const struct frame *syn, uint16_t mss, const char *what);

#endif

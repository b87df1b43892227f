/* SPDX-License-Identifier: MIT */
/* Tests: the frames that no limit and no list is against: all of them pass, and each class of payload is among them. */
#ifndef MPBPF_TESTS_XDP_PACKETS_H
#define MPBPF_TESTS_XDP_PACKETS_H

#include "packets.h"

extern const struct packet_spec xdp_packets[];
extern const size_t n_xdp_packets;

#endif

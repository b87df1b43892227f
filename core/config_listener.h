/* SPDX-License-Identifier: MIT */
/* Floor 3: of what kinds listeners are. Included by config.h. */
#ifndef MPBPF_CORE_CONFIG_LISTENER_H
#define MPBPF_CORE_CONFIG_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cidr.h"

/* Who owns the sockets of a listener: the service itself; mpbpfd, which accepts and connects; or clients that know nothing of it. */
enum listener_mode { LISTENER_GUARD, LISTENER_GATEWAY, LISTENER_CAPTURE };
enum listener_protocol { LISTENER_HTTP, LISTENER_TCP }; /* TCP: a guard's is for its fast path alone */

/* Whether clients of this node may go past TCP: those that are trusted, where that was proven to work; all; none. */
enum fast_path { FAST_PATH_AUTO, FAST_PATH_ON, FAST_PATH_OFF };

/* Gateways: which connections begin with a PROXY header (version 1 or 2), and none does without one. */
struct accept_proxy_config {
	bool enabled;	      /* default false */
	struct cidr *trusted; /* only from these peers; of others the bytes are taken as they are */
	size_t n_trusted;     /* 0: every peer */
};

/* Connections that processes of a cgroup make; that come to this host. */
enum capture_direction { CAPTURE_NONE, CAPTURE_OUT, CAPTURE_IN };

/* Which connections are captured: those whose destination is among both, where both are given. */
struct capture_match {
	uint16_t *ports;
	size_t n_ports; /* 0: every port */
	struct cidr *cidrs;
	size_t n_cidrs; /* 0: every address; as in source_match */
};

#endif

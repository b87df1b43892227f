/* SPDX-License-Identifier: MIT */
/* Floor 3: what reasons are called in counters and events. */
#ifndef MPBPF_CORE_REASON_NAMES_H
#define MPBPF_CORE_REASON_NAMES_H

#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

extern const char *const xdp_reason_names[XDP_REASON_MAX];
extern const char *const malformed_names[MALFORMED_MAX];
extern const char *const connection_reason_names[CONNECTION_REASON_MAX];
extern const char *const connection_way_names[CONNECTION_WAY_MAX];

#endif

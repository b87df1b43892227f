/* SPDX-License-Identifier: MIT */
/* Floor 3: what of a configuration is the SYN guard's. */
#ifndef MPBPF_CORE_POLICY_SYN_H
#define MPBPF_CORE_POLICY_SYN_H

#include "core/config.h"

/*
 * policy_syn_write - the ports that are guarded, those of the listeners among them, into `syn_ports`; none where every port is
 *
 * Returns 0, -E2BIG: the map is full, or -errno.
 */
int policy_syn_write(int fd, const struct config *config, uint32_t generation);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: the limits of packets and bytes per source, as the kernel has them. */
#ifndef MPBPF_CORE_POLICY_RATES_H
#define MPBPF_CORE_POLICY_RATES_H

#include "core/config.h"
#include "core/maps.h"

/* What policy says of them beside mode, window and packets: rate_flags and rate_classes. */
void rates_of(const struct config *config, struct policy *policy);
/* Rule number `i` of a configuration (see struct rate_rule), but for its name; generation 0: there is none of that number. */
void rate_rule_of(const struct config *config, size_t i, uint32_t generation, struct rate_rule *ret);
/* The key of override `i`. */
void override_key_of(const struct config *config, size_t i, uint32_t generation, struct cidr_key *ret);

/*
 * rates_publish - writes the rules, overrides and names of a configuration under `generation`
 *
 * Counters of a number that changes hands begin anew. Returns 0, -E2BIG: a map is full; -errno.
 */
int rates_publish(const struct maps *maps, const struct config *config, uint32_t generation, uint32_t old);

#endif

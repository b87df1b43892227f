/* SPDX-License-Identifier: MIT */
/* Floor 3: a configuration as keys and values of the policy maps of one generation. Pure: no map is touched here. */
#ifndef MPBPF_CORE_POLICY_KEYS_H
#define MPBPF_CORE_POLICY_KEYS_H

#include "core/config.h"

/*
 * The generation after `generation`: never 0, which stands for none, and always of the other parity, for
 * policies[generation & 1] of the one in force must stay as it is.
 */
uint32_t generation_next(uint32_t generation);

void policy_of(const struct config *config, uint32_t generation, struct policy *ret);
/*
 * ret->lease and ret->charge for so many CPUs: what all of them can leave unused of leases, and what a source is charged for what
 * none of them has looked up, is each half of 1 % of the limit at most.
 */
void lease_of(uint32_t packets, int n_cpus, struct policy *ret);
void cidr_key_of(const struct cidr *cidr, enum cidr_list list, uint32_t generation, struct cidr_key *ret);
/* Key and value of listener `i`, whose number in `names` (value.name) is left 0. 0 or -ENOMEM. */
int listener_of(const struct config *config, size_t i, uint32_t generation, struct listener_key *ret_key,
		struct listener *ret);

/*
 * The keys that cover a path that has a rule: itself (its end included), and at a `/` boundary everything below it. "/" needs
 * one key, which covers every path.
 *
 * Returns how many keys were written to ret (1 or 2), or -ENAMETOOLONG.
 */
int path_keys_of(const char *path, uint16_t rules, uint32_t generation, struct path_key ret[2]);

/* host: of metrics.hosts. 0, or -ENAMETOOLONG. */
int host_key_of(const char *host, uint32_t generation, struct host_key *ret);

/* What a name is counted under in the kernel: the same over reloads. */
uint64_t name_hash(const char *name);

/* Protocol rule `i`, but for its number. */
void protocol_rule_of(const struct config *config, size_t i, uint32_t generation, struct protocol_rule *ret);

/* Request limit `i`; id is a hash of its name, so that its buckets outlive a reload. */
void limit_of(const struct config *config, size_t i, uint32_t generation, struct limit *ret);

#endif

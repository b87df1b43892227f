/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: finding the policy in force. */
#ifndef MPBPF_BPF_POLICY_H
#define MPBPF_BPF_POLICY_H

#include "maps.h"

/*
 * The policy in force; NULL: none is known. The agent writes the slot of the next generation before it raises the
 * number, so the two disagree only when it did both twice between our two reads: then the second look agrees. If it
 * does not, no agent has completed a policy, and there is nothing that could rightly be enforced: everything passes and
 * is counted, for a half-made policy must not cut the node off its network.
 */
static __always_inline const struct policy *policy_get(void)
{
	__u32 generation, slot, i, zero = 0;
	struct control *in_force;
	struct policy *policy;

	in_force = bpf_map_lookup_elem(&control, &zero);
	if (!in_force)
		return NULL;
	for (i = 0; i < 2; i++) {
		generation = READ_ONCE(in_force->generation);
		slot = generation & 1;
		policy = bpf_map_lookup_elem(&policies, &slot);
		if (policy && likely(READ_ONCE(policy->generation) == generation))
			return policy;
	}
	return NULL;
}

#endif

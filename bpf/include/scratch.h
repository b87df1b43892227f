/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: memory to read a head in.
 *
 * A verdict program also runs in process context (a socket's backlog is worked off with interrupts on), where a softirq, or
 * on a preemptible kernel another task, may run it again on the same CPU. One buffer per CPU would let the second overwrite
 * what the first has loaded and not yet judged. So each run claims one of a few slots of its CPU and gives it back.
 */
#ifndef MPBPF_BPF_SCRATCH_H
#define MPBPF_BPF_SCRATCH_H

#include "maps.h"

/* NULL: all slots of this CPU are claimed; then the helper reads the request. */
static __always_inline struct scratch *scratch_claim(__u32 *ret_slot)
{
	struct scratches *all;
	__u32 zero = 0, i;

	all = bpf_map_lookup_elem(&scratches, &zero);
	if (!all)
		return NULL;
	for (i = 0; i < SCRATCHES; i++) {
		if (!__sync_val_compare_and_swap(&all->busy[i], 0, 1)) {
			*ret_slot = i;
			return &all->slot[i];
		}
	}
	return NULL;
}

static __always_inline void scratch_release(__u32 slot)
{
	struct scratches *all;
	__u32 zero = 0;

	all = bpf_map_lookup_elem(&scratches, &zero);
	if (all && slot < SCRATCHES)
		__sync_lock_test_and_set(&all->busy[slot], 0);
}

#endif

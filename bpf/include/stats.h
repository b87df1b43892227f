/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: counting in the L7 programs, which may interrupt each other on a CPU: hence atomic, though per CPU. */
#ifndef MPBPF_BPF_STATS_H
#define MPBPF_BPF_STATS_H

#include "maps.h"

#define STATS_ADD(field, n)                                                             \
	({                                                                              \
		__u32 _zero = 0;                                                        \
		struct request_stats *_s = bpf_map_lookup_elem(&request_stats, &_zero); \
		if (_s)                                                                 \
			__sync_fetch_and_add(&_s->field, (n));                          \
	})
#define STATS_INC(field) STATS_ADD(field, 1)

static __always_inline void stats_reason(__u32 reason)
{
	forget(reason); /* older verifiers lose the bound when clang tests a copy */
	if (reason < REQUEST_REASON_MAX)
		STATS_INC(reasons[reason]);
}

/* 0, which is no denial: nothing would have been denied. */
static __always_inline void stats_would(__u32 reason)
{
	forget(reason);
	if (reason >= REQUEST_REASON_MAX)
		return;
	forget(reason); /* of the bound, which clang would test on a copy, both at once */
	if (reason)
		STATS_INC(would[reason]);
}

static __always_inline struct control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: events, samples of what was decided. A kind fills a struct event_record and calls event_emit(), after event_due() has said
 * that there is room in this second: under a flood that costs a read of one line that no CPU writes any more.
 */
#ifndef MPBPF_BPF_EVENTS_H
#define MPBPF_BPF_EVENTS_H

#include "policy.h"

static __always_inline struct event_gate *event_gate_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&event_gates, &zero);
}

/*
 * May one more event be recorded in this second? It counts as recorded or suppressed. Programs that others may interrupt are
 * right to call it too: what is added here is added by XDP alone, which runs to its end, or by them as one instruction.
 */
static __always_inline bool event_due(const struct policy *policy, struct xdp_stats *stats)
{
	struct event_gate *gate;
	__u32 i, now = bpf_jiffies64();
	__u64 old;

	if (!policy->events)
		return false;
	gate = event_gate_get();
	for (i = 0; gate && i < 2; i++) {
		old = READ_ONCE(gate->second);
		if (now - (__u32)(old >> 32) < policy->event_jiffies) {
			if ((__u32)old >= policy->events ||
			    (__u32)__sync_fetch_and_add(&gate->second, 1) >= policy->events)
				break;
			return true;
		}
		if (__sync_val_compare_and_swap(&gate->second, old, (__u64)now << 32 | 1) == old)
			return true;
	}
	__sync_fetch_and_add(&stats->events_suppressed, 1);
	return false;
}

/* Records an event, of which number and time are filled in here. A reader that sees number 0, or another, reads again. */
static __always_inline void event_emit(struct event_record *event, struct xdp_stats *stats)
{
	struct event_gate *gate = event_gate_get();
	struct event_record *slot;
	__u64 number;
	__u32 at;

	if (!gate)
		return;
	number = __sync_fetch_and_add(&gate->head, 1) + 1;
	at = number & (MPBPF_EVENTS_MAX - 1);
	slot = bpf_map_lookup_elem(&events, &at);
	if (!slot)
		return;
	event->number = 0;
	event->time = bpf_ktime_get_boot_ns();
	__sync_lock_test_and_set(&slot->number, 0);
	*slot = *event;
	__sync_lock_test_and_set(&slot->number, number);
	__sync_fetch_and_add(&stats->events, 1);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: events of mpbpfd's, written where those of programs are, and counted with them. */
#include "events.h"

/*
 * An XDP program that stands on no interface, as conn_update: mpbpfd runs it with the event as the packet. XDP_PASS: it is recorded;
 * XDP_DROP: there is no room in this second.
 */
SEC("xdp") int event_note(struct xdp_md *ctx)
{
	struct event_note *note = (void *)(long)ctx->data;
	const struct policy *policy = policy_get();
	struct event_record event;
	struct xdp_stats *stats;
	__u32 zero = 0;

	stats = bpf_map_lookup_elem(&xdp_stats, &zero);
	if ((void *)(note + 1) > (void *)(long)ctx->data_end || !policy || !stats)
		return XDP_ABORTED;
	if (note->suppressed && policy->events)
		__sync_fetch_and_add(&stats->events_suppressed, note->suppressed);
	if (!event_due(policy, stats))
		return XDP_DROP;
	event = note->event;
	event_emit(&event, stats);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";

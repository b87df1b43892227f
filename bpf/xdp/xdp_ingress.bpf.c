/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: every frame that comes in on a protected interface, before the stack sees it. */
#include "flow.h"
#include "l4.h"
#include "packet_event.h"
#include "packet_quick.h"
#include "syn_guard.h"

SEC("xdp.frags") int xdp_ingress(struct xdp_md *ctx)
{
	const struct policy *policy;
	struct packet pkt = {};
	enum xdp_reason reason;
	struct xdp_stats *stats;
	__u32 zero = 0;
	int malformed;

	stats = bpf_map_lookup_elem(&xdp_stats, &zero);
	if (!stats)
		return XDP_PASS;
	malformed = packet_read(ctx, &pkt);
	stats->packets++;
	stats->bytes += pkt.len;
	policy = policy_get();
	reason = l4_decide(&pkt, policy, malformed, stats);
	if (reason == XDP_REASON_PASS && pkt.l4_proto == L4_TCP && policy)
		reason = syn_guard(ctx, &pkt, policy, stats);
	if (reason == XDP_REASON_PASS && pkt.payload_len)
		reason = flow_decide(ctx, &pkt, policy, stats);
	if (unlikely(reason != XDP_REASON_PASS || malformed || pkt.would_drop) && reason != XDP_REASON_SYN_COOKIE &&
	    policy && event_due(policy, stats))
		packet_event(ctx, &pkt, reason, malformed);
	return xdp_verdict(stats, reason);
}

char _license[] SEC("license") = "GPL";

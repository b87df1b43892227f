/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the event of a packet that was dropped, or would have been. */
#ifndef MPBPF_BPF_PACKET_EVENT_H
#define MPBPF_BPF_PACKET_EVENT_H

#include "events.h"
#include "packet.h"

#define IPV4_DEST_AT 16
#define IPV6_DEST_AT 24

/* What the packet does not keep is read once more: few are recorded. */
static __always_inline void event_dest(struct xdp_md *ctx, const struct packet *pkt, struct event_record *event)
{
	if (pkt->l3_proto == L3_IPV4) {
		event->dest.w[2] = bpf_htonl(0xffff);
		bpf_xdp_load_bytes(ctx, pkt->l3_off + IPV4_DEST_AT, &event->dest.w[3], sizeof(event->dest.w[3]));
	} else {
		bpf_xdp_load_bytes(ctx, pkt->l3_off + IPV6_DEST_AT, &event->dest, sizeof(event->dest));
	}
}

/* Global: verified once. */
__noinline int packet_event(struct xdp_md *ctx, const struct packet *pkt, __u32 reason, __u32 malformed)
{
	struct event_record event = {};
	struct xdp_stats *stats;
	__u32 zero = 0;

	stats = bpf_map_lookup_elem(&xdp_stats, &zero);
	if (!pkt || !stats)
		return 0;
	event.kind = EVENT_PACKET;
	event.flags = reason == XDP_REASON_PASS ? EVENT_WOULD : 0;
	if (reason == XDP_REASON_PASS)
		reason = pkt->would_drop ? XDP_REASON_RATE_LIMIT : XDP_REASON_MALFORMED;
	event.reason = reason;
	if (reason == XDP_REASON_MALFORMED)
		event.detail = malformed;
	if (reason == XDP_REASON_RATE_LIMIT)
		event.rule = pkt->rule;
	event.ifindex = ctx->ingress_ifindex;
	event.len = pkt->len;
	if (pkt->l3_proto != L3_OTHER) {
		event.family = pkt->l3_proto == L3_IPV4 ? 4 : 6;
		event.protocol = pkt->ip_proto;
		event.source = pkt->source;
		event.source_port = pkt->source_port;
		event.dest_port = pkt->dest_port;
		event_dest(ctx, pkt, &event);
	}
	event_emit(&event, stats);
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: samples of what was decided, for people to read. Included by abi.h. */
#ifndef MPBPF_ABI_EVENT_H
#define MPBPF_ABI_EVENT_H

enum event_kind {
	EVENT_PACKET, /* dropped at the interface, or would have been: reason is enum xdp_reason, detail enum malformed */
	EVENT_CONNECTION, /* to a gateway, or captured: reason is enum connection_reason, detail enum connection_way */
	EVENT_KIND_MAX
};

/* Why a connection was refused. */
enum connection_reason {
	CONNECTION_TAKEN, /* it was not */
	CONNECTION_NO_ROUTE,
	CONNECTION_NO_ENDPOINT,
	CONNECTION_BAD_PROXY,
	CONNECTION_RESOURCES,
	CONNECTION_UNJUDGED,
	CONNECTION_UNCAPTURED,
	CONNECTION_NO_RELAY,
	CONNECTION_REASON_MAX
};

/* The way that it took. */
enum connection_way {
	CONNECTION_NO_WAY,
	CONNECTION_STEER,  /* sk_lookup gave it to an endpoint's own socket */
	CONNECTION_RELAY,  /* mpbpfd carries its bytes */
	CONNECTION_HTTP,   /* mpbpfd carries its requests, each to an endpoint of its own */
	CONNECTION_DIRECT, /* captured, and sent straight to an endpoint */
	CONNECTION_WAY_MAX
};

enum event_flags {
	EVENT_WOULD = 1 << 0, /* it was let pass: monitor, drop_invalid false */
};

/* events[number % MPBPF_EVENTS_MAX]. What a kind does not know is 0. */
struct event_record {
	__u64 number; /* from 1 on; 0: none yet, or it is being written */
	__u64 time;   /* CLOCK_BOOTTIME, ns */
	struct addr source;
	struct addr dest;
	__be16 source_port;
	__be16 dest_port;
	__u8 kind; /* enum event_kind */
	__u8 reason;
	__u8 detail;
	__u8 protocol; /* of IP */
	__u8 family;   /* 4, 6; 0: addresses and protocol are not known */
	__u8 flags;    /* enum event_flags */
	__u16 rule;    /* number in `rule_names`, of XDP_REASON_RATE_LIMIT */
	__u32 ifindex;
	__u32 len; /* of the frame */
	__u32 pad;
	struct addr endpoint; /* of connections */
	__be16 endpoint_port;
	__u16 pad2[3];
};

/* What event_note is run with: an event of mpbpfd's, and how many others it did not record for want of room. */
struct event_note {
	struct event_record event;
	__u64 suppressed;
};

/* event_gates[0]. */
struct event_gate {
	__u64 second; /* jiffies that it began at, in the upper, and events in it, in the lower 32 bits */
	__u64 head;   /* number of the last event */
};

MPBPF_ASSERT_SIZE(struct event_record, 96);
MPBPF_ASSERT_SIZE(struct event_note, 104);
MPBPF_ASSERT_SIZE(struct event_gate, 16);

#endif

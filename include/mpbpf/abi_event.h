/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: samples of what was decided, for people to read. Included by abi.h. */
#ifndef MPBPF_ABI_EVENT_H
#define MPBPF_ABI_EVENT_H

enum event_kind {
	EVENT_PACKET, /* dropped at the interface, or would have been: reason is enum xdp_reason, detail enum malformed */
	EVENT_KIND_MAX
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
	__u64 data[3]; /* for kinds to come */
};

/* event_gates[0]. */
struct event_gate {
	__u64 second; /* jiffies that it began at, in the upper, and events in it, in the lower 32 bits */
	__u64 head;   /* number of the last event */
};

MPBPF_ASSERT_SIZE(struct event_record, 96);
MPBPF_ASSERT_SIZE(struct event_gate, 16);

#endif

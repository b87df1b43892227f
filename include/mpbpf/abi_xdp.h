/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: why XDP drops a packet, and what it counts; connections by source and the SYN guard. Included by abi.h. */
#ifndef MPBPF_ABI_XDP_H
#define MPBPF_ABI_XDP_H

#include "mpbpf/abi_l4.h"
#include "mpbpf/abi_flow.h"

enum xdp_reason {
	XDP_REASON_PASS,
	XDP_REASON_RATE_LIMIT,
	XDP_REASON_DENIED,
	XDP_REASON_MALFORMED,
	XDP_REASON_SYN_GUARD,
	XDP_REASON_BANNED,
	XDP_REASON_CONNECTIONS, /* a SYN of a source that has, or makes, too many connections */
	XDP_REASON_SYN_COOKIE,	/* answered by a SYN cookie: the frame goes back out */
	XDP_REASON_PROTOCOL,
	XDP_REASON_MAX
};

/* Why a packet is malformed. */
enum malformed {
	MALFORMED_NONE,
	MALFORMED_TRUNCATED,		/* the packet ends within a header */
	MALFORMED_BAD_VERSION,		/* not the IP version that the frame announces */
	MALFORMED_BAD_HEADER_LENGTH,	/* a header shorter than it may be, or longer than its packet */
	MALFORMED_BAD_LENGTH,		/* an IP or UDP length below its header or beyond the frame */
	MALFORMED_BAD_OPTIONS,		/* IPv4 options that break off */
	MALFORMED_BAD_TCP_FLAGS,	/* flags that no state of TCP accepts */
	MALFORMED_LAND,			/* TCP or UDP from its own destination, and not over loopback */
	MALFORMED_TINY_FRAGMENT,	/* a first fragment without the whole transport header */
	MALFORMED_OVERSIZED_FRAGMENT,	/* beyond 65535 bytes: "ping of death" */
	MALFORMED_OVERLAPPING_FRAGMENT, /* over the flags of the TCP header */
	MALFORMED_UNALIGNED_FRAGMENT,	/* IPv6: not the last, and no multiple of 8 bytes */
	MALFORMED_SOURCE_ROUTE,		/* LSRR, SSRR; routing header of type 0 */
	MALFORMED_MAX
};

/* xdp_stats[0], per CPU. */
struct xdp_stats {
	__u64 packets;
	__u64 bytes;
	__u64 reasons[XDP_REASON_MAX];
	__u64 protocols[PROTOCOL_MAX];	/* of passed packets that carry TCP or UDP payload, by their flow's protocol */
	__u64 would_drop;		/* rate_mode monitor: over the limit, passed */
	__u64 malformed[MALFORMED_MAX]; /* reasons[XDP_REASON_MALFORMED], by kind */
	__u64 events;			/* recorded, of all kinds */
	__u64 events_suppressed;	/* too many a second */
	__u64 syn_validated;		/* handshakes that came back with a cookie; passed */
	__u64 conn_would_drop;		/* conn_mode monitor: over the limit, passed */
	__u64 unkept;			/* flows that were begun too fast to be remembered */
};

/* Value of `openers`, keyed as `sources` is. */
struct opener {
	__s64 open; /* connections now */
	__u64 born; /* CLOCK_MONOTONIC, ns: tells it from another of the same source, forgotten before */
};

/* What a socket was counted in. */
struct opening {
	struct source_key source;
	__u64 born;
};

/* Key of `syn_ports`. */
struct syn_port_key {
	__u32 generation;
	__be16 port;
	__u16 pad;
};

/* Value of `syn_links`, keyed by interface index: frames for another address than its own are for another host. */
struct syn_link {
	__u8 mac[6];
	__u8 pad[2];
};

/* syn_state[0]: SYN_AUTO. Seconds and times are of CLOCK_MONOTONIC. */
struct syn_state {
	struct source syns; /* to guarded ports in one second: counted up to what matters */
	__u64 until;	    /* ns: so long the guard is active */
};

MPBPF_ASSERT_SIZE(struct xdp_stats, 232 + 8 * MALFORMED_MAX);
MPBPF_ASSERT_SIZE(struct opener, 16);
MPBPF_ASSERT_SIZE(struct opening, 16);
MPBPF_ASSERT_SIZE(struct syn_port_key, 8);
MPBPF_ASSERT_SIZE(struct syn_link, 8);
MPBPF_ASSERT_SIZE(struct syn_state, 16);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: what flows are, the protocols that they speak, and the rules for them. Included by abi.h. */
#ifndef MPBPF_ABI_FLOW_H
#define MPBPF_ABI_FLOW_H

enum protocol {
	PROTOCOL_OTHER,
	PROTOCOL_HTTP1,
	PROTOCOL_TLS,
	PROTOCOL_HTTP2,
	PROTOCOL_GRPC,
	PROTOCOL_WEBSOCKET,
	PROTOCOL_SSH,
	PROTOCOL_REDIS,
	PROTOCOL_POSTGRESQL,
	PROTOCOL_MQTT,
	PROTOCOL_DNS,
	PROTOCOL_QUIC,
	PROTOCOL_MAX
};

/* What a client offers at most. Other versions of TLS, and what could not be read, are TLS_UNKNOWN. */
enum tls_version { TLS_UNKNOWN, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSION_MAX };

/* L3_OTHER: not IP, or an IP header too broken to believe its source address. */
enum l3_proto { L3_OTHER, L3_IPV4, L3_IPV6 };
/* L4_OTHER: another protocol, or a fragment that is not the first and so carries no header. */
enum l4_proto { L4_OTHER, L4_TCP, L4_UDP, L4_ICMP, L4_ICMPV6 };

/* Who sends to whom. A flow is one direction: what comes in at an interface. */
struct flow_tuple {
	struct addr source;
	struct addr dest;
	__be16 source_port;
	__be16 dest_port;
	__u8 l3_proto; /* enum l3_proto */
	__u8 l4_proto; /* enum l4_proto: L4_TCP or L4_UDP */
	__u16 pad;
};

/* Key of `flows`: a keyed hash of the tuple. Two tuples of one hash take the entry from each other. */
struct flow_key {
	__u64 hash;
};

/*
 * One flow, counted by its packets with payload. It is of one protocol from its first payload on, unless that is too short to
 * tell. What a packet of a known flow needs comes first: with the kernel's own 56 bytes it fills two cache lines.
 */
struct flow {
	struct flow_tuple tuple;
	__u64 packets;
	__u64 bytes;	  /* of their frames */
	__u64 last;	  /* CLOCK_MONOTONIC_COARSE, ns */
	__u32 generation; /* that `rule` is of */
	__u8 protocol;	  /* enum protocol */
	__u8 version;	  /* PROTOCOL_TLS: enum tls_version */
	__u8 rule;	  /* 1 + the index of the protocol rule that holds for it; 0: none */
	__u8 tries;	  /* packets that did not tell the protocol; 0: it is known */
	__u64 first;	  /* as `last` */
	union {
		struct {
			__u8 name_len;
			char name[MPBPF_FLOW_NAME]; /* SNI or Host, as it was sent: any bytes */
		};
		struct {	       /* as long as the protocol is not known */
			__u32 next;    /* TCP sequence number behind them */
			__u32 n_start; /* of `start` */
			__u8 start[MPBPF_FLOW_START];
		};
	};
};

/*
 * protocol_rules[(generation & 1) * MPBPF_PROTOCOL_RULES + n]: flows that are dropped, or only counted. The first that matches
 * holds.
 */
struct protocol_rule {
	__u32 generation;
	__u8 protocol; /* enum protocol */
	__u8 below;    /* PROTOCOL_TLS: enum tls_version; 0: every version */
	__u8 dry;      /* counted as would-be */
	__u8 number;   /* in `rule_counts`; MPBPF_LISTENER_NAMES + that in `names` */
	__be16 port;   /* destination; 0: any */
	__u16 pad;
};

/* Value of `rule_counts`, per CPU: packets. */
struct rule_count {
	__u64 dropped;
	__u64 would_drop;
};

MPBPF_ASSERT_SIZE(struct flow_tuple, 40);
MPBPF_ASSERT_SIZE(struct flow_key, 8);
MPBPF_ASSERT_SIZE(struct flow, 136);
MPBPF_ASSERT_SIZE(struct protocol_rule, 12);
MPBPF_ASSERT_SIZE(struct rule_count, 16);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: what holds for packets: the policy, listed networks, limits by source, bans. Included by abi.h. */
#ifndef MPBPF_ABI_L4_H
#define MPBPF_ABI_L4_H

/* Parts of the rate limit that cost something; without any of them `packets` and `window_ns` say all. */
enum rate_flags {
	RATE_BUCKET = 1 << 0, /* token buckets, not windows */
	RATE_BYTES = 1 << 1,
	RATE_OVERRIDES = 1 << 2,
	RATE_CLASSES = 1 << 3,
};

/* What a packet is; a fragment is of its protocol as well. */
enum rate_class { RATE_TCP, RATE_UDP, RATE_ICMP, RATE_FRAGMENT, RATE_OTHER, RATE_CLASS_MAX };

enum rate_mode { RATE_OFF, RATE_ENFORCE, RATE_MONITOR, RATE_MODE_MAX };
enum syn_mode { SYN_OFF, SYN_AUTO, SYN_ALWAYS, SYN_MODE_MAX };

/* policies[generation & 1]: what holds for all listeners. XDP reads it once a packet, sk_skb before it asks the helper. */
struct policy {
	__u32 generation;  /* must equal the generation looked for */
	__u32 rate_mode;   /* enum rate_mode */
	__u64 window_ns;   /* length of the fixed window */
	__u32 packets;	   /* allowed per source and window */
	__u8 drop_invalid; /* malformed packets: 1 drop, 0 count only */
	__u8 has_deny;	   /* the deny list is not empty */
	__u8 has_allow;	   /* the allow list is not empty */
	__u8 rate_flags;   /* enum rate_flags */
	__u64 ban_window_ns;
	__u64 ban_ns;	    /* how long a ban lasts */
	__u32 ban_failures; /* so many 401 and 403 within the window; 0: nobody is banned */
	__u32 max_waiting;  /* connections in CONN_HELPER at a time */
	__u64 ask_interval; /* how often a source may ask the helper, as in struct limit; 0: as often as it likes */
	__u64 ask_burst;
	__u16 rate_classes[RATE_CLASS_MAX]; /* bits of the rules that hold for a class */
	__u16 n_protocol_rules;
	__u8 flows; /* flows are remembered, and classified once */
	__u8 pad;
	__u16 charge;	     /* of a source that is first looked up in a window: see trickle.h; 0: each is looked up */
	__u32 events;	     /* recorded a second; 0: none */
	__u32 event_jiffies; /* a second */
	__u64 grpc_bits;     /* bit (p & 63) for each p of grpc_ports, host order */
	__be16 grpc_ports[MPBPF_GRPC_PORTS];
	__u32 syn_rate; /* SYN_AUTO: with more SYNs in a second than this the SYN guard becomes active */
	__u8 syn_mode;	/* enum syn_mode */
	__u8 syn_named; /* it guards the ports in `syn_ports`, not every port that is listened on */
	__u8 conn_mode; /* enum rate_mode, of connections by source */
	__u8 lease; /* packets that a CPU takes at once from the count of a source, 1 to MPBPF_LEASE_MAX; 0: it asks for each */
	__u32 conn_open;     /* a source may have so many; 0: as many as it likes */
	__u32 jiffy_ns;	     /* length of a jiffy, by which windows go */
	__u64 conn_interval; /* from one SYN to the next, as in struct limit */
	__u64 conn_burst;
};

enum cidr_list {
	CIDR_DENY,
	CIDR_ALLOW,
	CIDR_LIST_MAX,
	CIDR_FAST_PEERS = 64 /* and on: of listener 0 and on, the clients whose bytes may go past TCP */
};

/* Key of `cidrs` (LPM). prefixlen counts list, generation and address bits: 64 + 96 + n for IPv4 /n. */
struct cidr_key {
	__u32 prefixlen;
	__u32 generation;
	__u32 list; /* enum cidr_list */
	struct addr addr;
};

/*
 * Networks that `mpbpf block` and `mpbpf allow` list at run time: lists4[enum cidr_list] and lists6[] are hashes of them, or
 * nothing. A network is looked for under every length that list_lengths knows. Addresses are in host order here.
 */
struct list4_key {
	__u32 addr;
	__u32 mask;
};

struct list6_key {
	__u64 hi;
	__u64 lo;
	__u32 prefix;
	__u32 pad;
};

struct listed {
	__u64 until;  /* CLOCK_BOOTTIME, ns: it is listed before; U64_MAX: for good */
	__u32 at;     /* CLOCK_REALTIME, seconds: since when */
	__u32 reason; /* list_reasons[reason - 1]; 0: none was given */
};

/*
 * list_lengths[enum cidr_list]: lengths that networks on the list may have. More may stand here than there are, never
 * fewer, so that words may be written one by one. The rest is the user side's own.
 */
struct list_lengths {
	__u64 v4;	 /* bit 32 - n: of /n */
	__u64 v6[2];	 /* [0] bit 64 - n: of /1 to /64; [1] bit 128 - n: of /65 to /128 */
	__u64 v6_all;	 /* ::/0 is listed */
	__u64 first_end; /* not after the earliest listed.until */
	__u32 n4[33];	 /* networks of each length */
	__u32 n6[129];
};

struct list_reason {
	char text[MPBPF_LIST_REASON_SIZE]; /* "": the number is free */
};

/*
 * A source: the upper 64 bits of an IPv6 address, or an IPv4 address in the lower half with the upper
 * half zero. ::/32 is reserved (RFC 4291, section 2.4), so the two never meet.
 */
struct source_key {
	__be32 w[2];
};

/*
 * What a source has sent: window number in the upper, packet count in the lower 32 bits, so that both change at once. Token buckets
 * keep a time there, which is below 2^63 (BUCKET_TICKS: for four years from boot): WINDOW_MARK in a number says that it is one.
 */
#define WINDOW_MARK (1u << 31)
struct source {
	__u64 window_count;
};

/*
 * sources[i]: a set of a set-associative table, one cache line; see sources.h. There are twice as many entries as sources that are
 * to be remembered, in whole pages: less than one source in 200 finds none free then.
 */
#define MPBPF_SOURCE_SETS(n_sources) (((n_sources) + 127) / 128 * (2 * 128 / MPBPF_SOURCE_WAYS))

struct source_set {
	struct source_way {
		__u64 name; /* struct source_key as a number; 0: the entry is free */
		struct source source;
	} ways[MPBPF_SOURCE_WAYS];
};

/* leases[i], per CPU, XDP's own: of a source, what this CPU may let pass in this window without asking `sources`. */
struct lease {
	struct source_key source;
	__u32 generation; /* of the policy */
	__u32 window;
	__u16 left;
	__u16 over; /* the source is over its limit for the rest of the window */
};

/* trickles[i], per CPU, XDP's own: how many packets of sources have passed in a window that were not looked up. */
struct trickle_page {
	struct trickle_line {
		__u32 window;
		__u8 counts[MPBPF_TRICKLE_COUNTS];
	} lines[MPBPF_TRICKLE_LINES];
};

/* cidrs_found[i], per CPU, XDP's own: on which list of `cidrs` an address is. */
struct cidr_found {
	struct addr addr;
	__u32 generation;
	__u32 list; /* 1 + enum cidr_list; 0: on none */
};

#define MEASURE_SHIFT 8

/*
 * How much of something a source may have. n of it are an amount of n * cost >> MEASURE_SHIFT. In windows that is n itself, and
 * `room` the most of a window. In a token bucket it is time in BUCKET_TICKS, and `room` how far ahead of the rate it may be.
 */
struct measure {
	__u64 cost;
	__u64 room; /* 0: not limited */
};

/*
 * rules[(generation & 1) * MPBPF_RULES_MAX + i]: a rate limit. 0: the default; 1..MPBPF_CLASSES_MAX: of a class; behind them: of
 * a network, in place of the default.
 */
struct rate_rule {
	struct measure packets;
	struct measure bytes;
	__u32 generation;
	__u16 name;  /* its number in `rule_names`; 0: the default */
	__be16 port; /* of a class: destination port; 0: all */
	__u8 mode;   /* enum rate_mode */
	__u8 pad[7];
};

/*
 * Key of `quotas`. The value is one word: in windows the window's number, modulo 2^24, above 40 bits of amount; in a token
 * bucket the time up to which it is used.
 */
struct quota_key {
	struct source_key source;
	__u16 name; /* of the rule */
	__u16 of;   /* enum quota_of */
	__u32 pad;
};

enum quota_of { QUOTA_PACKETS, QUOTA_BYTES };

struct quota {
	__u64 word;
};

/* rule_stats[name], per CPU. */
struct rule_stats {
	__u64 dropped;
	__u64 would_drop; /* mode monitor */
};

/* Value of `bans`, keyed as `sources` is: until when nothing of the source passes; CLOCK_BOOTTIME, ns. */
struct ban {
	__u64 until;
};

MPBPF_ASSERT_SIZE(struct policy, 144);
MPBPF_ASSERT_SIZE(struct cidr_key, 28);
MPBPF_ASSERT_SIZE(struct list4_key, 8);
MPBPF_ASSERT_SIZE(struct list6_key, 24);
MPBPF_ASSERT_SIZE(struct listed, 16);
MPBPF_ASSERT_SIZE(struct list_lengths, 688);
MPBPF_ASSERT_SIZE(struct list_reason, MPBPF_LIST_REASON_SIZE);
MPBPF_ASSERT_SIZE(struct source_key, 8);
MPBPF_ASSERT_SIZE(struct source, 8);
MPBPF_ASSERT_SIZE(struct source_set, 64);
MPBPF_ASSERT_SIZE(struct lease, 20);
MPBPF_ASSERT_SIZE(struct trickle_page, 4096);
MPBPF_ASSERT_SIZE(struct cidr_found, 24);
MPBPF_ASSERT_SIZE(struct rate_rule, 48);
MPBPF_ASSERT_SIZE(struct quota_key, 16);
MPBPF_ASSERT_SIZE(struct quota, 8);
MPBPF_ASSERT_SIZE(struct rule_stats, 16);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 0: the contract between the kernel side and the user side. Keys, values, enums and limits; nothing else.
 *
 * Both sides include <linux/types.h> (or vmlinux.h) and <linux/bpf.h> before this file. Integers are in host
 * order unless their type says otherwise. All padding is written out and must be zero in keys.
 */
#ifndef MPBPF_ABI_H
#define MPBPF_ABI_H

#define MPBPF_ABI_VERSION 3

/* Limits. Bytes unless the name says otherwise. */
#define MPBPF_HEAD_MAX 4096	    /* the longest request head that the kernel itself reads; power of two */
#define MPBPF_HELPER_HEAD_MAX 32768 /* the longest request head at all: beyond it 431 (RFC 6585, section 5) */
#define MPBPF_TOKEN_MAX 8192	    /* the longest bearer token: beyond it 431 */
#define MPBPF_PATH_KEY 112	    /* the longest path in the `paths` trie, its terminator included */
#define MPBPF_LISTENERS_MAX 1024    /* listeners of one configuration */
#define MPBPF_PATHS_MAX 4096	    /* paths with a rule in one configuration, all listeners together */
#define MPBPF_LIMITS_MAX 64	    /* request limits of one configuration: bits of a word */
#define MPBPF_BUCKETS_MAX 65536	    /* token buckets at a time */
#define MPBPF_BANS_MAX 65536	    /* sources that are banned, or counted towards it, at a time */
#define MPBPF_SYN_PORTS_MAX 1024    /* ports that ddos.syn_ports may name */
#define MPBPF_LINKS_MAX 64	    /* interfaces of one data path */
#define MPBPF_OPENERS_MAX 65536	    /* sources whose connections are counted at a time */
#define MPBPF_CIDRS_MAX 65536	    /* entries of the allow and the deny list together */
#define MPBPF_LISTED_MAX 1048576    /* networks that `mpbpf block` keeps, and as many that `mpbpf allow` does */
#define MPBPF_LIST_REASONS 1024	    /* different reasons for them */
#define MPBPF_LIST_REASON_SIZE 64   /* the longest reason, its terminator included */
#define MPBPF_CONNS_MAX 262144	    /* guarded connections at a time */
#define MPBPF_SOURCES_MAX 1048576   /* default number of sources that the packet limit remembers */
#define MPBPF_QUOTAS_MAX 65536	    /* default number of counters of bytes and of classes that are remembered */
#define MPBPF_CLASSES_MAX 16	    /* rate limits by class of one configuration: bits of a word */
#define MPBPF_OVERRIDES_MAX 1024    /* networks with a rate limit of their own in one configuration */
#define MPBPF_RULES_MAX 1041	    /* all rate limits of one configuration: the default, classes, overrides */
#define MPBPF_RULE_NAMES 2083	    /* rule_names[1..]: of two generations */
#define MPBPF_EVENTS_MAX 2048	    /* events that are kept; power of two */
#define MPBPF_VERDICTS_MAX 65536    /* default number of cached verdicts */
#define MPBPF_REVOCATIONS_MAX 65536 /* revocations at a time */
#define MPBPF_ASKS_SIZE (8 << 20)   /* the ring buffer that carries bytes to the helper */
#define MPBPF_HOLD_MAX (256 << 10)  /* bytes of one connection that the helper may hold; beyond it TCP waits */
#define MPBPF_BURST_MAX (1 << 20)   /* bytes handed back at a stretch before the client is made to pause */
#define MPBPF_PIPELINE_MAX 16	    /* requests of one connection that wait for their responses; <= 64 (no_body) */
#define MPBPF_HEADERS_MAX 64	    /* different sets of response headers in one configuration */
#define MPBPF_HEADERS_SIZE 512	    /* bytes of one set */
#define MPBPF_PIECES_MAX 1024	    /* response heads that came in pieces and are not complete */
#define MPBPF_PIECES_SIZE 2048	    /* bytes of such a head; power of two */
#define MPBPF_METRICS_MAX 16384	    /* counters of responses and buckets of latency that are in use */
#define MPBPF_PREFIX_NAMES 128	    /* names[1..127]: path prefixes that are measured apart */
#define MPBPF_LISTENER_NAMES 2304   /* names[128..2303]: listeners, of two generations and more */
#define MPBPF_NAMES_MAX 2368	    /* names[2304..2367]: protocol rules, of two generations */
#define MPBPF_FLOWS_MAX 65536	    /* default number of flows that are remembered */
#define MPBPF_FLOW_NAME 55	    /* bytes of a flow's server name */
#define MPBPF_FLOW_START 16	    /* bytes that tell a protocol, but for what stands in a field of it */
#define MPBPF_GRPC_PORTS 8	    /* ports of one configuration on which gRPC is spoken */
#define MPBPF_PROTOCOL_RULES 32	    /* protocol rules of one configuration */

/* An IPv4 address is mapped into IPv6 (RFC 4291, section 2.5.5.2): one key shape for both families. */
struct addr {
	union {
		__u8 b[16];
		__be32 w[4];
	};
};

/* ---- control: one word each, written by the agent through mmap, read by every program ---- */

struct control {
	__u32 abi;	       /* MPBPF_ABI_VERSION */
	__u32 generation;      /* the policy generation in force: selects keys and policies[generation & 1] */
	__u32 helper_epoch;    /* counts the agents that served this data path; 0: none yet */
	__u32 overfull;	       /* the helper holds so much that it takes no more connections on */
	__s64 wall_offset_ns;  /* CLOCK_REALTIME - CLOCK_BOOTTIME */
	__u64 hash_key[2];     /* SipHash key of the verdict cache, random at load */
	__u64 loaded_at;       /* CLOCK_BOOTTIME, ns */
	__s64 conns_open;      /* guarded connections now; sockops keeps it */
	__s64 conns_asking;    /* of those, the ones that the gate must look at; see conn_watched() */
	__u64 digest[4];       /* SHA-256 of the configuration in force (opaque to the kernel side) */
	char config_path[256]; /* where that configuration came from; empty: built-in defaults */
};

/* ---- L3/L4 ---- */

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
	__u8 pad[3];
	__u32 events;	     /* recorded a second; 0: none */
	__u32 event_jiffies; /* a second */
	__u64 grpc_bits;     /* bit (p & 63) for each p of grpc_ports, host order */
	__be16 grpc_ports[MPBPF_GRPC_PORTS];
	__u32 syn_rate; /* SYN_AUTO: with more SYNs in a second than this the SYN guard becomes active */
	__u8 syn_mode;	/* enum syn_mode */
	__u8 syn_named; /* it guards the ports in `syn_ports`, not every port that is listened on */
	__u8 conn_mode; /* enum rate_mode, of connections by source */
	__u8 conn_pad;
	__u32 conn_open; /* a source may have so many; 0: as many as it likes */
	__u32 conn_pad2;
	__u64 conn_interval; /* from one SYN to the next, as in struct limit */
	__u64 conn_burst;
};

enum cidr_list { CIDR_DENY, CIDR_ALLOW, CIDR_LIST_MAX };

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
 * Key of `sources`: the upper 64 bits of an IPv6 address, or an IPv4 address in the lower half with the upper
 * half zero. ::/32 is reserved (RFC 4291, section 2.4), so the two never meet.
 */
struct source_key {
	__be32 w[2];
};

/* Value of `sources`: window number in the upper, packet count in the lower 32 bits, so that both change at once. */
struct source {
	__u64 window_count;
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

/* ---- events: samples of what was decided, for people to read ---- */

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

/* ---- L7 ---- */

/* Key of `listeners`. address all zero: any address of both families; ::ffff:0.0.0.0: any IPv4 address. */
struct listener_key {
	__u32 generation;
	__be16 port;
	__u16 pad;
	struct addr addr;
};

enum listener_flags {
	LISTENER_REQUIRE_AUTH = 1 << 0,
	LISTENER_DRY_RUN = 1 << 1,  /* denials are counted as would-be, and the request passes */
	LISTENER_OVERFULL = 1 << 2, /* more proxies run than the licence allows */
	LISTENER_GONE =
		1 << 7, /* a gateway, which is not guarded; in a conn: so is this, or it is not there any more */
};

struct listener {
	__u16 index;	  /* position in the configuration */
	__u16 auth;	  /* which auth block: 0 the global one, else 1 + listener index */
	__u16 rules;	  /* which of the sets of path rules */
	__u8 flags;	  /* enum listener_flags */
	__u8 metrics;	  /* enum metrics_flags: what is measured of a connection that is sampled */
	__u64 rule_first; /* bit (c & 63) for each character c that follows the first '/' of a path with a rule; "/": all */
	__u64 limits;	  /* bits of the limits that hold for paths without a rule */
	__u16 name;	  /* its number in `names`; 0: none */
	__u16 headers; /* 1 + its place in `headers`; 0: nothing is added to responses */
	__u32 sample;  /* a connection is measured when a random number is not above it; 0: none is */
};

/*
 * Key of `paths` (LPM over the path's bytes). "/healthz" is entered twice: as "/healthz\0" (the whole path) and as
 * "/healthz/" (a `/` boundary). prefixlen = 64 + 8 * bytes.
 */
struct path_key {
	__u32 prefixlen;
	__u32 generation;
	__u16 rules;
	__u16 pad;
	char path[MPBPF_PATH_KEY];
};

enum path_flags {
	PATH_EXEMPT = 1 << 0,	  /* needs no token */
	PATH_UNLICENSED = 1 << 1, /* needs a feature that the licence lacks */
};

/* What holds for a path and all below it: of the longest prefix, which has taken over what shorter ones say. */
struct path_rule {
	__u32 flags; /* enum path_flags */
	__u8 prefix; /* the number in `names` under which responses are measured; 0: none */
	__u8 pad[3];
	__u64 limits; /* bits */
};

enum limit_per { LIMIT_PER_LISTENER, LIMIT_PER_TOKEN, LIMIT_PER_SUBJECT, LIMIT_PER_SOURCE, LIMIT_PER_MAX };

/*
 * A request limit: limits[(generation & 1) * MPBPF_LIMITS_MAX + bit]. A token bucket, kept as the generic cell rate algorithm
 * keeps it (ITU-T I.371): one time for each bucket. Times are in BUCKET_TICKS a nanosecond.
 */
struct limit {
	__u64 id;	/* hash of its name: a bucket outlives a reload */
	__u64 interval; /* from one request to the next */
	__u64 burst;	/* how far ahead of that a request may come */
	__u32 generation;
	__u8 per; /* enum limit_per */
	__u8 dry; /* counted as would-be */
	__u8 pad[2];
};

#define BUCKET_TICKS 64

struct bucket_key {
	__u64 limit;  /* limit.id */
	__u64 who[2]; /* listener, hash of the token, subject or source */
};

struct bucket {
	__u64 next; /* when the next request is due, by the rate alone; CLOCK_BOOTTIME */
};

enum request_reason {
	REQUEST_ALLOWED,     /* verdict from the cache, in the kernel */
	REQUEST_EXEMPT,	     /* exempt path */
	REQUEST_OPEN,	     /* the listener requires no token */
	REQUEST_VALIDATED,   /* allowed by the helper, which validated the token */
	REQUEST_BAD,	     /* 400 */
	REQUEST_NO_TOKEN,    /* 401 */
	REQUEST_BAD_TOKEN,   /* 403 */
	REQUEST_EXPIRED,     /* 403, expired or not yet valid */
	REQUEST_FEATURE,     /* 402 */
	REQUEST_PROXY_COUNT, /* 429 */
	REQUEST_RATE,	     /* 429 */
	REQUEST_HELPER_DOWN, /* 503 */
	REQUEST_TOO_LARGE,   /* 431 */
	REQUEST_TIMEOUT,     /* 408, or within a body: closed */
	REQUEST_BUSY,	     /* 503: too much waits for the helper */
	REQUEST_ASK_RATE,    /* 429: the source asks the helper too often */
	REQUEST_REASON_MAX
};

/* Key of `verdicts`: SipHash-2-4-128 of the token under control.hash_key, and the auth block that judged it. */
struct verdict_key {
	__u64 hash[2];
	__u32 auth;
	__u32 pad;
};

struct verdict {
	__u32 generation; /* another generation than the one in force: as if unknown */
	__u32 reason;	  /* REQUEST_ALLOWED or the REQUEST_* to deny with */
	__s64 not_before; /* CLOCK_REALTIME seconds, leeway already taken off; S64_MIN: always */
	/*
	 * CLOCK_REALTIME seconds; S64_MAX: never. Allowed: leeway already added, valid while now < expires. A denial holds so
	 * long, that of a revoked token as long as the revocation, and is as if unknown then.
	 */
	__s64 expires;
	__u64 subject; /* keyed hash of `sub`; 0: none */
	__u64 jti;     /* keyed hash of `jti`, or of a static token as it stands in the configuration; 0: none */
};

/* What a revocation names: always by the keyed hash that a verdict has of it. */
enum revocation_kind {
	REVOKED_TOKEN, /* verdict_key.hash[0], 1 for 0; or verdict.jti of a static token, however it was presented */
	REVOKED_SUBJECT,
	REVOKED_JTI,
	REVOKED_MAX
};

struct revocation_key {
	__u32 kind; /* enum revocation_kind */
	__u32 pad;
	__u64 hash;
};

struct revocation {
	__s64 expires; /* CLOCK_REALTIME seconds: holds while now < expires; S64_MAX: for good */
	__s64 at;      /* when it was made, CLOCK_REALTIME seconds */
	__u32 to_end;  /* 1: what it revokes is worth nothing after it, so it need not be made longer */
	__u32 pad;
};

/* ---- metrics ---- */

enum metrics_flags {
	METRICS_REQUEST = 1 << 0,  /* requests by method */
	METRICS_RESPONSE = 1 << 1, /* responses by status */
	METRICS_TIMING = 1 << 2,
	METRICS_SIZE = 1 << 3,
};

/* What metric_key.at means. */
enum metric_kind {
	METRIC_REQUEST,	 /* enum method; sum: bytes of requests */
	METRIC_RESPONSE, /* status; sum: bytes of responses */
	METRIC_FIRST,	 /* bucket (histogram.h) of the time to the first byte of a response; sum: ns */
	METRIC_LAST,	 /* the same to its last byte */
	METRIC_KIND_MAX
};

enum method {
	METHOD_OTHER,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_PATCH,
	METHOD_OPTIONS,
	METHOD_CONNECT,
	METHOD_TRACE,
	METHOD_MAX
};

struct metric_key {
	__u16 listener; /* number in `names` */
	__u8 prefix;	/* the same; 0: none */
	__u8 kind;	/* enum metric_kind */
	__u16 at;
	__u16 pad;
};

struct metric {
	__u64 count;
	__u64 sum;
};

/* Value of `names`: whose counters bear that number. A number keeps its name as long as a configuration has it. */
struct name {
	__u32 generation; /* the last that had it; 0: the number is free */
	__u32 pad;
	char text[MPBPF_PATH_KEY];
};

/* ---- response headers ---- */

/*
 * headers[(generation & 1) * MPBPF_HEADERS_MAX + n]: lines, each with CR LF, that go behind the status line. As a push must
 * have a constant size, white space behind the last value fills them up to 128, 256 or 512 bytes.
 */
struct header_block {
	__u32 generation;
	__u32 len;
	char text[MPBPF_HEADERS_SIZE];
};

/* The head of a response, as far as the service has sent it. */
struct piece {
	__u32 seq;    /* TCP sequence number that it begins at */
	__u32 len;    /* bytes of it that came */
	__u32 pushed; /* bytes that were added to it */
	__u32 pad;
	__u8 b[MPBPF_PIECES_SIZE];
};

/* What sk_msg alone keeps of a connection. */
enum sending_flags {
	SENDING_PUSHED = 1 << 0, /* pushed_end is valid */
	SENDING_PIECE = 1 << 1,	 /* it has an entry in `pieces` */
};

/* What is measured of a connection. Requests are counted when they pass; only one that passes alone is timed. */
struct exchange {
	__u64 begun;	/* CLOCK_MONOTONIC, ns: when request number `begun_of` passed; 0: it is not timed */
	__u64 out;	/* bytes of the response under way */
	__u32 begun_of; /* conn.allowed before it */
	__u32 counted;	/* responses counted, modulo 2^32: one that is sent again counts once */
	__u32 out_seq;	/* a chunked response: TCP sequence number up to which `out` counts */
	__u16 status;	/* of the response under way */
	__u8 method;	/* enum method; of the last allowed request */
	__u8 pad;
	__u8 prefix[MPBPF_PIPELINE_MAX]; /* of request n, at n modulo that */
};

/* How far a message body is read. `left` is the rest of the body, or of the present chunk. */
enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE, BODY_KIND_MAX };

struct http1_body {
	__u64 left;
	__u8 kind; /* enum body_kind */
	__u8 step; /* enum chunk_step, when chunked */
	__u8 line; /* bytes of the present framing line, when chunked */
	__u8 pad[5];
};

enum conn_state {
	CONN_HEAD,    /* a request head comes next */
	CONN_BODY,    /* the body of an allowed request: conn.request says how far */
	CONN_DISCARD, /* the body of a denied request */
	CONN_TUNNEL,  /* no HTTP any more: upgraded, or no listener of the configuration in force */
	CONN_HELPER,  /* every byte goes to the helper */
	CONN_CLOSED,  /* nothing passes; the agent closes it */
	CONN_STATE_MAX
};

enum conn_flags {
	CONN_UPGRADE = 1 << 0,	 /* the last allowed request asked for `Upgrade: websocket` */
	CONN_REPLIED = 1 << 1,	 /* reply_end is valid: the kernel answered on this connection */
	CONN_MEASURED = 1 << 2,	 /* sampled: `exchange` is kept */
	CONN_ANSWERING = 1 << 3, /* the helper's answer may be out in part: no other may follow it */
};

/*
 * One guarded connection, keyed by socket cookie. The socket lock orders sk_skb, sk_msg and sockops of one socket; the
 * spin lock guards what conn_update (user space) reads and writes, which acts in CONN_HELPER and on a body that stands still, and
 * what the gate does, which acts only while sk_skb does not (`front`).
 */
struct conn {
	struct bpf_spin_lock lock;
	__u8 state;   /* enum conn_state */
	__u8 flags;   /* enum conn_flags */
	__u8 sending; /* enum sending_flags */
	__u8 pad;
	struct http1_body request;
	struct http1_body response; /* BODY_UNTIL_CLOSE: nobody knows where it ends, denials close the connection */
	__u64 asked;		    /* bytes given to the helper, all told */
	__u64 returned;		    /* of those, bytes that the helper has dealt with */
	__u32 allowed;		    /* requests that went to the service, modulo 2^32 */
	__u32 answered;		    /* final responses that the service completed, but for the one under way */
	__u64 no_body;		    /* bit (n & 63): the response to request n has no body (HEAD) */
	__u32 response_seq;	    /* TCP sequence that response.left counts from, or up to which it was read */
	__u32 reply_end;	    /* TCP write_seq behind the kernel's last own answer */
	__u32 generation;	    /* that `listener` was read under */
	__u32 helper_epoch;	    /* agent that was asked; meaningful in CONN_HELPER */
	struct listener listener;
	struct addr local;
	struct addr remote;
	__be16 local_port;
	__be16 remote_port;
	__u32 pushed_end; /* TCP sequence number behind the headers that were added last */
	__u64 front;	  /* how far the client's bytes are judged, see conn.h */
	__u64 netns;	  /* cookie of the network namespace */
	__u64 opened_at;  /* CLOCK_BOOTTIME, ns */
	__u64 moved_at; /* CLOCK_MONOTONIC_COARSE, ns: when a piece of the request body came last; 0: it is not timed */
	__u32 lag;	/* what SO_RCVLOWAT was raised by: see lag.h */
	__u32 pad2;
	struct exchange exchange;
};

/* ---- the helper channel ---- */

enum ask_kind {
	ASK_BYTES, /* `len` bytes of a connection in CONN_HELPER, in stream order */
	ASK_CLOSE, /* the kernel answered with `Connection: close`, or gave the connection up: close it */
	ASK_KIND_MAX
};

struct ask {
	__u64 cookie;
	__u32 kind;	    /* enum ask_kind */
	__u32 len;	    /* bytes that follow this header */
	__u32 helper_epoch; /* of the agent that was alive when the kernel asked; another agent drops the record */
	__u32 first;	    /* 1: the connection entered CONN_HELPER with these bytes; request and discard count */
	__u32 discard;	    /* 1: the body that is left belongs to a denied request */
	__u16 end;	    /* 1: the client sends nothing behind these */
	__u16 lags;	    /* 1: taken within a call of the service, perhaps recv(), which may count them as unread */
	__u64 offset;	    /* of these bytes in all that was asked of this connection */
	struct http1_body request; /* what is left of the body under way */
};

/* Records come in three sizes, for a reservation's size must be a constant. */
#define ASK_SMALL 1024
#define ASK_MEDIUM 8192
#define ASK_LARGE 65536

/* target[0]: where sk_msg_handback sends what the helper's socket sends next. */
struct target {
	__u64 cookie;
	__u32 egress; /* 0: into the service's socket; 1: to the client */
	__u32 pad;
};

enum conn_op_kind {
	CONN_OP_ALLOW,	/* a request goes to the service: allowed++, before its bytes are sent */
	CONN_OP_DENY,	/* count the reason, if the answer may be sent now: then it is under way; else -EAGAIN */
	CONN_OP_TAKEN,	/* returned = taken, after bytes were handed back or dropped */
	CONN_OP_RETURN, /* if asked == taken: state = `state`, request = `request`; else -EAGAIN */
	CONN_OP_CLOSE,	/* state = CONN_CLOSED */
	CONN_OP_ASK,	/* count one more request against what the source may ask; over that: -EDQUOT */
	CONN_OP_EXPIRE, /* if the body under way has not moved since `moved_at`: state = CONN_CLOSED; else -ESTALE */
	CONN_OP_SPARE,	/* the same, but it has its time anew from now on */
	CONN_OP_MAX
};

/*
 * What conn_update is run with, as its packet. result: 0, -ENOENT no such connection, -ESTALE not this agent's, -EAGAIN,
 * -EDQUOT.
 */
struct conn_op {
	__u64 cookie;
	__u32 op;		   /* enum conn_op_kind */
	__u32 helper_epoch;	   /* the caller's */
	__u64 taken;		   /* CONN_OP_TAKEN, CONN_OP_RETURN: bytes dealt with, all told */
	struct http1_body request; /* CONN_OP_RETURN */
	__u32 state;		   /* CONN_OP_RETURN: CONN_HEAD, CONN_BODY or CONN_DISCARD */
	__u32 reason;		   /* CONN_OP_ALLOW, CONN_OP_DENY: enum request_reason */
	__u8 no_body;		   /* CONN_OP_ALLOW: HEAD */
	__u8 upgrade;		   /* CONN_OP_ALLOW: asks for `Upgrade: websocket` */
	__u8 would;		   /* CONN_OP_ALLOW: the denial that a dry run lets pass; 0: none */
	__u8 dry;	/* CONN_OP_ALLOW: over a limit it passes too; CONN_OP_EXPIRE: it stays open, untimed */
	__u8 method;	/* CONN_OP_ALLOW, CONN_OP_DENY: enum method */
	__u8 prefix;	/* the same: path_rule.prefix */
	__u8 answering; /* CONN_OP_TAKEN, CONN_OP_RETURN: 0: no answer is under way, or no more */
	__u8 pad;
	__u64 limits;	  /* CONN_OP_ALLOW: bits of the limits that the request counts against, or 0 */
	__u32 listener;	  /* CONN_OP_ALLOW, with limits: its index, */
	__u32 generation; /* and the generation that all this is of */
	__u64 token[2];	  /* CONN_OP_ALLOW: hash of the token; 0: none */
	__u64 subject;	  /* CONN_OP_ALLOW */
	__u64 moved_at;	  /* CONN_OP_RETURN: as conn.moved_at is to be; CONN_OP_EXPIRE, CONN_OP_SPARE: as it was seen */
	/* outputs */
	__s32 result;
	__u32 out_state;
	__u32 out_lost; /* responses are BODY_UNTIL_CLOSE */
	__u32 pending;	/* allowed requests whose response is not known to be complete */
	__u32 retry_s;	/* result -EDQUOT: over a limit, for so long */
	__u32 passed;	/* in: bytes of the request under way that went to the service since the last operation */
	__u64 out_asked;
};

/* request_stats[0], per CPU. */
struct request_stats {
	__u64 reasons[REQUEST_REASON_MAX];
	__u64 asked; /* requests, or rests of them, that went to the helper */
	__u64 asked_bytes;
	__u64 hits; /* lookups in `verdicts` that decided */
	__u64 misses;
	__u64 guarded;	    /* connections put under guard since load */
	__u64 refused;	    /* connections cut off because they could not be put under guard */
	__u64 held;	    /* packets dropped before TCP because the helper held enough bytes of the connection */
	__u64 conns_closed; /* guarded connections that ended */
	__u64 broken;	    /* connections given up: bytes could not be kept (ring full, agent gone) */
	__u64 would[REQUEST_REASON_MAX]; /* denials that a dry run let pass; each request is among `reasons` as well */
	__u64 measured;			 /* connections that were sampled */
	__u64 unmeasured;		 /* what `metrics` had no room for */
	__u64 unadded;			 /* responses without their headers: the send buffer was too full */
};

#define MPBPF_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is part of the ABI")
MPBPF_ASSERT_SIZE(struct addr, 16);
MPBPF_ASSERT_SIZE(struct control, 352);
MPBPF_ASSERT_SIZE(struct policy, 144);
MPBPF_ASSERT_SIZE(struct cidr_key, 28);
MPBPF_ASSERT_SIZE(struct list4_key, 8);
MPBPF_ASSERT_SIZE(struct list6_key, 24);
MPBPF_ASSERT_SIZE(struct listed, 16);
MPBPF_ASSERT_SIZE(struct list_lengths, 688);
MPBPF_ASSERT_SIZE(struct list_reason, MPBPF_LIST_REASON_SIZE);
MPBPF_ASSERT_SIZE(struct source_key, 8);
MPBPF_ASSERT_SIZE(struct source, 8);
MPBPF_ASSERT_SIZE(struct rate_rule, 48);
MPBPF_ASSERT_SIZE(struct quota_key, 16);
MPBPF_ASSERT_SIZE(struct quota, 8);
MPBPF_ASSERT_SIZE(struct rule_stats, 16);
MPBPF_ASSERT_SIZE(struct event_record, 96);
MPBPF_ASSERT_SIZE(struct event_gate, 16);
MPBPF_ASSERT_SIZE(struct xdp_stats, 232 + 8 * MALFORMED_MAX);
MPBPF_ASSERT_SIZE(struct opener, 16);
MPBPF_ASSERT_SIZE(struct opening, 16);
MPBPF_ASSERT_SIZE(struct syn_port_key, 8);
MPBPF_ASSERT_SIZE(struct syn_link, 8);
MPBPF_ASSERT_SIZE(struct syn_state, 16);
MPBPF_ASSERT_SIZE(struct flow_tuple, 40);
MPBPF_ASSERT_SIZE(struct flow_key, 8);
MPBPF_ASSERT_SIZE(struct flow, 136);
MPBPF_ASSERT_SIZE(struct protocol_rule, 12);
MPBPF_ASSERT_SIZE(struct rule_count, 16);
MPBPF_ASSERT_SIZE(struct listener_key, 24);
MPBPF_ASSERT_SIZE(struct listener, 32);
MPBPF_ASSERT_SIZE(struct path_key, 12 + MPBPF_PATH_KEY);
MPBPF_ASSERT_SIZE(struct path_rule, 16);
MPBPF_ASSERT_SIZE(struct limit, 32);
MPBPF_ASSERT_SIZE(struct bucket_key, 24);
MPBPF_ASSERT_SIZE(struct bucket, 8);
MPBPF_ASSERT_SIZE(struct verdict_key, 24);
MPBPF_ASSERT_SIZE(struct verdict, 40);
MPBPF_ASSERT_SIZE(struct revocation_key, 16);
MPBPF_ASSERT_SIZE(struct revocation, 24);
MPBPF_ASSERT_SIZE(struct http1_body, 16);
MPBPF_ASSERT_SIZE(struct header_block, 8 + MPBPF_HEADERS_SIZE);
MPBPF_ASSERT_SIZE(struct piece, 16 + MPBPF_PIECES_SIZE);
MPBPF_ASSERT_SIZE(struct metric_key, 8);
MPBPF_ASSERT_SIZE(struct metric, 16);
MPBPF_ASSERT_SIZE(struct name, 8 + MPBPF_PATH_KEY);
MPBPF_ASSERT_SIZE(struct exchange, 48);
MPBPF_ASSERT_SIZE(struct conn, 248);
MPBPF_ASSERT_SIZE(struct ask, 56);
MPBPF_ASSERT_SIZE(struct target, 16);
MPBPF_ASSERT_SIZE(struct conn_op, 136);
MPBPF_ASSERT_SIZE(struct request_stats, 352);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: every map of the data path, once. Weak, so that the objects of all hooks merge into one set at link time.
 * A note with each: who writes, who reads, what a full map means.
 */
#ifndef MPBPF_BPF_MAPS_H
#define MPBPF_BPF_MAPS_H

#include "kernel.h"
#include "classify_types.h"
#include "http1.h"
#include "mpbpf/steer.h"

/* Where a head is read: see scratch.h. */
#define SCRATCHES 4

/* Where in a message a response head begins, and what goes into it. */
struct heading {
	__u32 off, size; /* of what is left of the message */
	__u32 room;	 /* so many bytes of the message are certain to go out */
	__u32 slot;	 /* in `headers` */
	__u32 generation;
	__u32 line_end; /* what was added begins here, in the head */
};

/* How far a message of the service is read: see response.h. */
struct response_at {
	struct http1_body body; /* conn->response */
	__u32 anchor;		/* conn->response_seq */
	__u32 answered;		/* conn->answered */
	__u32 seq;		/* of the message's first byte */
	__u32 off, size;	/* how far the message is read */
	__u32 room;		/* so many bytes of the message are certain to go out */
	__u32 tunnel;		/* HTTP ends here */
	__u32 spoilt;		/* the message must not be sent */
	__u32 close;		/* HTTP ends here, and what follows could not be judged */
	__u32 pad;
};

struct scratch {
	struct http1_buf buf;
	struct http1 head;
	struct path_key path;
	struct verdict_key token;
	__u32 retry_s;	    /* for REQUEST_RATE: see replies.h */
	struct piece piece; /* of responses: see headers.h */
	struct heading heading;
	struct response_at response;
};

struct scratches {
	__u64 busy[SCRATCHES];
	struct scratch slot[SCRATCHES];
};

/* How a first payload is read: see flow.h. */
struct peek {
	struct classify_buf buf;
	struct classified found;
	struct flow flow; /* that is to be remembered */
	__u32 tick;	  /* when `made` began */
	__u32 made;	  /* flows that were begun since */
};

/* Agent writes single words through mmap; every program reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control __weak SEC(".maps");

/* Agent fills the slot of the next generation, then raises control.generation; XDP, sk_skb and conn_update read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct policy);
} policies __weak SEC(".maps");

/* Agent writes; XDP reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * MPBPF_CIDRS_MAX);
	__type(key, struct cidr_key);
	__type(value, __u32);
} cidrs __weak SEC(".maps");

/*
 * `mpbpf block` and `mpbpf allow` write, XDP reads: for each list a hash of its IPv4 networks, which is made as large as it must
 * be, and changed for another as a whole. (Sizes, for clang describes no type that only an inner map names.)
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, CIDR_LIST_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_HASH);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(struct list4_key));
			__uint(value_size, sizeof(struct listed));
		});
} lists4 __weak SEC(".maps");

/* The same for IPv6. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, CIDR_LIST_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_HASH);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(struct list6_key));
			__uint(value_size, sizeof(struct listed));
		});
} lists6 __weak SEC(".maps");

/* Written with `lists4` and `lists6`; XDP reads: which lengths to look for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CIDR_LIST_MAX);
	__type(key, __u32);
	__type(value, struct list_lengths);
} list_lengths __weak SEC(".maps");

/* `mpbpf block` and `mpbpf allow` write and read, no program does. Full of reasons in use: another one is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPBPF_LIST_REASONS);
	__type(key, __u32);
	__type(value, struct list_reason);
} list_reasons __weak SEC(".maps");

/* XDP writes and reads. Full: the source unseen for longest is forgotten, its count with it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_SOURCES_MAX);
	__type(key, struct source_key);
	__type(value, struct source);
} sources __weak SEC(".maps");

/* Agent fills the half of the next generation; XDP reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_RULES_MAX);
	__type(key, __u32);
	__type(value, struct rate_rule);
} rules __weak SEC(".maps");

/* Agent writes, keyed as `cidrs` with the IP version as the list; XDP reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * MPBPF_OVERRIDES_MAX);
	__type(key, struct cidr_key);
	__type(value, __u32);
} overrides __weak SEC(".maps");

/* XDP writes and reads, where more than packets of all kinds is limited. Full: the counter unused for longest is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_QUOTAS_MAX);
	__type(key, struct quota_key);
	__type(value, struct quota);
} quotas __weak SEC(".maps");

/* Agent writes; stats reads. Two generations have room. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPBPF_RULE_NAMES);
	__type(key, __u32);
	__type(value, struct name);
} rule_names __weak SEC(".maps");

/* XDP writes; stats reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPBPF_RULE_NAMES);
	__type(key, __u32);
	__type(value, struct rule_stats);
} rule_stats __weak SEC(".maps");

/*
 * Every program may write (events.h); `mpbpf events` reads, through mmap: as many at a time as like to, none takes an event from
 * another. Full: the oldest is written over.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPBPF_EVENTS_MAX);
	__type(key, __u32);
	__type(value, struct event_record);
} events __weak SEC(".maps");

/* As `events`: how many there were, and how many in this second. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_gate);
} event_gates __weak SEC(".maps");

/* sk_skb and conn_update write: denials of a source in its present window. Full: the source unseen for longest is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_BANS_MAX);
	__type(key, struct source_key);
	__type(value, struct source);
} offenders __weak SEC(".maps");

/* sk_skb and conn_update write; XDP reads. Full: the ban unused for longest is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_BANS_MAX);
	__type(key, struct source_key);
	__type(value, struct ban);
} bans __weak SEC(".maps");

/* XDP writes and reads: SYNs by source. Full: the source unseen for longest is forgotten, and its bucket is full again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_OPENERS_MAX);
	__type(key, struct source_key);
	__type(value, struct bucket);
} arrivals __weak SEC(".maps");

/* Sockops writes; XDP reads. Full: the source unseen for longest is forgotten, its count with it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_OPENERS_MAX);
	__type(key, struct source_key);
	__type(value, struct opener);
} openers __weak SEC(".maps");

/* Sockops writes and reads. No room for one: that connection is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct opening);
} openings __weak SEC(".maps");

/* Agent writes; XDP reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * (MPBPF_SYN_PORTS_MAX + MPBPF_LISTENERS_MAX));
	__type(key, struct syn_port_key);
	__type(value, __u32);
} syn_ports __weak SEC(".maps");

/* Load writes; XDP reads. It has room for every interface. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPBPF_LINKS_MAX);
	__type(key, __u32);
	__type(value, struct syn_link);
} syn_links __weak SEC(".maps");

/* XDP writes and reads; the agent and status read, the agent through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_state);
} syn_state __weak SEC(".maps");

/* XDP writes; stats reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xdp_stats);
} xdp_stats __weak SEC(".maps");

/* XDP writes; `mpbpf flows` reads. Full: the flow unseen for longest is forgotten; what it sends next begins it anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_FLOWS_MAX);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows __weak SEC(".maps");

/* XDP alone: where the first payload of a flow is read. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peek);
} peeks __weak SEC(".maps");

/* Agent fills the half of the next generation; XDP reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_PROTOCOL_RULES);
	__type(key, __u32);
	__type(value, struct protocol_rule);
} protocol_rules __weak SEC(".maps");

/* XDP writes; stats reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPBPF_NAMES_MAX - MPBPF_LISTENER_NAMES);
	__type(key, __u32);
	__type(value, struct rule_count);
} rule_counts __weak SEC(".maps");

/* Agent writes; sockops and sk_skb read. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MPBPF_LISTENERS_MAX);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners __weak SEC(".maps");

/* Agent writes; sk_skb and the helper read. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4 * MPBPF_PATHS_MAX);
	__type(key, struct path_key);
	__type(value, struct path_rule);
} paths __weak SEC(".maps");

/* Agent fills the half of the next generation; sk_skb and conn_update read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_LIMITS_MAX);
	__type(key, __u32);
	__type(value, struct limit);
} limits __weak SEC(".maps");

/* sk_skb and conn_update write. Full: the bucket unused for longest is forgotten, and is full again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_BUCKETS_MAX);
	__type(key, struct bucket_key);
	__type(value, struct bucket);
} buckets __weak SEC(".maps");

/* Helper and `mpbpf verdict` write; sk_skb reads. Full: the token unseen for longest is asked for again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_VERDICTS_MAX);
	__type(key, struct verdict_key);
	__type(value, struct verdict);
} verdicts __weak SEC(".maps");

/* `mpbpf verdict` writes; it and the helper read, no program does. Full: a new revocation is refused, and the user told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_REVOCATIONS_MAX);
	__type(key, struct revocation_key);
	__type(value, struct revocation);
} revocations __weak SEC(".maps");

/* Sockops inserts; the kernel removes at close; sk_skb and sk_msg redirect by it. Full: the connection is cut off. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, MPBPF_CONNS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} sockets __weak SEC(".maps");

/* Sockops inserts and deletes; sk_skb, sk_msg, gate and conn_update write. Full: the connection is cut off. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_CONNS_MAX);
	__type(key, __u64);
	__type(value, struct conn);
} conns __weak SEC(".maps");

/* Sockops writes, sk_msg and gate read: the socket's cookie, which those two cannot ask the kernel for. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} cookies __weak SEC(".maps");

/* Agent puts its end of the channel here; empty when no agent is alive, for the kernel removes a closed socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} helper __weak SEC(".maps");

/*
 * Agent puts a socket here that nothing can be sent on: where sk_skb sends bytes that no one is to be woken for. A map of its
 * own, without a program: one attached to it would run on those bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sink __weak SEC(".maps");

/* Helper writes before each send; sk_msg_handback reads within that send. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target);
} target __weak SEC(".maps");

/* sk_skb writes, helper reads. Full: the connection is given up (503 where nothing was lost yet). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, MPBPF_ASKS_SIZE);
} asks __weak SEC(".maps");

/* sk_skb and sk_msg: see scratch.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratches);
} scratches __weak SEC(".maps");

/* The L7 programs write; stats reads. Full: what would need a new entry is not counted (request_stats.unmeasured). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MPBPF_METRICS_MAX);
	__type(key, struct metric_key);
	__type(value, struct metric);
} metrics __weak SEC(".maps");

/* Agent fills the half of the next generation; sk_msg reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_HEADERS_MAX);
	__type(key, __u32);
	__type(value, struct header_block);
} headers __weak SEC(".maps");

/* Sk_msg writes and reads, sockops deletes. Full: where that connection's responses end is not known. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPBPF_PIECES_MAX);
	__type(key, __u64);
	__type(value, struct piece);
} pieces __weak SEC(".maps");

/* Agent writes; stats reads. Full of names that are in use: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPBPF_NAMES_MAX);
	__type(key, __u32);
	__type(value, struct name);
} names __weak SEC(".maps");

/* The L7 programs write; stats reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct request_stats);
} request_stats __weak SEC(".maps");

/* ---- steering ---- */

/* Agent writes; sk_lookup reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MPBPF_LISTENERS_MAX);
	__type(key, struct listener_key);
	__type(value, struct gateway);
} gateways __weak SEC(".maps");

/* Agent writes; sk_lookup reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_STEERS_MAX);
	__type(key, struct steer_key);
	__type(value, __u32);
} steers __weak SEC(".maps");

/* Agent fills the half of the next generation; sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_STEER_CLUSTERS);
	__type(key, __u32);
	__type(value, struct steer_cluster);
} clusters __weak SEC(".maps");

/* Agent fills the half of the next generation; sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_STEER_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct steer_endpoint);
} endpoints __weak SEC(".maps");

/* Listening sockets of endpoints: the loader writes, the kernel deletes at close; sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, MPBPF_BACKENDS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} backends __weak SEC(".maps");

/* sk_lookup writes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_stats);
} steer_stats __weak SEC(".maps");

#endif

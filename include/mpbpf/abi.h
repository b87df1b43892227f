/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 0: the contract between the kernel side and the user side. Keys, values, enums and limits; nothing else.
 * This is the file to include: here are the limits and what everybody needs, the rest is in abi_*.h by topic.
 *
 * Both sides include <linux/types.h> (or vmlinux.h) and <linux/bpf.h> before this file. Integers are in host
 * order unless their type says otherwise. All padding is written out and must be zero in keys.
 */
#ifndef MPBPF_ABI_H
#define MPBPF_ABI_H

#define MPBPF_ABI_VERSION 8

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
#define MPBPF_SOURCE_WAYS 4	    /* entries of a set of them */
#define MPBPF_LEASES 256	    /* sources that a CPU knows at hand */
#define MPBPF_LEASE_MAX 64	    /* packets that a CPU takes at once from what a source may have */
#define MPBPF_TRICKLE_PAGES 128	    /* 480 KiB of counters for each CPU: they stay in its cache */
#define MPBPF_TRICKLE_LINES 64	    /* in a page; power of two */
#define MPBPF_TRICKLE_COUNTS 60	    /* in a line */
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
#define MPBPF_PROTOCOL_NAMES 2368   /* names[2304..2367]: protocol rules, of two generations */
#define MPBPF_NAMES_MAX 2496	    /* names[2369..2495]: hosts that are measured apart */
#define MPBPF_HOSTS_MAX 60	    /* of one configuration, so that two generations of them find numbers */
#define MPBPF_HOST_KEY 112	    /* the longest host in the `hosts` trie, its terminator included */
#define MPBPF_FLOWS_MAX 65536	    /* default number of flows that are remembered */
#define MPBPF_FLOW_NAME 55	    /* bytes of a flow's server name */
#define MPBPF_FLOW_START 16	    /* bytes that tell a protocol, but for what stands in a field of it */
#define MPBPF_GRPC_PORTS 8	    /* ports of one configuration on which gRPC is spoken */
#define MPBPF_PROTOCOL_RULES 32	    /* protocol rules of one configuration */

#define MPBPF_FAST_PEERS 64   /* networks of one listener whose clients may go past TCP */
#define MPBPF_FAST_SYNS 16384 /* handshakes under way between sockets of this node */

#define MPBPF_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is part of the ABI")

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
	__u64 unclosed;	       /* connections that should have been closed and could not be; the agent counts */
	__u32 fast_proven;     /* this kernel's fast path was seen to keep bytes whole and in order; the load writes */
	__u32 fast_listeners;  /* listeners in force that have a fast path */
};

MPBPF_ASSERT_SIZE(struct addr, 16);
MPBPF_ASSERT_SIZE(struct control, 368);

#include "mpbpf/abi_l4.h"
#include "mpbpf/abi_flow.h"
#include "mpbpf/abi_xdp.h"
#include "mpbpf/abi_event.h"
#include "mpbpf/abi_l7.h"
#include "mpbpf/abi_metrics.h"
#include "mpbpf/abi_conn.h"
#include "mpbpf/abi_helper.h"

#endif

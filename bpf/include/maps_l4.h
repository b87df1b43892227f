/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the maps of packets: lists, limits by source, events, the SYN guard, flows. Included by maps.h. */
#ifndef MPBPF_BPF_MAPS_L4_H
#define MPBPF_BPF_MAPS_L4_H

#include "kernel.h"
#include "scratch_types.h"

/* Agent writes; XDP reads. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * (MPBPF_CIDRS_MAX + MPBPF_LISTENERS_MAX * MPBPF_FAST_PEERS));
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

/*
 * XDP writes and reads, see sources.h; stats reads, through mmap, which also has the kernel lay sets on cache lines. Full, for a
 * source: of those in its two sets one that was not seen in this window is forgotten, or else the one with the fewest packets.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MPBPF_SOURCE_SETS(MPBPF_SOURCES_MAX));
	__type(key, __u32);
	__type(value, struct source_set);
} sources __weak SEC(".maps");

/* XDP alone: see lease.h. No place is free: the source asks for each packet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPBPF_LEASES);
	__type(key, __u32);
	__type(value, struct lease);
} leases __weak SEC(".maps");

/* XDP alone: see trickle.h. Sources share a counter: they are looked up the sooner. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPBPF_TRICKLE_PAGES);
	__type(key, __u32);
	__type(value, struct trickle_page);
} trickles __weak SEC(".maps");

/* XDP alone: what `cidrs` said of an address last. Another address in its place: it is asked again. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MPBPF_LEASES);
	__type(key, __u32);
	__type(value, struct cidr_found);
} cidrs_found __weak SEC(".maps");

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
	__uint(max_entries, MPBPF_PROTOCOL_NAMES - MPBPF_LISTENER_NAMES);
	__type(key, __u32);
	__type(value, struct rule_count);
} rule_counts __weak SEC(".maps");

#endif

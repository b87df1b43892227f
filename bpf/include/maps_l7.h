/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the maps of guarded connections and their requests. Included by maps.h. */
#ifndef MPBPF_BPF_MAPS_L7_H
#define MPBPF_BPF_MAPS_L7_H

#include "kernel.h"
#include "scratch_types.h"

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

/* Sockops inserts the clients' ends of guarded connections; the kernel removes at close; sk_msg redirects by it. Full: by TCP. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, MPBPF_CONNS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} client_sockets __weak SEC(".maps");

/* Sockops inserts and deletes, sk_msg writes. Full: by TCP. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_CONNS_MAX);
	__type(key, __u64);
	__type(value, struct fast_client);
} fast_clients __weak SEC(".maps");

/* Handshakes that this node is about to answer: sockops and sk_lookup write, sockops reads. Full: the oldest goes by TCP. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_FAST_SYNS);
	__type(key, struct fast_syn);
	__type(value, __u32);
} fast_syns __weak SEC(".maps");

/* Clients whose handshake is over and whose service's is not yet. Sockops writes and reads. Full: the oldest goes by TCP. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_FAST_SYNS);
	__type(key, struct fast_pair);
	__type(value, struct fast_end);
} fast_pairs __weak SEC(".maps");

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

/* Agent writes; sk_skb and the helper read. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * MPBPF_HOSTS_MAX);
	__type(key, struct host_key);
	__type(value, __u32);
} hosts __weak SEC(".maps");

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

#endif

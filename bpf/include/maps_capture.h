/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the maps of capturing. Included by maps.h. */
#ifndef MPBPF_BPF_MAPS_CAPTURE_H
#define MPBPF_BPF_MAPS_CAPTURE_H

#include "kernel.h"
#include "mpbpf/capture.h"

/* For the programs that are attached to a cgroup, what it is: agent writes; connect reads. Ends with the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct capture_cgroup);
} capture_cgroups __weak SEC(".maps");

/* Agent writes; connect and sk_lookup read. Full: the configuration is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_CAPTURE_NETS_MAX);
	__type(key, struct capture_net_key);
	__type(value, __u32);
} capture_nets __weak SEC(".maps");

/* Agent writes; connect reads, and so does `mpbpf status`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MPBPF_CAPTURES_MAX);
	__type(key, struct capture_key);
	__type(value, struct capture);
} captures __weak SEC(".maps");

/* Agent fills the half of the generation in force; connect reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MPBPF_CAPTURE_CLUSTERS);
	__type(key, __u32);
	__type(value, struct capture_cluster);
} capture_ends __weak SEC(".maps");

/* Agent writes; connect reads. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MPBPF_CAPTURES_MAX);
	__type(key, __u64);
	__type(value, struct capture_relay);
} relays __weak SEC(".maps");

/* Agent writes, the kernel deletes at close; sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4 * MPBPF_CAPTURES_MAX);
	__type(key, struct relay_socket_key);
	__type(value, __u64);
} relay_sockets __weak SEC(".maps");

/* Agent and capture_own write and delete; sk_lookup reads. Full: a connection of mpbpfd's may be captured, and comes to its relay. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_OWN_PLACES_MAX);
	__type(key, struct own_place);
	__type(value, __u64);
} own_places __weak SEC(".maps");

/* Connect writes, and for its own sockets the agent; getpeername and getsockopt read. Ends with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct captured);
} captured __weak SEC(".maps");

/* sockops writes, and deletes at close; the agent reads and deletes. Full: the connection made longest ago is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MPBPF_RELAYED_MAX);
	__type(key, struct relayed_key);
	__type(value, struct relayed);
} relayed __weak SEC(".maps");

/* Agent makes the entries; connect counts in them. Full: it is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPBPF_CAPTURES_MAX *MPBPF_CAPTURE_RULES);
	__type(key, struct capture_stats_key);
	__type(value, struct capture_stats);
} capture_stats __weak SEC(".maps");

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the maps of steering. Included by maps.h. */
#ifndef MPBPF_BPF_MAPS_STEER_H
#define MPBPF_BPF_MAPS_STEER_H

#include "kernel.h"
#include "mpbpf/steer.h"

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

/* Agent fills the half of the generation in force, in place (steer_cluster_put()); sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * MPBPF_STEER_CLUSTERS);
	__type(key, __u32);
	__type(value, struct steer_cluster);
} clusters __weak SEC(".maps");

/* Who has which place in `backends`: the agent writes, and reads after its start. Full: the cluster is not steered to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MPBPF_BACKENDS_MAX);
	__type(key, __u32);
	__type(value, struct steer_endpoint);
} endpoints __weak SEC(".maps");

/* Listening sockets of endpoints: iter_listeners writes, the kernel deletes at close, and so does the agent; sk_lookup reads. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, MPBPF_BACKENDS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} backends __weak SEC(".maps");

/* Cookies of listening sockets, and their places in `backends`: the agent writes before a walk, iter_listeners deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MPBPF_BACKENDS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} searches __weak SEC(".maps");

/* Agent makes an entry for each gateway; sk_lookup counts in it. Full: that gateway is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MPBPF_LISTENERS_MAX);
	__type(key, struct listener_key);
	__type(value, struct steer_stats);
} steer_stats __weak SEC(".maps");

#endif

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

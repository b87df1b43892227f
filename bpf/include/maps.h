/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: every map of the data path, once: here those that all programs read, the others by topic in maps_*.h. Weak, so
 * that the objects of all hooks merge into one set at link time. A note with each: who writes, who reads, what a full map means.
 */
#ifndef MPBPF_BPF_MAPS_H
#define MPBPF_BPF_MAPS_H

#include "kernel.h"

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

#include "maps_l4.h"
#include "maps_l7.h"
#include "maps_steer.h"
#include "maps_capture.h"

#endif

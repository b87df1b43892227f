/* SPDX-License-Identifier: MIT */
/* Test helper: bpf/include/conn.h, compiled natively over maps that the test answers for. */
#ifndef MPBPF_TESTS_CONN_MAPS_H
#define MPBPF_TESTS_CONN_MAPS_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What maps.h and conn.h take from libbpf when they are compiled for BPF. */
#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, ...) typeof(__VA_ARGS__) *name[1]
#define bpf_htonl(x) htonl(x)
static void *bpf_map_lookup_elem(void *map, const void *key);

#include "conn.h"
#include "core/util.h"

static struct {
	struct listener_key key;
	struct listener value;
} entries[16];
static size_t n_entries;
static struct request_stats counters;
static struct control state_of_control;
static void (*before_lookup)(void);

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	size_t i;

	if (map == (void *)&control)
		return &state_of_control;
	if (map == (void *)&request_stats)
		return &counters;
	assert_ptr_equal(map, &listeners);
	for (i = 0; i < n_entries; i++)
		if (!memcmp(key, &entries[i].key, sizeof(entries[i].key)))
			return &entries[i].value;
	if (before_lookup)
		before_lookup();
	return NULL;
}

static inline int reset(void **state)
{
	(void)state;
	n_entries = 0;
	before_lookup = NULL;
	memset(&counters, 0, sizeof(counters));
	memset(&state_of_control, 0, sizeof(state_of_control));
	return 0;
}

#endif

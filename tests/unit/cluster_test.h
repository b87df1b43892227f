/* SPDX-License-Identifier: MIT */
/* What the tests of core/cluster.c share: clusters by their weights, picks, and whether shares are as they have to be. */
#ifndef MPBPF_TESTS_CLUSTER_TEST_H
#define MPBPF_TESTS_CLUSTER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/cluster.h"
#include "core/util.h"

#define ENDPOINTS_MAX 8
#define _cleanup_cluster_ _cleanup_(cluster_free)

static inline struct addr v4(uint32_t number)
{
	struct addr addr = { .b = { [10] = 0xff, [11] = 0xff } };

	for (int i = 0; i < 4; i++)
		addr.b[15 - i] = number >> 8 * i;
	return addr;
}

/* Endpoint i is 10.0.0.i:8080. */
static inline void fill(struct cluster *cluster, const uint32_t *weights, size_t n)
{
	struct endpoint list[ENDPOINTS_MAX] = {};

	for (size_t i = 0; i < n; i++)
		list[i] = (struct endpoint){ .addr = v4(0x0a000000 + i), .port = 8080, .weight = weights[i] };
	assert_int_equal(cluster_set(cluster, list, n), 0);
}

static inline void cluster_of(struct cluster *cluster, enum balance_policy policy, const uint32_t *weights, size_t n)
{
	cluster_init(cluster, policy, 42);
	fill(cluster, weights, n);
}

static inline size_t pick(struct cluster *cluster, const struct addr *source)
{
	size_t i = SIZE_MAX;

	assert_int_equal(cluster_pick(cluster, source, NULL, &i), 0);
	assert_true(i < cluster->n_endpoints);
	return i;
}

/* |got - want| within 5 standard deviations of a binomial: by chance once in two million. */
static inline void assert_share(double got, double n, double share)
{
	double off = got - n * share, bound = 25 * n * share * (1 - share);

	if (off * off > bound)
		fail_msg("%.0f of %.0f instead of a share of %.3f", got, n, share);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 3: what was measured of requests and responses: of all, by listener, by path prefix and by host; and as JSON. */
#ifndef MPBPF_CORE_RESPONSES_H
#define MPBPF_CORE_RESPONSES_H

#include <stdbool.h>

#include "core/maps.h"
#include "histogram.h"

#define STATUS_MAX 1000

struct cJSON;

struct measured {
	uint64_t methods[METHOD_MAX];
	uint64_t status[STATUS_MAX];
	uint64_t first[HISTOGRAM_BUCKETS]; /* time to the first byte */
	uint64_t last[HISTOGRAM_BUCKETS];
	uint64_t in, out; /* bytes */
};

struct responses {
	struct measured all;
	const struct name *names;	      /* MPBPF_NAMES_MAX */
	struct measured *by[MPBPF_NAMES_MAX]; /* by number in `names`; NULL: nothing was measured under it */
};

/* responses_add - one entry of `metrics`, summed over the CPUs. 0 or -ENOMEM. */
int responses_add(struct responses *responses, const struct metric_key *key, const struct metric *metric);

/*
 * responses_percentile - the value, in ns, that `q` (0 to 1) of the values in a histogram do not exceed
 *
 * By nearest rank, the middle of its bucket: at most 1/32 away from what was measured. 0 if there are none.
 */
double responses_percentile(const uint64_t histogram[static HISTOGRAM_BUCKETS], double q);

/* Everything measured since the load. 0 or -errno; *ret is to be freed with responses_free(). */
int responses_read(const struct maps *maps, struct responses **ret);
void responses_free(struct responses *responses);
/* For _cleanup_(responses_free_ptr). */
void responses_free_ptr(struct responses **responses);

/* Adds `methods`, `responses`, `latency_us`, `latency_last_us`, `bytes`, `listeners`, `prefixes` and `hosts`. False: out of memory. */
bool responses_json(struct cJSON *json, const struct responses *responses);

#endif

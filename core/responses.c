// SPDX-License-Identifier: MIT
/* Floor 3: reads and sums what was measured of requests and responses. */
#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/policy_names.h"
#include "core/responses.h"
#include "core/util.h"

#define BATCH 4096

static void measured_add(struct measured *to, const struct metric_key *key, const struct metric *metric)
{
	switch (key->kind) {
	case METRIC_REQUEST:
		if (key->at < METHOD_MAX)
			to->methods[key->at] += metric->count;
		to->in += metric->sum;
		break;
	case METRIC_RESPONSE:
		if (key->at < STATUS_MAX)
			to->status[key->at] += metric->count;
		to->out += metric->sum;
		break;
	case METRIC_FIRST:
		if (key->at < HISTOGRAM_BUCKETS)
			to->first[key->at] += metric->count;
		break;
	case METRIC_LAST:
		if (key->at < HISTOGRAM_BUCKETS)
			to->last[key->at] += metric->count;
		break;
	}
}

static int named_add(struct responses *responses, size_t number, const struct metric_key *key,
		     const struct metric *metric)
{
	if (!number || number >= MPBPF_NAMES_MAX)
		return 0;
	if (!responses->by[number])
		responses->by[number] = calloc(1, sizeof(struct measured));
	if (!responses->by[number])
		return -ENOMEM;
	measured_add(responses->by[number], key, metric);
	return 0;
}

int responses_add(struct responses *responses, const struct metric_key *key, const struct metric *metric)
{
	int r;

	if (key->host)
		return named_add(responses, MPBPF_PROTOCOL_NAMES + key->host, key, metric);
	measured_add(&responses->all, key, metric);
	r = named_add(responses, key->listener, key, metric);
	return r < 0 ? r : named_add(responses, key->prefix, key, metric);
}

double responses_percentile(const uint64_t histogram[static HISTOGRAM_BUCKETS], double q)
{
	uint64_t total = 0, seen = 0;
	double rank;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += histogram[i];
	rank = q * total;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram[i];
		if (!seen || seen < rank)
			continue;
		/* What is longer than the last bucket begins has no middle. */
		return i + 1 == HISTOGRAM_BUCKETS ? histogram_low(i) : (histogram_low(i) + histogram_low(i + 1)) / 2.0;
	}
	return 0;
}

/* `values`: n entries of n_cpus values each. */
static int add_batch(struct responses *responses, const struct metric_key *keys, const struct metric *values, size_t n,
		     size_t n_cpus)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct metric sum = {};

		for (size_t cpu = 0; cpu < n_cpus; cpu++) {
			sum.count += values[i * n_cpus + cpu].count;
			sum.sum += values[i * n_cpus + cpu].sum;
		}
		r = responses_add(responses, &keys[i], &sum);
	}
	return r;
}

/* By whole buckets of the map: one that does not fit into the batch asks for a larger one. */
static int read_all(int fd, size_t n_cpus, struct responses *responses)
{
	bool first = true;
	__u32 position;
	int r, added;

	for (size_t size = BATCH;;) {
		_cleanup_free_ struct metric_key *keys = calloc(size, sizeof(*keys));
		_cleanup_free_ struct metric *values = calloc(size * n_cpus, sizeof(*values));
		__u32 n = size;

		if (!keys || !values)
			return -ENOMEM;
		r = bpf_map_lookup_batch(fd, first ? NULL : &position, &position, keys, values, &n, NULL);
		if (r == -ENOSPC) {
			size *= 2;
			continue;
		}
		if (r < 0 && r != -ENOENT)
			return r;
		added = add_batch(responses, keys, values, n, n_cpus);
		if (added < 0 || r == -ENOENT)
			return added;
		first = false;
	}
}

int responses_read(const struct maps *maps, struct responses **ret)
{
	_cleanup_(responses_free_ptr) struct responses *responses = calloc(1, sizeof(*responses));
	int n_cpus = libbpf_num_possible_cpus();
	struct name *names;
	int r;

	if (!responses)
		return -ENOMEM;
	if (n_cpus < 0)
		return n_cpus;
	r = names_read(maps, &names);
	if (r < 0)
		return r;
	responses->names = names;
	r = read_all(maps->fd[MAP_METRICS], n_cpus, responses);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(responses);
	return 0;
}

void responses_free(struct responses *responses)
{
	if (!responses)
		return;
	for (size_t i = 0; i < MPBPF_NAMES_MAX; i++)
		free(responses->by[i]);
	free((void *)responses->names);
	free(responses);
}

void responses_free_ptr(struct responses **responses)
{
	responses_free(*responses);
	*responses = NULL;
}

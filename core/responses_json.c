// SPDX-License-Identifier: MIT
/* Floor 3: what was measured of requests and responses, under the names that scripts rely on. */
#include <stdio.h>
#include <cjson/cJSON.h>

#include "core/responses.h"
#include "core/util.h"

static const char *const methods[METHOD_MAX] = {
	[METHOD_OTHER] = "other", [METHOD_GET] = "GET",		[METHOD_HEAD] = "HEAD",
	[METHOD_POST] = "POST",	  [METHOD_PUT] = "PUT",		[METHOD_DELETE] = "DELETE",
	[METHOD_PATCH] = "PATCH", [METHOD_OPTIONS] = "OPTIONS", [METHOD_CONNECT] = "CONNECT",
	[METHOD_TRACE] = "TRACE",
};

/* Microseconds, to the nanosecond. */
static double us(double ns)
{
	return (uint64_t)(ns + 0.5) / 1000.0;
}

static bool add_methods(cJSON *json, const struct measured *m)
{
	cJSON *object = cJSON_AddObjectToObject(json, "methods");

	for (size_t i = 0; object && i < METHOD_MAX; i++)
		if (!cJSON_AddNumberToObject(object, methods[i], m->methods[i]))
			return false;
	return object;
}

/* Only statuses that occurred; but every class. */
static bool add_responses(cJSON *json, const struct measured *m)
{
	cJSON *responses = cJSON_AddObjectToObject(json, "responses");
	cJSON *status = responses ? cJSON_AddObjectToObject(responses, "status") : NULL;
	cJSON *classes = status ? cJSON_AddObjectToObject(responses, "classes") : NULL;
	uint64_t sums[STATUS_MAX / 100] = {};
	char name[8];

	for (unsigned int i = 100; classes && i < STATUS_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		sums[i / 100] += m->status[i];
		if (m->status[i] && !cJSON_AddNumberToObject(status, name, m->status[i]))
			return false;
	}
	for (unsigned int i = 1; classes && i < ARRAY_SIZE(sums); i++) {
		snprintf(name, sizeof(name), "%uxx", i);
		if ((i < 6 || sums[i]) && !cJSON_AddNumberToObject(classes, name, sums[i]))
			return false;
	}
	return classes;
}

/* Buckets that hold something; `le` is the value that all counted so far lie below. */
static bool add_buckets(cJSON *latency, const uint64_t *histogram)
{
	cJSON *array = cJSON_AddArrayToObject(latency, "histogram");
	uint64_t count = 0;

	for (size_t i = 0; array && i < HISTOGRAM_BUCKETS; i++) {
		cJSON *bucket;

		if (!histogram[i])
			continue;
		count += histogram[i];
		bucket = cJSON_CreateObject();
		if (!bucket || !cJSON_AddItemToArray(array, bucket))
			return false;
		/* The last bucket has no end, which JSON cannot say: one more sixteenth stands for it. */
		if (!cJSON_AddNumberToObject(bucket, "le", us(histogram_low(i + 1))) ||
		    !cJSON_AddNumberToObject(bucket, "count", count))
			return false;
	}
	return array;
}

static bool add_latency(cJSON *json, const char *name, const uint64_t *histogram)
{
	static const struct {
		const char *name;
		double q;
	} percentiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
	cJSON *latency = cJSON_AddObjectToObject(json, name);

	for (size_t i = 0; latency && i < ARRAY_SIZE(percentiles); i++)
		if (!cJSON_AddNumberToObject(latency, percentiles[i].name,
					     us(responses_percentile(histogram, percentiles[i].q))))
			return false;
	return latency && add_buckets(latency, histogram);
}

static bool add_measured(cJSON *json, const struct measured *m)
{
	cJSON *bytes;

	if (!add_methods(json, m) || !add_responses(json, m) || !add_latency(json, "latency_us", m->first) ||
	    !add_latency(json, "latency_last_us", m->last))
		return false;
	bytes = cJSON_AddObjectToObject(json, "bytes");
	return bytes && cJSON_AddNumberToObject(bytes, "in", m->in) && cJSON_AddNumberToObject(bytes, "out", m->out);
}

static bool add_named(cJSON *json, const char *name, const struct responses *responses, size_t from, size_t to)
{
	cJSON *object = cJSON_AddObjectToObject(json, name), *one;

	for (size_t i = from; object && i < to; i++) {
		if (!responses->by[i] || !responses->names[i].generation)
			continue;
		one = cJSON_AddObjectToObject(object, responses->names[i].text);
		if (!one || !add_measured(one, responses->by[i]))
			return false;
	}
	return object;
}

bool responses_json(cJSON *json, const struct responses *responses)
{
	return add_measured(json, &responses->all) &&
	       add_named(json, "listeners", responses, MPBPF_PREFIX_NAMES, MPBPF_LISTENER_NAMES) &&
	       add_named(json, "prefixes", responses, 1, MPBPF_PREFIX_NAMES) &&
	       add_named(json, "hosts", responses, MPBPF_PROTOCOL_NAMES + 1, MPBPF_NAMES_MAX);
}

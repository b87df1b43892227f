// SPDX-License-Identifier: MIT
/* Floor 3: what is measured of requests and responses. */
#include <string.h>

#include "core/config_internal.h"

static const struct rule metrics_prefix_rule = { .read = read_prefix, .expected = PREFIX_TEXT, .size = sizeof(char *) };

const struct rule metrics_rules[] = {
	BOOL("enable_request_metrics", struct metrics_config, request),
	BOOL("enable_response_metrics", struct metrics_config, response),
	BOOL("enable_timing_metrics", struct metrics_config, timing),
	BOOL("enable_size_metrics", struct metrics_config, size),
	{ .key = "sample_rate",
	  .read = read_number,
	  .expected = "a number from 0 to 1",
	  FIELD(struct metrics_config, sample_rate),
	  .min = 0,
	  .max = 1 },
	ARRAY("prefixes", struct metrics_config, prefixes, n_prefixes, 0, METRICS_PREFIXES_MAX, &metrics_prefix_rule),
	{},
};

/* Each would have the counters of the other. */
int metrics_finish(struct reader *r, void *object)
{
	const struct metrics_config *metrics = object;

	for (size_t i = 0; i < metrics->n_prefixes; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(metrics->prefixes[i], metrics->prefixes[k]))
				continue;
			path_key(r, "prefixes");
			path_index(r, i);
			return reader_fail(r, show_text(metrics->prefixes[i]).text,
					   "a prefix that prefixes[%zu] is not", k);
		}
	}
	return 0;
}

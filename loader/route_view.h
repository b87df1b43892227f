/* SPDX-License-Identifier: MIT */
/* Floor 5: routes, clusters and what a connection would take of them, as JSON. Each function: NULL is out of memory. */
#ifndef MPBPF_LOADER_ROUTE_VIEW_H
#define MPBPF_LOADER_ROUTE_VIEW_H

#include "core/route.h"
#include "loader/route_way.h"

struct cJSON;

/* What is asked about. */
struct route_question {
	size_t listener; /* its index */
	struct addr source;
	struct addr destination; /* captures */
	const char *host, *path; /* as given; NULL: not */
};

/* Gateways and captures with their rules in the order of precedence, and the clusters. live: NULL, or where `config` is in force */
struct cJSON *route_view_list(const struct config *config, const struct route_table *table,
			      const struct route_live *live);

/* The answer, and in *ret_found whether it is a cluster. */
struct cJSON *route_view_test(const struct config *config, const struct route_table *table,
			      const struct route_question *question, const struct route_live *live, bool *ret_found);

#endif

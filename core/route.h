/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: which cluster a gateway sends a connection or a request to, and by which rule. Pure: no I/O, no state but the
 * table.
 *
 * In this order, first match wins:
 *   1. source_routes of the listener: for captures the longest network that covers the destination; the longest network that
 *      covers the source, then the others as they stand
 *   2. http: routes whose hosts and prefix match: an exact host before the longest wildcard before any host; among
 *      those the longest prefix; among those the first in the file
 *   3. the listener's cluster_name
 */
#ifndef MPBPF_CORE_ROUTE_H
#define MPBPF_CORE_ROUTE_H

#include "core/config.h"

enum route_by { ROUTE_BY_NONE, ROUTE_BY_SOURCE, ROUTE_BY_REQUEST, ROUTE_BY_DEFAULT };

/* Why there is no cluster. */
enum route_why {
	ROUTE_FOUND,
	ROUTE_NO_SOURCE, /* tcp: no source route takes it, and there is no default */
	ROUTE_BAD_HOST,	 /* the host is none: too long, or with bytes that no host has */
	ROUTE_NO_HOST,	 /* no route is for that host */
	ROUTE_NO_PATH,	 /* those for that host are for other paths */
};

struct route_answer {
	enum route_by by;
	size_t rule;			      /* ROUTE_BY_SOURCE: of source_routes; ROUTE_BY_REQUEST: of routes */
	const struct service_config *service; /* NULL: nowhere, and `why` says why */
	uint32_t timeout_s;		      /* ROUTE_BY_REQUEST: the route's; else 0: never */
	enum route_why why;
};

struct route_table;

/* Refers to `config`, which must outlive it. Returns 0 or -ENOMEM. */
int route_table_new(const struct config *config, struct route_table **ret);
void route_table_free(struct route_table *table);
/* For _cleanup_(route_table_free_ptr). */
void route_table_free_ptr(struct route_table **table);

/*
 * route_match - what the listener does with a connection from `source`, and on http with a request for `host` and `path`
 * listener: its index in config->listeners
 * host: as Host or :authority has it, port and case do not matter; NULL: none was sent
 * path: in its one spelling (path_normalize()), without query; NULL: "/"
 */
void route_match(const struct route_table *table, size_t listener, const struct addr *source, const char *host,
		 const char *path, struct route_answer *ret);

/* Does the source alone decide? Then no byte has to be read first: it is tcp, or a source route takes it. */
bool route_by_source(const struct route_table *table, size_t listener, const struct addr *source,
		     struct route_answer *ret);

/* What a capture does with a connection from `source` that wants to go to `destination`. */
void route_capture(const struct route_table *table, size_t listener, const struct addr *source,
		   const struct addr *destination, struct route_answer *ret);

/* Is the rule for such a source, whatever its destination? */
bool source_matches(const struct source_match *match, const struct addr *source);

/* The i-th source route of a listener in the order of precedence: its index in config->source_routes, or SIZE_MAX. */
size_t route_source_at(const struct route_table *table, size_t listener, size_t i);

/* Does a path belong under a prefix: is it the prefix, or does it go on with '/' behind it? "/" has all. */
bool prefix_covers(const char *prefix, const char *path);

/* A route for one of its hosts. */
struct route_line {
	size_t route;	      /* its index in config->routes */
	const char *wildcard; /* "*" in front of `host`, or "" */
	const char *host;     /* in its one spelling; empty: with the wildcard every host */
};

/* The i-th in the order of precedence. false: there are not so many. */
bool route_host_at(const struct route_table *table, size_t i, struct route_line *ret);

/* "no route is for that host". */
const char *route_why_text(enum route_why why);

#endif

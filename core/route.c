// SPDX-License-Identifier: MIT
/* Floor 3: rules in the order of their precedence, so that the first that matches is the answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/host.h"
#include "core/route.h"
#include "core/util.h"

struct host_entry {
	enum host_kind kind;
	char *host; /* in its one spelling */
	size_t host_len, prefix_len, route;
};

struct source_entry {
	size_t listener, route;
	const struct source_match *match;
};

struct route_table {
	const struct config *config;
	struct host_entry *hosts;
	size_t n_hosts;
	struct source_entry *sources;
	size_t n_sources;
};

/* "/api/" is "/api"; "/" becomes "". */
static size_t prefix_len(const char *prefix)
{
	size_t len = strlen(prefix);

	return len && prefix[len - 1] == '/' ? len - 1 : len;
}

bool prefix_covers(const char *prefix, const char *path)
{
	size_t len = prefix_len(prefix);

	return path[0] == '/' && !strncmp(path, prefix, len) && (!path[len] || path[len] == '/');
}

bool source_matches(const struct source_match *match, const struct addr *source)
{
	if (match->by_destination)
		return false;
	return match->by_cidr ? cidr_covers(&match->cidr, source) : ntohl(source->w[3]) % match->mod == match->equals;
}

/* ---- the table ---- */

static int host_add(struct route_table *table, const char *text, size_t route)
{
	const char *prefix = table->config->routes[route].prefix;
	struct host_entry *entry = &table->hosts[table->n_hosts];
	char host[HOST_MAX];
	int kind = host_pattern(text, host);

	if (kind < 0)
		return 0; /* config.c has warned of it */
	*entry = (struct host_entry){ .kind = kind, .route = route, .prefix_len = prefix_len(prefix) };
	entry->host = strdup(host);
	if (!entry->host)
		return -ENOMEM;
	entry->host_len = strlen(host);
	table->n_hosts++;
	return 0;
}

static int by_number(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

/* Exact, then wildcards, the longest first, then any; then the longest prefix; then as in the file. */
static int host_order(const void *one, const void *other)
{
	const struct host_entry *a = one, *b = other;
	int order = by_number(b->kind, a->kind);

	if (!order && a->kind == HOST_WILDCARD)
		order = by_number(b->host_len, a->host_len);
	if (!order)
		order = by_number(b->prefix_len, a->prefix_len);
	return order ?: by_number(a->route, b->route);
}

static int hosts_fill(struct route_table *table)
{
	const struct config *config = table->config;
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < config->n_routes; i++)
		n += config->routes[i].n_hosts ?: 1;
	table->hosts = calloc(n ?: 1, sizeof(*table->hosts));
	if (!table->hosts)
		return -ENOMEM;
	for (size_t i = 0; err == 0 && i < config->n_routes; i++) {
		const struct route_config *route = &config->routes[i];

		for (size_t k = 0; err == 0 && k < route->n_hosts; k++)
			err = host_add(table, route->hosts[k], i);
		if (!route->n_hosts)
			err = host_add(table, "*", i);
	}
	qsort(table->hosts, table->n_hosts, sizeof(*table->hosts), host_order);
	return err;
}

/* Networks of destinations, then of sources, the longest first, then the others as in the file. */
static int source_order(const void *one, const void *other)
{
	const struct source_entry *a = one, *b = other;
	int order = by_number(a->listener, b->listener);

	if (!order)
		order = by_number(b->match->by_destination, a->match->by_destination);
	if (!order)
		order = by_number(b->match->by_cidr, a->match->by_cidr);
	if (!order && match_is_network(a->match))
		order = by_number(b->match->cidr.prefix, a->match->cidr.prefix);
	return order ?: by_number(a->route, b->route);
}

static int sources_fill(struct route_table *table)
{
	const struct config *config = table->config;

	table->sources = calloc(config->n_source_routes ?: 1, sizeof(*table->sources));
	if (!table->sources)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_source_routes; i++) {
		const struct source_route_config *route = &config->source_routes[i];
		size_t k = 0;

		while (k < config->n_listeners && strcmp(config->listeners[k].name, route->listener))
			k++;
		table->sources[table->n_sources++] = (struct source_entry){ k, i, &route->match };
	}
	qsort(table->sources, table->n_sources, sizeof(*table->sources), source_order);
	return 0;
}

int route_table_new(const struct config *config, struct route_table **ret)
{
	_cleanup_(route_table_free_ptr) struct route_table *table = calloc(1, sizeof(*table));
	int err;

	if (!table)
		return -ENOMEM;
	table->config = config;
	err = hosts_fill(table);
	if (err == 0)
		err = sources_fill(table);
	if (err < 0)
		return err;
	*ret = TAKE_PTR(table);
	return 0;
}

void route_table_free(struct route_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_hosts; i++)
		free(table->hosts[i].host);
	free(table->hosts);
	free(table->sources);
	free(table);
}

void route_table_free_ptr(struct route_table **table)
{
	route_table_free(*table);
	*table = NULL;
}

/* ---- asking it ---- */

static const struct source_entry *sources_of(const struct route_table *table, size_t listener, size_t *ret_n)
{
	size_t low = 0, end;

	while (low < table->n_sources && table->sources[low].listener < listener)
		low++;
	for (end = low; end < table->n_sources && table->sources[end].listener == listener;)
		end++;
	*ret_n = end - low;
	return table->sources + low;
}

size_t route_source_at(const struct route_table *table, size_t listener, size_t i)
{
	size_t n;
	const struct source_entry *entries = sources_of(table, listener, &n);

	return i < n ? entries[i].route : SIZE_MAX;
}

bool route_host_at(const struct route_table *table, size_t i, struct route_line *ret)
{
	if (i >= table->n_hosts)
		return false;
	*ret = (struct route_line){
		.route = table->hosts[i].route,
		.wildcard = table->hosts[i].kind == HOST_EXACT ? "" : "*",
		.host = table->hosts[i].host,
	};
	return true;
}

static void answer(const struct config *config, enum route_by by, size_t rule, const char *cluster,
		   struct route_answer *ret)
{
	*ret = (struct route_answer){ .by = by, .rule = rule, .service = config_service(config, cluster) };
	if (by == ROUTE_BY_REQUEST)
		ret->timeout_s = config->routes[rule].timeout_s;
}

/* The listener's own cluster, or why there is none. */
static void answer_default(const struct config *config, size_t listener, enum route_why why, struct route_answer *ret)
{
	const char *cluster = config->listeners[listener].cluster_name;

	if (cluster)
		answer(config, ROUTE_BY_DEFAULT, 0, cluster, ret);
	else
		*ret = (struct route_answer){ .why = why };
}

static void answer_source(const struct config *config, size_t route, struct route_answer *ret)
{
	answer(config, ROUTE_BY_SOURCE, route, config->source_routes[route].cluster_name, ret);
}

bool route_by_source(const struct route_table *table, size_t listener, const struct addr *source,
		     struct route_answer *ret)
{
	const struct config *config = table->config;
	size_t n;
	const struct source_entry *entries = sources_of(table, listener, &n);

	for (size_t i = 0; i < n; i++) {
		if (!source_matches(entries[i].match, source))
			continue;
		answer_source(config, entries[i].route, ret);
		return true;
	}
	if (config->listeners[listener].protocol == LISTENER_HTTP && config->n_routes)
		return false;
	answer_default(config, listener, ROUTE_NO_SOURCE, ret);
	return true;
}

void route_capture(const struct route_table *table, size_t listener, const struct addr *source,
		   const struct addr *destination, struct route_answer *ret)
{
	size_t n;
	const struct source_entry *entries = sources_of(table, listener, &n);

	for (size_t i = 0; i < n && entries[i].match->by_destination; i++) {
		if (!cidr_covers(&entries[i].match->cidr, destination))
			continue;
		answer_source(table->config, entries[i].route, ret);
		return;
	}
	route_by_source(table, listener, source, ret);
}

void route_match(const struct route_table *table, size_t listener, const struct addr *source, const char *host,
		 const char *path, struct route_answer *ret)
{
	const struct config *config = table->config;
	enum route_why why = ROUTE_NO_HOST;
	char normal[HOST_MAX] = "";

	if (route_by_source(table, listener, source, ret))
		return;
	if (host && host_normalize(host, normal) < 0) {
		*ret = (struct route_answer){ .why = ROUTE_BAD_HOST };
		return;
	}
	for (size_t i = 0; i < table->n_hosts; i++) {
		const struct host_entry *entry = &table->hosts[i];
		const struct route_config *route = &config->routes[entry->route];

		if (!host_matches(entry->kind, entry->host, normal))
			continue;
		why = ROUTE_NO_PATH;
		if (!prefix_covers(route->prefix, path ?: "/"))
			continue;
		answer(config, ROUTE_BY_REQUEST, entry->route, route->cluster_name, ret);
		return;
	}
	answer_default(config, listener, why, ret);
}

const char *route_why_text(enum route_why why)
{
	switch (why) {
	case ROUTE_NO_SOURCE: return "no source route takes it, and the listener has no cluster_name";
	case ROUTE_BAD_HOST: return "the host is none";
	case ROUTE_NO_HOST: return "no route is for that host, and the listener has no cluster_name";
	case ROUTE_NO_PATH: return "no route for that host is for that path, and the listener has no cluster_name";
	case ROUTE_FOUND: break;
	}
	return "";
}

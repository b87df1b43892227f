// SPDX-License-Identifier: MIT
/* Floor 4: what connections do with clusters, each on its worker's thread: they pick endpoints, count, and tell how these are. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "gateway/backend.h"

struct endpoint *upstream_endpoint(const struct upstream *upstream)
{
	return cluster_find(&upstream->backend->cluster, &upstream->place.addr, ntohs(upstream->place.port));
}

struct upstream *upstream_find(const struct backend *backend, size_t i)
{
	const struct endpoint *endpoint = &backend->cluster.endpoints[i];
	struct upstream *upstream;

	TAILQ_FOREACH(upstream, &backend->upstreams, link)
	if (upstream->place.port == htons(endpoint->port) &&
	    !memcmp(&upstream->place.addr, &endpoint->addr, sizeof(endpoint->addr)))
		return upstream;
	return NULL;
}

/* Those of the cluster's endpoints. */
static int tried_flags(const struct cluster *cluster, const struct place *tried, size_t n_tried, bool **ret)
{
	const struct endpoint *endpoint;

	if (!n_tried)
		return 0;
	*ret = calloc(cluster->n_endpoints ?: 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < n_tried; i++) {
		endpoint = cluster_find(cluster, &tried[i].addr, ntohs(tried[i].port));
		if (endpoint)
			(*ret)[endpoint - cluster->endpoints] = true;
	}
	return 0;
}

/* Picked and counted in one: whoever picks next knows of it. */
int backend_pick(struct backend *backend, const struct addr *source, const struct place *tried, size_t n_tried,
		 struct upstream **ret)
{
	struct cluster *cluster = &backend->cluster;
	_cleanup_free_ bool *flags = NULL;
	struct upstream *upstream = NULL;
	size_t i;
	int r = tried_flags(cluster, tried, n_tried, &flags);

	if (r < 0)
		return r;
	pthread_mutex_lock(&backend->lock);
	r = cluster_pick(cluster, source, flags, &i);
	if (r == 0)
		upstream = upstream_find(backend, i);
	if (upstream)
		cluster_opened(cluster, &upstream->place.addr, ntohs(upstream->place.port));
	pthread_mutex_unlock(&backend->lock);
	if (r == 0 && !upstream)
		r = -ENOMEM;
	if (r == 0)
		*ret = upstream;
	return r;
}

void upstream_done(struct upstream *upstream)
{
	struct backend *backend = upstream->backend;

	pthread_mutex_lock(&backend->lock);
	cluster_closed(&backend->cluster, &upstream->place.addr, ntohs(upstream->place.port));
	pthread_mutex_unlock(&backend->lock);
}

/* Returns whether its health has changed: to what the report says. */
static bool health_report(struct upstream *upstream, bool ok)
{
	struct backend *backend = upstream->backend;
	struct endpoint *endpoint;
	bool changed = false;

	if (!backend->service || backend->service->health.type == HEALTH_NONE)
		return false;
	pthread_mutex_lock(&backend->lock);
	endpoint = upstream_endpoint(upstream);
	if (endpoint)
		changed = endpoint_report(endpoint, &backend->service->health, ok);
	upstream->changes += changed;
	pthread_mutex_unlock(&backend->lock);
	return changed;
}

void upstream_report(struct upstream *upstream, bool ok, const char *why)
{
	struct gateway *gateway = upstream->backend->gateway;
	char text[PLACE_TEXT_MAX];

	if (!health_report(upstream, ok))
		return;
	gateway_changed(gateway);
	place_text(&upstream->place, text);
	gateway_note(gateway, "cluster %s: endpoint %s is %s%s%s", upstream->backend->name, text,
		     ok ? "healthy again" : "not healthy", ok ? "" : ": ", ok ? "" : why);
}

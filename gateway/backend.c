// SPDX-License-Identifier: MIT
/* Floor 4: clusters and their endpoints while they are served. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "gateway/backend.h"
#include "gateway/http.h"
#include "gateway/probe.h"
#include "gateway/session.h"

struct backend *backend_find(struct gateway *gateway, const char *name)
{
	struct backend *backend;

	TAILQ_FOREACH(backend, &gateway->backends, link)
	if (!strcmp(backend->name, name))
		return backend;
	return NULL;
}

static void hosts_free(struct host *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(hosts[i].addrs);
	free(hosts);
}

static void backend_free(struct backend *backend)
{
	TAILQ_REMOVE(&backend->gateway->backends, backend, link);
	hosts_free(backend->hosts, backend->n_hosts);
	cluster_free(&backend->cluster);
	pthread_mutex_destroy(&backend->lock);
	free(backend->name);
	free(backend);
}

struct backend *backend_get(struct gateway *gateway, const struct service_config *service)
{
	struct backend *backend = backend_find(gateway, service->name);

	if (backend)
		return backend;
	backend = calloc(1, sizeof(*backend));
	if (!backend)
		return NULL;
	backend->name = strdup(service->name);
	if (!backend->name) {
		free(backend);
		return NULL;
	}
	backend->gateway = gateway;
	pthread_mutex_init(&backend->lock, NULL);
	cluster_init(&backend->cluster, service->policy, clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)backend);
	TAILQ_INIT(&backend->upstreams);
	TAILQ_INSERT_TAIL(&gateway->backends, backend, link);
	return backend;
}

/* ---- endpoints ---- */

static void upstream_free(struct upstream *upstream)
{
	TAILQ_REMOVE(&upstream->backend->upstreams, upstream, link);
	probe_close(upstream->probe);
	event_del(&upstream->drain);
	free(upstream);
}

static bool upstream_is_used(const struct upstream *upstream)
{
	bool used = false;

	for (size_t i = 0; i < upstream->backend->gateway->n_workers; i++)
		used |= !TAILQ_EMPTY(&upstream->shares[i].sessions) || !TAILQ_EMPTY(&upstream->shares[i].servers);
	return used;
}

static void share_end(struct upstream_share *share)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&share->sessions)))
		session_reset(session);
	http_drop_all(share);
}

static void on_drained(evutil_socket_t fd, short what, void *data)
{
	struct upstream *upstream = data;
	struct gateway *gateway = upstream->backend->gateway;

	(void)fd;
	(void)what;
	workers_halt(gateway);
	for (size_t i = 0; i < gateway->n_workers; i++)
		share_end(&upstream->shares[i]);
	backends_settle(gateway);
	workers_go(gateway);
}

static struct upstream *upstream_new(struct backend *backend, const struct place *place)
{
	struct gateway *gateway = backend->gateway;
	struct upstream *upstream;

	upstream = shares_alloc(sizeof(*upstream), sizeof(upstream->shares[0]), gateway->n_workers);
	if (!upstream)
		return NULL;
	upstream->backend = backend;
	upstream->place = *place;
	for (size_t i = 0; i < gateway->n_workers; i++) {
		TAILQ_INIT(&upstream->shares[i].sessions);
		TAILQ_INIT(&upstream->shares[i].servers);
		TAILQ_INIT(&upstream->shares[i].idle);
	}
	loop_event(gateway->base, &upstream->drain, -1, 0, on_drained, upstream);
	TAILQ_INSERT_TAIL(&backend->upstreams, upstream, link);
	return upstream;
}

static struct upstream *upstream_get(struct backend *backend, size_t i)
{
	const struct endpoint *endpoint = &backend->cluster.endpoints[i];
	const struct place place = { .addr = endpoint->addr, .port = htons(endpoint->port) };

	return upstream_find(backend, i) ?: upstream_new(backend, &place);
}

static void upstream_leave(struct upstream *upstream)
{
	struct timeval drain = { .tv_sec = upstream->backend->drain_s };

	for (size_t i = 0; i < upstream->backend->gateway->n_workers; i++)
		http_drop_idle(&upstream->shares[i]);
	upstream->gone = true;
	probe_close(TAKE_PTR(upstream->probe));
	if (!upstream_is_used(upstream))
		upstream_free(upstream);
	else
		event_add(&upstream->drain, &drain);
}

/* One that is tried no more counts as healthy. */
static void upstream_stay(struct upstream *upstream)
{
	upstream->gone = false;
	event_del(&upstream->drain);
	if (upstream->backend->service->health.type == HEALTH_NONE)
		upstream_endpoint(upstream)->healthy = true;
	else if (!upstream->probe)
		upstream->probe = probe_open(upstream);
}

/* One more address of a host. */
static int endpoint_add(struct backend *backend, const struct host *host, const struct addr *addr,
			struct endpoint **list, size_t *n)
{
	struct endpoint *longer = realloc(*list, (*n + 1) * sizeof(**list));

	if (!longer)
		return -ENOMEM;
	*list = longer;
	longer[(*n)++] = (struct endpoint){ .addr = *addr, .port = backend->service->port, .weight = host->weight };
	return 0;
}

static int endpoints_list(struct backend *backend, struct endpoint **ret, size_t *ret_n)
{
	int r = 0;

	for (size_t i = 0; i < backend->n_hosts; i++)
		for (size_t k = 0; r == 0 && k < backend->hosts[i].n_addrs; k++)
			r = endpoint_add(backend, &backend->hosts[i], &backend->hosts[i].addrs[k], ret, ret_n);
	return r;
}

void backend_refresh(struct backend *backend)
{
	_cleanup_free_ struct endpoint *list = NULL;
	struct upstream *upstream, *next;
	size_t n = 0, i;

	if (endpoints_list(backend, &list, &n) < 0 || cluster_set(&backend->cluster, list, n) < 0) {
		gateway_note(backend->gateway, "cluster %s: out of memory, its endpoints stay as they were",
			     backend->name);
		return;
	}
	for (i = 0; i < backend->cluster.n_endpoints; i++) {
		upstream = upstream_get(backend, i);
		if (upstream)
			upstream_stay(upstream);
	}
	for (upstream = TAILQ_FIRST(&backend->upstreams); upstream; upstream = next) {
		next = TAILQ_NEXT(upstream, link);
		if (!upstream_endpoint(upstream) && !upstream->gone)
			upstream_leave(upstream);
	}
	gateway_changed(backend->gateway);
}

/* ---- configuration ---- */

/* The addresses that a name had stay until it is asked for again. */
static int host_fill(struct host *host, const struct backend *backend, const char *name, uint32_t weight)
{
	const struct host *was = NULL;
	struct addr addr;
	struct host literal = { .addrs = &addr, .n_addrs = 1 };

	*host = (struct host){ .name = name, .weight = weight };
	for (size_t i = 0; i < backend->n_hosts && !was; i++)
		if (!strcmp(backend->hosts[i].name, name))
			was = &backend->hosts[i];
	if (cidr_parse_address(name, &addr, NULL))
		was = &literal;
	if (!was || !was->n_addrs)
		return 0;
	host->addrs = malloc(was->n_addrs * sizeof(addr));
	if (!host->addrs)
		return -ENOMEM;
	memcpy(host->addrs, was->addrs, was->n_addrs * sizeof(addr));
	host->n_addrs = was->n_addrs;
	return 0;
}

/* Before the configuration that the names of the old ones are in goes. */
static void hosts_set(struct backend *backend)
{
	const struct service_config *service = backend->service;
	size_t n = service ? service->n_hosts : 0, i;
	struct host *hosts = calloc(n ?: 1, sizeof(*hosts));

	for (i = 0; hosts && i < n; i++)
		if (host_fill(&hosts[i], backend, service->hosts[i], service->weights ? service->weights[i] : 1) < 0)
			gateway_note(backend->gateway, "cluster %s: out of memory, without %s", backend->name,
				     service->hosts[i]);
	hosts_free(backend->hosts, backend->n_hosts);
	backend->hosts = hosts;
	backend->n_hosts = hosts ? n : 0;
}

/* They begin anew, by the new settings. */
static void probes_stop(struct backend *backend)
{
	struct upstream *upstream;

	TAILQ_FOREACH(upstream, &backend->upstreams, link)
	probe_close(TAKE_PTR(upstream->probe));
}

void backend_apply(struct backend *backend, const struct service_config *service)
{
	backend->service = service;
	if (service) {
		backend->drain_s = service->drain_s;
		backend->cluster.policy = service->policy;
	}
	probes_stop(backend);
	hosts_set(backend);
	backend_refresh(backend);
	if (!service && TAILQ_EMPTY(&backend->upstreams))
		backend_free(backend);
}

static void backend_settle(struct backend *backend)
{
	struct upstream *upstream, *next;

	for (upstream = TAILQ_FIRST(&backend->upstreams); upstream; upstream = next) {
		next = TAILQ_NEXT(upstream, link);
		if (upstream->gone && !upstream_is_used(upstream))
			upstream_free(upstream);
	}
	if (!backend->service && TAILQ_EMPTY(&backend->upstreams))
		backend_free(backend);
}

void backends_settle(struct gateway *gateway)
{
	struct backend *backend, *next;

	for (backend = TAILQ_FIRST(&gateway->backends); backend; backend = next) {
		next = TAILQ_NEXT(backend, link);
		backend_settle(backend);
	}
}

void backends_free(struct gateway *gateway)
{
	struct backend *backend, *next;

	for (backend = TAILQ_FIRST(&gateway->backends); backend; backend = next) {
		next = TAILQ_NEXT(backend, link);
		backend_apply(backend, NULL);
	}
	backends_settle(gateway);
}

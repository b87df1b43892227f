/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: a cluster while it is served: core/cluster.h says which endpoint takes a connection, this is what becomes of
 * them. One that the configuration has no more is served on until its connections have ended or `drain_s` is over.
 */
#ifndef MPBPF_GATEWAY_BACKEND_H
#define MPBPF_GATEWAY_BACKEND_H

#include <stdint.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "core/cluster.h"
#include "gateway/gateway_internal.h"
#include "gateway/socket.h"

struct backend;
struct probe;
struct http_server;
struct session;

TAILQ_HEAD(session_list, session);
TAILQ_HEAD(http_server_list, http_server);

/* What an endpoint was sent: by each worker, or all together. See counts_add(). */
struct upstream_counts {
	struct traffic traffic;
	uint64_t failed;	    /* connections that did not come about */
	uint64_t requests, retried; /* http: sent to it; of those, again because a connection had ended */
};

/* What a worker has of an endpoint. */
struct upstream_share {
	struct upstream_counts counts;
	struct session_list sessions;
	struct http_server_list servers, idle; /* http: every connection to it, those without a request */
} WORKER_ALIGNED;

/* An endpoint. */
struct upstream {
	struct backend *backend;
	struct place place;
	uint64_t changes;      /* from healthy to not, and back; under the backend's lock */
	bool gone;	       /* no endpoint of the cluster any more; ends with its last session */
	_Atomic size_t n_idle; /* http: connections without a request, of all workers */
	struct event drain;    /* once it is gone: the end of its sessions */
	struct probe *probe;   /* NULL: it is not tried */
	TAILQ_ENTRY(upstream) link;
	struct upstream_share shares[]; /* of each worker */
};

/* What one of a service's hosts is: an address, or a name and the addresses that it has now. */
struct host {
	const char *name; /* of the configuration in force */
	uint32_t weight;
	struct addr *addrs;
	size_t n_addrs;
	bool failed; /* to be resolved, and that it was said */
};

struct backend {
	struct gateway *gateway;
	char *name;
	const struct service_config *service; /* of the configuration in force; NULL: it is gone */
	uint32_t drain_s;
	/*
	 * Of what changes of the cluster while workers run: who has how many connections, whose turn it is, who is healthy. Who
	 * is in it changes only while they stand still.
	 */
	pthread_mutex_t lock;
	struct cluster cluster;
	struct host *hosts;
	size_t n_hosts;
	TAILQ_HEAD(, upstream) upstreams;
	TAILQ_ENTRY(backend) link;
};

struct backend *backend_find(struct gateway *gateway, const char *name);

/* From here to backends_settle(): while the workers stand still. The one for `service`, made when it is missing; or NULL: out of memory. */
struct backend *backend_get(struct gateway *gateway, const struct service_config *service);
/* From now on it is as `service` says; NULL: gone. Its upstreams, and what they do, follow. */
void backend_apply(struct backend *backend, const struct service_config *service);
/* Makes the endpoints those of `hosts`, whose addresses may have changed. */
void backend_refresh(struct backend *backend);
/* At the end: without sessions. */
void backends_free(struct gateway *gateway);
/* Frees the endpoints that are gone and have no connection, and so their backends. */
void backends_settle(struct gateway *gateway);

static inline struct upstream_share *upstream_share(struct upstream *upstream, const struct worker *worker)
{
	return &upstream->shares[worker->index];
}

/* The upstream of the cluster's endpoint `i`; NULL: memory was short when that came. */
struct upstream *upstream_find(const struct backend *backend, size_t i);
/* The endpoint of an upstream; NULL: it is gone. */
struct endpoint *upstream_endpoint(const struct upstream *upstream);

/*
 * backend_pick - the endpoint for a connection, or a request, from `source`, which counts with the cluster's until upstream_done()
 * tried: n_tried places that did not take it
 *
 * Returns 0, or -errno: there is none; -ENOMEM.
 */
int backend_pick(struct backend *backend, const struct addr *source, const struct place *tried, size_t n_tried,
		 struct upstream **ret);
void upstream_done(struct upstream *upstream);

/* A try of the upstream, or a connection to it, succeeded, or failed for the reason `why`. */
void upstream_report(struct upstream *upstream, bool ok, const char *why);

#endif

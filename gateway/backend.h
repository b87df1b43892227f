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

/* An endpoint. */
struct upstream {
	struct backend *backend;
	struct place place;
	struct traffic traffic;
	uint64_t failed;  /* connections that did not come about */
	uint64_t changes; /* from healthy to not, and back */
	bool gone;	  /* no endpoint of the cluster any more; ends with its last session */
	struct session_list sessions;
	struct http_server_list servers, idle; /* http: every connection to it, those without a request */
	size_t n_idle;
	uint64_t requests, retried; /* http: sent to it; of those, again because a connection had ended */
	struct event drain;	    /* once it is gone: the end of its sessions */
	struct probe *probe;	    /* NULL: it is not tried */
	TAILQ_ENTRY(upstream) link;
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
	struct cluster cluster;
	struct host *hosts;
	size_t n_hosts;
	TAILQ_HEAD(, upstream) upstreams;
	TAILQ_ENTRY(backend) link;
};

struct backend *backend_find(struct gateway *gateway, const char *name);
/* The one for `service`, made when it is missing; or NULL: out of memory. */
struct backend *backend_get(struct gateway *gateway, const struct service_config *service);
/* From now on it is as `service` says; NULL: gone. Its upstreams, and what they do, follow. */
void backend_apply(struct backend *backend, const struct service_config *service);
/* Makes the endpoints those of `hosts`, whose addresses may have changed. */
void backend_refresh(struct backend *backend);
/* Frees what is gone and has no session: maybe the upstream and the backend of a session that has just ended. */
void upstream_settle(struct upstream *upstream);
/* At the end: without sessions. */
void backends_free(struct gateway *gateway);

/* The upstream of the cluster's endpoint `i`, or NULL: out of memory. */
struct upstream *backend_upstream(struct backend *backend, size_t i);
/* A try of the upstream, or a connection to it, succeeded, or failed for the reason `why`. */
void upstream_report(struct upstream *upstream, bool ok, const char *why);

#endif

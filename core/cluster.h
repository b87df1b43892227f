/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: which endpoint of a cluster takes a connection. Pure: no I/O, no clock; names are resolved and endpoints are
 * tried by others, who say so here.
 */
#ifndef MPBPF_CORE_CLUSTER_H
#define MPBPF_CORE_CLUSTER_H

#include "core/config.h"

/* Sources are spread over so many slots, and slots over endpoints: what the kernel looks up is who has the slot. */
#define CLUSTER_SLOTS 4096

struct endpoint {
	/* Who it is. */
	struct addr addr; /* IPv4 mapped */
	uint16_t port;
	uint32_t weight; /* 0 to 1000; 0: no new connections */
	/* How it is. cluster_set() keeps this for those who stay. */
	bool healthy;	      /* true until tries failed `fall` times in a row */
	uint32_t streak;      /* tries in a row that spoke against `healthy` */
	uint32_t connections; /* open now */
	int64_t current;      /* smooth weighted round robin: credit */
};

struct cluster {
	enum balance_policy policy;
	struct endpoint *endpoints;
	size_t n_endpoints;
	size_t next;	 /* least_conn: where to look first, so that equals take turns */
	uint64_t random; /* state of the generator */
};

/* An empty cluster. `seed`: for BALANCE_RANDOM; any number, different in each process. */
void cluster_init(struct cluster *cluster, enum balance_policy policy, uint64_t seed);
void cluster_free(struct cluster *cluster);

/*
 * cluster_set - from now on the endpoints are these
 * list: addr, port and weight of each, the rest is not looked at; those that the cluster has already stay as they are,
 * new ones count as healthy. The same addr and port twice is one endpoint with both weights.
 *
 * Returns 0 or -ENOMEM; the cluster is untouched on failure.
 */
int cluster_set(struct cluster *cluster, const struct endpoint *list, size_t n);

/*
 * cluster_pick - an endpoint for a new connection from `source`, by the cluster's policy, among the healthy ones
 * tried: n_endpoints flags, those that already failed this connection; NULL: none did
 *
 * The caller counts the connection by cluster_opened() when it is made. Returns 0 and the index in endpoints;
 * -ENOENT: no endpoint is healthy and has a weight; -EHOSTUNREACH: there are such, but each was tried.
 */
int cluster_pick(struct cluster *cluster, const struct addr *source, const bool *tried, size_t *ret);

/* NULL: it is not, or no more, one of them. Valid until cluster_set(). */
struct endpoint *cluster_find(const struct cluster *cluster, const struct addr *addr, uint16_t port);

/* Counts a connection, and its end; fine for an endpoint that is gone. */
void cluster_opened(struct cluster *cluster, const struct addr *addr, uint16_t port);
void cluster_closed(struct cluster *cluster, const struct addr *addr, uint16_t port);

/* A try of its health succeeded or failed. true: `healthy` has changed. */
bool endpoint_report(struct endpoint *endpoint, const struct health_config *health, bool ok);

/*
 * source_hash: the slot of a source (an IPv4 address, an IPv6 /64), and who of the healthy has a slot by weighted
 * rendezvous hashing. The same on every node and after every restart; when an endpoint goes, only its slots move.
 */
uint32_t cluster_slot(const struct addr *source);
int cluster_slot_owner(const struct cluster *cluster, uint32_t slot, const bool *tried, size_t *ret);

#endif

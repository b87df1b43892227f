/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: capturing: the maps by which the kernel sends connections of a cgroup, or to this host, elsewhere, and what it tells of
 * those that go through the relay.
 *
 * A configuration says what is captured: that goes into the maps with its generation. Which endpoints there are is the agent's to
 * say, again and again; before it has, everything goes through its relay.
 */
#ifndef MPBPF_CORE_CAPTURE_H
#define MPBPF_CORE_CAPTURE_H

#include "core/cluster.h"
#include "core/config.h"
#include "core/maps.h"
#include "mpbpf/capture.h"

enum capture_why {
	CAPTURE_WORKS,
	CAPTURE_SENDS_PROXY, /* the cluster's endpoints get PROXY headers */
	CAPTURE_LEAST_CONN,  /* the policy counts connections */
	CAPTURE_SOURCE_HASH, /* the policy goes by the source, which a connection that is being made has not yet */
};

/* Why the kernel itself chooses no endpoint of that cluster; CAPTURE_WORKS: it does. */
enum capture_why capture_service_why(const struct service_config *service);
const char *capture_why_text(enum capture_why why);

/* Does the listener of that name, or a rule of it, lead to that service? */
bool capture_leads_to(const struct config *config, const char *listener, const char *service);

/*
 * The numbers of services in ret[config->n_services], from 1: of those that captures lead to. CAPTURE_RELAYED beyond
 * MPBPF_CAPTURE_CLUSTERS; 0: none leads there.
 */
void capture_numbers(const struct config *config, uint32_t *ret);

/*
 * capture_publish - writes the captures of `config`, their networks and rules under `generation`
 *
 * Returns 0; -E2BIG: a map is full; -errno. What was written is deleted with the keys of its generation (core/policy.c).
 */
int capture_publish(const struct maps *maps, const struct config *config, uint32_t generation);

/* The hash of a cgroup's path, as programs know it. */
uint64_t capture_cgroup(const char *path);
/* Of all in a service's configuration that says which endpoints there may be. */
uint64_t capture_definition(const struct service_config *service);

/* What the kernel needs of a cluster. */
void capture_cluster_of(const struct service_config *service, const struct cluster *cluster, uint32_t generation,
			uint64_t netns, struct capture_cluster *ret);
/* The cookie of this process's network namespace; 0: unknown. */
uint64_t capture_netns(void);
/* 0 or -errno. */
int capture_cluster_write(const struct maps *maps, uint32_t number, const struct capture_cluster *cluster);

/* A socket of ours that is going to connect: not captured on its way out. 0 or -errno. */
int capture_exempt(const struct maps *maps, int fd);
/*
 * What goes there is not captured where it comes in, until it is (`is`). The kernel writes beside that from where sockets connect that
 * capture_exempt() has seen. capture_own_clear(): none of it holds. 0 or -errno; -E2BIG: there are too many.
 */
int capture_own(const struct maps *maps, const struct addr *addr, __be16 port, bool is);
void capture_own_clear(const struct maps *maps);
/* The listening sockets of the relay for that capture; fds[]: by family, IPv4 first; -1: none. 0 or -errno. */
int capture_relay_write(const struct maps *maps, const char *name, bool in, const int fds[2]);
/* What relays and counters of a capture go by: what comes and what goes out may have the same name, one after the other. */
uint64_t capture_id(const char *name, bool in);
/* Forgets relays, and what was counted, of captures that there are no more. */
void capture_purge(const struct maps *maps, const struct config *config);

/* Where the connection that comes from there to that port of the relay wanted to go: told once. false: it is not captured. */
bool capture_original(const struct maps *maps, const struct addr *from, __be16 from_port, __be16 relay,
		      struct relayed *ret);

/* What was counted of a capture, of connections to that service; NULL: that led to none, or which the relay found out. */
void capture_stats_read(const struct maps *maps, const char *listener, bool in, const char *service,
			struct capture_stats *ret);

#endif

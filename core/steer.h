/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: steering: which connections of gateways the kernel may give to an endpoint's own listening socket, and the maps by
 * which it does.
 *
 * A configuration says what is steered at all: that goes into the maps with its generation. Which endpoints there are is the
 * agent's to say, again and again; before it has, everything is relayed.
 */
#ifndef MPBPF_CORE_STEER_H
#define MPBPF_CORE_STEER_H

#include "core/cluster.h"
#include "core/config.h"
#include "core/maps.h"
#include "mpbpf/steer.h"

#define STEER_ENDPOINTS_MAX 64 /* of a cluster that is steered to: who has which slot is to be known at once */

/* Why no connection of that listener, which is a gateway, is steered; STEER_WORKS: some may be. */
enum steer_why steer_listener_why(const struct config *config, size_t listener);
/* The same of a cluster. */
enum steer_why steer_service_why(const struct config *config, size_t service);
/* "the listener accepts PROXY headers". */
const char *steer_why_text(enum steer_why why);

/*
 * The numbers of the services that are steered to, from 1, in ret[config->n_services]; of the others 0. Those that no listener
 * which is steered can lead to have none.
 */
void steer_numbers(const struct config *config, uint32_t *ret);
/* Is there any, or a capture of what comes, for which the same program works? */
bool steer_wanted(const struct config *config);

/*
 * steer_publish - writes the gateways of `config` and their networks under `generation`
 *
 * Returns 0; -E2BIG: a map is full; -errno. What was written is deleted with the keys of its generation (core/policy.c).
 */
int steer_publish(const struct maps *maps, const struct config *config, uint32_t generation);

/*
 * What captures have in common with that. numbers: those of services, 0: none; steer_gateway_of() takes listeners of at most
 * MPBPF_STEER_RULES rules that are no networks. gateway: under which number networks are written, those of destinations or those of
 * sources. 0; -E2BIG; -errno.
 */
size_t steer_count_rules(const struct config *config, const struct listener_config *listener);
void steer_gateway_of(const struct config *config, size_t listener, const uint32_t *numbers, struct gateway *ret);
int steer_networks_write(int fd, const struct config *config, size_t listener, uint32_t generation,
			 const uint32_t *numbers, uint32_t gateway, bool destinations);

/*
 * steer_cluster_of - who has which slot
 * places: for each endpoint 1 + its place in `backends`; 0: its socket is nowhere on this node
 *
 * By the source: each slot belongs to the endpoint that the gateway would take, and if that is not on this node it is left to
 * the gateway. By the flow: to each its share; that takes all of them to be here, for the gateway, which had to make up for the
 * others, knows nothing of what was steered.
 */
void steer_cluster_of(const struct cluster *cluster, const uint32_t *places, uint32_t generation,
		      struct steer_cluster *ret);

/*
 * steer_cluster_put - makes `ret`, in maps.clusters, what `value` is, while programs read it
 *
 * Of one generation, a program finds in its slot who had it or who has it. Of another, it finds no slot but what was there before
 * the head, which it looks at first; and none reads the generation whose place this takes, for its successor is in force.
 */
void steer_cluster_put(const struct steer_cluster *value, struct steer_cluster *ret);

/* What was counted of a listener. */
void steer_stats_read(const struct maps *maps, const struct listener_config *listener, struct steer_stats *ret);
/* Forgets what was counted of gateways that there are no more. */
void steer_stats_purge(const struct maps *maps, const struct config *config);

#endif

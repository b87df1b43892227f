/* SPDX-License-Identifier: MIT */
/* Floor 5: which way a connection of a gateway takes: steered to an endpoint's own socket, or relayed, and why. */
#ifndef MPBPF_LOADER_ROUTE_WAY_H
#define MPBPF_LOADER_ROUTE_WAY_H

#include "core/config.h"
#include "core/maps.h"

struct cJSON;

/* The data path that has this very configuration in force. */
struct route_live {
	const char *pin_root;
	const struct maps *maps;
};

/*
 * Each adds `way` ("steer", "relay", or "http": request by request) and `way_why`: what speaks against steering, or what it
 * depends on; null: nothing.
 * live: NULL: the configuration alone is known
 */
void route_way_listener(struct cJSON *json, const struct config *config, size_t listener);
/* number: of steer_numbers() */
void route_way_cluster(struct cJSON *json, const struct config *config, size_t service, uint32_t number,
		       const struct route_live *live);
/* Of a connection from `source` to that listener, which goes to that service. */
void route_way_test(struct cJSON *json, const struct config *config, size_t listener, size_t service,
		    const struct addr *source, const struct route_live *live);

#endif

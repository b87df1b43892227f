/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: which way a connection takes: of a gateway, steered to an endpoint's own socket, or relayed; of a capture, straight to an
 * endpoint, or relayed; and why.
 */
#ifndef MPBPF_LOADER_ROUTE_WAY_H
#define MPBPF_LOADER_ROUTE_WAY_H

#include "core/maps.h"
#include "core/route.h"

struct cJSON;

/* The data path that has this very configuration in force. */
struct route_live {
	const char *pin_root;
	const struct maps *maps;
};

/*
 * Each adds `way` ("steer", "direct", "relay", or "http": request by request) and `way_why`: what speaks against the others, or
 * what it depends on; null: nothing.
 * live: NULL: the configuration alone is known
 */
void route_way_listener(struct cJSON *json, const struct config *config, size_t listener);
/* number: of steer_numbers() */
void route_way_cluster(struct cJSON *json, const struct config *config, size_t service, uint32_t number,
		       const struct route_live *live);
/* Of a connection from `source` that the listener gets, and that goes where `answer` says, which is somewhere. */
void route_way_test(struct cJSON *json, const struct config *config, size_t listener, const struct route_answer *answer,
		    const struct addr *source, const struct route_live *live);

#endif

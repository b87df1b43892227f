// SPDX-License-Identifier: MIT
/* Floor 5: which way a connection of a gateway takes, from the configuration and, where it is in force, the kernel's maps. */
#include <stdlib.h>
#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "core/steer.h"
#include "core/util.h"
#include "loader/route_way.h"
#include "loader/steering.h"

/* why: NULL: nothing speaks against it */
static void add_way(cJSON *json, const char *way, const char *why)
{
	cJSON_AddStringToObject(json, "way", way);
	if (why && why[0])
		cJSON_AddStringToObject(json, "way_why", why);
	else
		cJSON_AddNullToObject(json, "way_why");
}

static void add_why(cJSON *json, enum steer_why why)
{
	add_way(json, why == STEER_WORKS ? "steer" : why == STEER_HTTP ? "http" : "relay", steer_why_text(why));
}

/* What the kernel goes by. NULL, and why, where nothing is steered to that cluster. */
static struct steer_cluster *cluster_read(const struct route_live *live, uint32_t number, enum steer_why *ret_why)
{
	__u32 generation = live->maps->control->generation;
	__u32 at = (generation & 1) * MPBPF_STEER_CLUSTERS + number - 1;
	_cleanup_free_ struct steer_cluster *cluster = malloc(sizeof(*cluster));

	*ret_why = STEER_UNKNOWN;
	if (!cluster || bpf_map_lookup_elem(live->maps->fd[MAP_CLUSTERS], &at, cluster) < 0 ||
	    cluster->head.generation != generation)
		return NULL;
	*ret_why = cluster->head.why < STEER_WHY_MAX ? cluster->head.why : STEER_UNKNOWN;
	return *ret_why == STEER_WORKS ? TAKE_PTR(cluster) : NULL;
}

static bool listens(const struct route_live *live, __u32 place)
{
	uint64_t cookie;

	return bpf_map_lookup_elem(live->maps->fd[MAP_BACKENDS], &place, &cookie) == 0;
}

/* source: NULL: anybody's */
static void add_live(cJSON *json, const struct route_live *live, uint32_t number, const struct addr *source)
{
	_cleanup_free_ struct steer_cluster *cluster = NULL;
	enum steer_why why;
	__u16 slot;

	if (!steering_attached(live->pin_root)) {
		add_way(json, "relay", "steering is not attached: `mpbpf check` says whether this kernel can");
		return;
	}
	cluster = cluster_read(live, number, &why);
	if (!cluster || !source || cluster->head.by != STEER_BY_SOURCE) {
		add_why(json, why);
		return;
	}
	slot = cluster->slots[cluster_slot(source)];
	if (!slot)
		add_why(json, STEER_FAR);
	else if (!listens(live, slot - 1))
		add_way(json, "relay", "its endpoint does not listen now");
	else
		add_way(json, "steer", NULL);
}

static void add_cluster(cJSON *json, const struct config *config, size_t service, uint32_t number,
			const struct addr *source, const struct route_live *live)
{
	enum steer_why why = steer_service_why(config, service);

	if (why != STEER_WORKS)
		add_why(json, why);
	else if (!number)
		add_way(json, "relay",
			source ? steer_why_text(STEER_CLUSTERS) : "no listener that is steered leads there");
	else if (live)
		add_live(json, live, number, source);
	else
		add_way(json, "steer", "where the endpoint is on this node, and listens");
}

void route_way_listener(cJSON *json, const struct config *config, size_t listener)
{
	add_why(json, steer_listener_why(config, listener));
}

void route_way_cluster(cJSON *json, const struct config *config, size_t service, uint32_t number,
		       const struct route_live *live)
{
	add_cluster(json, config, service, number, NULL, live);
}

void route_way_test(cJSON *json, const struct config *config, size_t listener, size_t service,
		    const struct addr *source, const struct route_live *live)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services, sizeof(*numbers));
	enum steer_why why = steer_listener_why(config, listener);

	if (numbers)
		steer_numbers(config, numbers);
	if (why == STEER_WORKS)
		add_cluster(json, config, service, numbers ? numbers[service] : 0, source, live);
	else
		add_why(json, why);
}

// SPDX-License-Identifier: MIT
/* Floor 5: which way a connection of a gateway takes, from the configuration and, where it is in force, the kernel's maps. */
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "core/capture.h"
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

/* ---- captures ---- */

#define SAME_FAMILY "where the endpoint's address is of the destination's family"

static bool goes_by_source(const struct config *config, const struct listener_config *listener)
{
	for (size_t i = 0; i < config->n_source_routes; i++)
		if (!strcmp(config->source_routes[i].listener, listener->name) &&
		    !config->source_routes[i].match.by_destination)
			return true;
	return false;
}

static bool is_by_destination(const struct config *config, const struct route_answer *answer)
{
	return answer->by == ROUTE_BY_SOURCE && config->source_routes[answer->rule].match.by_destination;
}

static bool is_beyond(const struct config *config, const struct service_config *service)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services, sizeof(*numbers));

	if (!numbers)
		return false;
	capture_numbers(config, numbers);
	return numbers[service - config->services] == CAPTURE_RELAYED;
}

static void add_capture(cJSON *json, const struct config *config, size_t listener, const struct route_answer *answer)
{
	enum capture_why why = capture_service_why(answer->service);
	bool by_destination = is_by_destination(config, answer);

	if (why != CAPTURE_WORKS)
		add_way(json, "relay", capture_why_text(why));
	else if (is_beyond(config, answer->service))
		add_way(json, "relay", "captures lead to more than 64 clusters");
	else if (!by_destination && steer_count_rules(config, &config->listeners[listener]) > MPBPF_STEER_RULES)
		add_way(json, "relay", "the listener has more than 16 rules by source that are no networks");
	else if (!by_destination && goes_by_source(config, &config->listeners[listener]))
		add_way(json, "relay", "the source decides, which a socket has only if it is bound: then direct");
	else
		add_way(json, "direct", SAME_FAMILY);
}

/* ---- each ---- */

void route_way_listener(cJSON *json, const struct config *config, size_t listener)
{
	if (listener_captures(&config->listeners[listener], CAPTURE_OUT))
		add_way(json, "direct", "where the destination decides, and the cluster lets it");
	else
		add_why(json, steer_listener_why(config, listener));
}

void route_way_cluster(cJSON *json, const struct config *config, size_t service, uint32_t number,
		       const struct route_live *live)
{
	add_cluster(json, config, service, number, NULL, live);
}

void route_way_test(cJSON *json, const struct config *config, size_t listener, const struct route_answer *answer,
		    const struct addr *source, const struct route_live *live)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services, sizeof(*numbers));
	enum steer_why why = steer_listener_why(config, listener);
	size_t service = answer->service - config->services;

	if (listener_captures(&config->listeners[listener], CAPTURE_OUT)) {
		add_capture(json, config, listener, answer);
		return;
	}
	if (numbers)
		steer_numbers(config, numbers);
	if (why == STEER_WORKS)
		add_cluster(json, config, service, numbers ? numbers[service] : 0, source, live);
	else
		add_why(json, why);
}

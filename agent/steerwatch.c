// SPDX-License-Identifier: MIT
/*
 * Floor 5: what is steered follows the gateways.
 *
 * Endpoints and their health are the gateway's, which stands still for a moment when they have changed and no other time. Then
 * slots are given to those that are on this node. Which sockets listen for them is looked at all the time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/steer_places.h"
#include "agent/steerwatch.h"
#include "core/local_addr.h"
#include "core/pins.h"
#include "core/policy.h"
#include "core/steer.h"
#include "core/util.h"
#include "gateway/gateway.h"
#include "loader/log.h"
#include "loader/steering.h"

#define LOOK_USEC 200000
/* Endpoints by whose draws slots are given in one look, some tens of milliseconds; the rest has its turn in the next. */
#define WORK_MAX 64

/* A cluster that is steered to, as the gateway had it. */
struct steered {
	uint32_t number; /* 0: it is not */
	struct cluster cluster;
	uint32_t *places; /* of its endpoints, as steer_cluster_of() takes them */
	bool changed;	  /* `clusters` has another state of it */
};

struct steerwatch {
	struct agent *agent;
	struct event *timer;
	struct steer_places *places;
	int routes;
	uint32_t generation, changes; /* of which the rest is a picture */
	struct steered *clusters;     /* by the index of config->services */
	size_t n;
	bool wanted; /* something is steered */
	int error;   /* of attaching: logged already */
};

/* ---- the picture ---- */

static void clusters_free(struct steered *clusters, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cluster_free(&clusters[i].cluster);
		free(clusters[i].places);
	}
	free(clusters);
}

/* What the gateway is asked for, and where it goes. */
struct taking {
	struct steered *clusters;
	size_t n;
};

/* Without memory it has no endpoints, and is relayed. */
static void on_cluster(size_t service, const struct cluster *cluster, void *data)
{
	const struct taking *taking = data;
	struct steered *steered = &taking->clusters[service];
	size_t n = cluster->n_endpoints;

	if (service >= taking->n || !steered->number || !n)
		return;
	cluster_init(&steered->cluster, cluster->policy, 0);
	steered->places = calloc(n, sizeof(*steered->places));
	steered->cluster.endpoints = calloc(n, sizeof(struct endpoint));
	if (!steered->places || !steered->cluster.endpoints)
		return;
	memcpy(steered->cluster.endpoints, cluster->endpoints, n * sizeof(struct endpoint));
	steered->cluster.n_endpoints = n;
}

/* Do they share connections out in the same way? */
static bool is_same(const struct cluster *a, const struct cluster *b)
{
	if (a->policy != b->policy || a->n_endpoints != b->n_endpoints)
		return false;
	for (size_t i = 0; i < a->n_endpoints; i++) {
		const struct endpoint *one = &a->endpoints[i], *other = &b->endpoints[i];

		if (memcmp(&one->addr, &other->addr, sizeof(one->addr)) || one->port != other->port ||
		    one->weight != other->weight || one->healthy != other->healthy)
			return false;
	}
	return true;
}

/* Under the same configuration, what is as it was has its slots already. */
static void keep_unchanged(const struct steerwatch *watch, struct steered *clusters, size_t n)
{
	for (size_t i = 0; i < n && i < watch->n; i++) {
		const struct steered *was = &watch->clusters[i];

		if (was->changed || !is_same(&was->cluster, &clusters[i].cluster))
			continue;
		clusters[i].changed = false;
		if (was->places && clusters[i].places)
			memcpy(clusters[i].places, was->places, was->cluster.n_endpoints * sizeof(*was->places));
	}
}

static int picture_take(struct steerwatch *watch, bool anew)
{
	const struct config *config = watch->agent->config;
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services ?: 1, sizeof(*numbers));
	struct taking taking = { .n = config->n_services };

	taking.clusters = calloc(taking.n ?: 1, sizeof(*taking.clusters));
	if (!numbers || !taking.clusters) {
		free(taking.clusters);
		return -ENOMEM;
	}
	steer_numbers(config, numbers);
	watch->wanted = config_n_captures(config, CAPTURE_IN);
	for (size_t i = 0; i < taking.n; i++) {
		taking.clusters[i] = (struct steered){ .number = numbers[i], .changed = true };
		watch->wanted |= numbers[i];
	}
	if (watch->agent->gateway)
		gateway_clusters(watch->agent->gateway, on_cluster, &taking);
	if (!anew)
		keep_unchanged(watch, taking.clusters, taking.n);
	clusters_free(watch->clusters, watch->n);
	watch->clusters = taking.clusters;
	watch->n = taking.n;
	return 0;
}

/*
 * Is it one of what is in force? What changes after `changes` was read is seen the next time. The clusters of a configuration that
 * is not this agent's have other numbers: nothing is to be said of them here.
 */
static int picture_renew(struct steerwatch *watch)
{
	const struct agent *agent = watch->agent;
	uint32_t generation = policy_generation(&agent->maps, agent->config);
	uint32_t changes = agent->gateway ? gateway_changes(agent->gateway) : 0;
	int r;

	if (!generation)
		return -ESTALE;
	if (watch->clusters && watch->generation == generation && watch->changes == changes)
		return 0;
	r = picture_take(watch, !watch->clusters || watch->generation != generation);
	if (r < 0)
		return r;
	if (watch->generation != generation)
		steer_stats_purge(&agent->maps, agent->config);
	watch->generation = generation;
	watch->changes = changes;
	return 0;
}

/* ---- slots ---- */

/* Those that are not on this node have no place; nor has any where none is free. */
static void places_find(struct steerwatch *watch, struct steered *steered)
{
	for (size_t i = 0; i < steered->cluster.n_endpoints; i++) {
		const struct endpoint *endpoint = &steered->cluster.endpoints[i];
		uint32_t place = 0;

		if (local_addr_is(watch->routes, &endpoint->addr) == 1)
			place = steer_places_get(watch->places, &endpoint->addr, endpoint->port);
		steered->changed |= place != steered->places[i];
		steered->places[i] = place;
	}
}

static void slots_write(struct steerwatch *watch, struct steered *steered)
{
	__u32 at = (watch->generation & 1) * MPBPF_STEER_CLUSTERS + steered->number - 1;
	_cleanup_free_ struct steer_cluster *value = malloc(sizeof(*value));

	if (!value)
		return;
	steer_cluster_of(&steered->cluster, steered->places, watch->generation, value);
	steer_cluster_put(value, &watch->agent->maps.clusters[at]);
	steered->changed = false;
}

/* Returns whether all are as they should be. */
static bool slots_write_all(struct steerwatch *watch)
{
	size_t work = 0;
	bool done = true;

	for (size_t i = 0; i < watch->n; i++) {
		struct steered *steered = &watch->clusters[i];

		if (!steered->number || !steered->changed)
			continue;
		if (work < WORK_MAX)
			slots_write(watch, steered);
		if (steered->cluster.policy == BALANCE_SOURCE_HASH)
			work += steered->cluster.n_endpoints;
		done &= !steered->changed;
	}
	return done;
}

static void slots_follow(struct steerwatch *watch)
{
	steer_places_begin(watch->places);
	for (size_t i = 0; i < watch->n; i++)
		if (watch->clusters[i].number)
			places_find(watch, &watch->clusters[i]);
	/* As long as there are old slots no place that they may lead to becomes another's. */
	if (slots_write_all(watch))
		steer_places_end(watch->places);
	steer_places_follow(watch->places);
}

/* Without a gateway that is steered no connection of this network namespace has to pass the program. */
static void attachment_follow(struct steerwatch *watch)
{
	const char *pin_root = watch->agent->options->pin_root;
	int r = watch->wanted ? steering_attach(pin_root) : steering_detach(pin_root);

	if (r < 0 && r != watch->error)
		log_line(
			"steering is not attached: connections of gateways are relayed, and none that comes is captured: %s",
			strerror(-r));
	watch->error = r;
}

void steerwatch_look(struct steerwatch *watch)
{
	if (!watch || picture_renew(watch) < 0)
		return;
	slots_follow(watch);
	attachment_follow(watch);
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	steerwatch_look(data);
}

/* ---- its beginning and end ---- */

static int watch_open(struct steerwatch *watch, int walk)
{
	static const struct timeval look = { .tv_usec = LOOK_USEC };
	int r = steer_places_open(&watch->agent->maps, walk, &watch->places);

	if (r < 0) {
		close(walk);
		return r;
	}
	r = local_addr_open(&watch->routes);
	if (r < 0)
		return r;
	watch->timer = event_new(watch->agent->base, -1, EV_PERSIST, on_look, watch);
	return watch->timer && event_add(watch->timer, &look) == 0 ? 0 : -ENOMEM;
}

int steerwatch_open(struct agent *agent, struct steerwatch **ret)
{
	struct steerwatch *watch;
	char path[PIN_PATH_MAX];
	int walk, r;

	r = pins_path(path, agent->options->pin_root, "links", "iter_listeners");
	r = walk = r < 0 ? r : bpf_obj_get(path);
	if (r == -ENOENT) {
		if (steer_wanted(agent->config))
			log_line(
				"this kernel cannot steer (`mpbpf check` says why): connections of gateways are relayed");
		return 0;
	}
	watch = r < 0 ? NULL : calloc(1, sizeof(*watch));
	if (!watch) {
		close_fd(&walk);
		return r < 0 ? r : -ENOMEM;
	}
	*watch = (struct steerwatch){ .agent = agent, .routes = -1 };
	r = watch_open(watch, walk);
	if (r < 0) {
		steerwatch_close(watch);
		return r;
	}
	steerwatch_look(watch);
	*ret = watch;
	return 0;
}

void steerwatch_close(struct steerwatch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	clusters_free(watch->clusters, watch->n);
	steer_places_close(watch->places);
	close_fd(&watch->routes);
	free(watch);
}

// SPDX-License-Identifier: MIT
/*
 * Floor 5: what is captured follows the configuration, the gateway's endpoints, and cgroups that come and go.
 *
 * Endpoints and their health are the gateway's, which is asked when they have changed and no other time. Whether a cgroup is
 * there, and still the same, is looked at all the time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cjson/cJSON.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/capturewatch.h"
#include "core/capture.h"
#include "core/util.h"
#include "gateway/gateway.h"
#include "loader/capturing.h"
#include "loader/log.h"

#define LOOK_USEC 200000

/* A cgroup that is captured. */
struct watched {
	char path[MPBPF_CAPTURE_PATH];
	uint64_t hash;
	uint64_t id; /* of the cgroup that the programs are on; 0: they are on none */
	int error;   /* of attaching: logged already */
	bool wanted; /* by the configuration in force */
};

struct capturewatch {
	struct agent *agent;
	struct event *timer;
	uint32_t generation, changes; /* for which the kernel has its endpoints */
	bool told;
	struct watched watched[MPBPF_CAPTURES_MAX];
	size_t n;
};

/* ---- endpoints ---- */

/* What the gateway is asked for, and where it goes. */
struct taking {
	const struct config *config;
	const uint32_t *numbers;
	uint32_t generation;
	uint64_t netns;
	struct capture_cluster *clusters;
};

static void on_cluster(size_t service, const struct cluster *cluster, void *data)
{
	const struct taking *taking = data;
	uint32_t number = taking->numbers[service];

	if (number && number <= MPBPF_CAPTURE_CLUSTERS)
		capture_cluster_of(&taking->config->services[service], cluster, taking->generation, taking->netns,
				   &taking->clusters[number - 1]);
}

static int clusters_tell(struct capturewatch *watch, uint32_t generation)
{
	const struct agent *agent = watch->agent;
	_cleanup_free_ uint32_t *numbers = calloc(agent->config->n_services ?: 1, sizeof(*numbers));
	_cleanup_free_ struct capture_cluster *clusters = calloc(MPBPF_CAPTURE_CLUSTERS, sizeof(*clusters));
	struct taking taking = {
		.config = agent->config,
		.numbers = numbers,
		.generation = generation,
		.netns = capture_netns(),
		.clusters = clusters,
	};
	int r = 0;

	if (!numbers || !clusters)
		return -ENOMEM;
	capture_numbers(agent->config, numbers);
	gateway_clusters(agent->gateway, on_cluster, &taking);
	for (uint32_t i = 0; r == 0 && i < MPBPF_CAPTURE_CLUSTERS; i++)
		if (clusters[i].generation)
			r = capture_cluster_write(&agent->maps, i + 1, &clusters[i]);
	return r;
}

/* What changes after `changes` was read is seen the next time. Until then the relay chooses. */
static void clusters_follow(struct capturewatch *watch)
{
	const struct agent *agent = watch->agent;
	uint32_t generation = agent->maps.control->generation, changes;

	if (!agent->gateway ||
	    !(config_n_captures(agent->config, CAPTURE_OUT) || config_n_captures(agent->config, CAPTURE_IN)))
		return;
	changes = gateway_changes(agent->gateway);
	if (watch->told && watch->generation == generation && watch->changes == changes)
		return;
	watch->told = clusters_tell(watch, generation) == 0;
	if (watch->generation != generation)
		capture_purge(&agent->maps, agent->config);
	watch->generation = generation;
	watch->changes = changes;
}

/* ---- cgroups ---- */

static struct watched *watched_find(struct capturewatch *watch, uint64_t hash)
{
	for (size_t i = 0; i < watch->n; i++)
		if (watch->watched[i].hash == hash)
			return &watch->watched[i];
	return NULL;
}

static bool is_wanted(uint64_t hash, void *data)
{
	return watched_find(data, hash);
}

static void watched_want(struct capturewatch *watch, const char *path)
{
	struct watched *watched = watched_find(watch, capture_cgroup(path));

	if (!watched) {
		watched = &watch->watched[watch->n++];
		*watched = (struct watched){ .hash = capture_cgroup(path) };
		strcpy(watched->path, path);
	}
	watched->wanted = true;
}

/* Those that the configuration in force names, and no other. Room for them there is when the others have gone. */
static void watched_follow(struct capturewatch *watch)
{
	const struct config *config = watch->agent->config;
	struct watched *to = watch->watched;
	size_t i;

	for (i = 0; i < watch->n; i++) {
		struct watched *watched = &watch->watched[i];

		for (size_t k = 0; k < config->n_listeners; k++)
			watched->wanted |= listener_captures(&config->listeners[k], CAPTURE_OUT) &&
					   capture_cgroup(config->listeners[k].cgroup) == watched->hash;
		if (watched->wanted)
			*to++ = *watched;
	}
	watch->n = to - watch->watched;
	for (i = 0; i < config->n_listeners; i++)
		if (listener_captures(&config->listeners[i], CAPTURE_OUT))
			watched_want(watch, config->listeners[i].cgroup);
	for (i = 0; i < watch->n; i++)
		watch->watched[i].wanted = false;
}

static const char *attach_advice(int r)
{
	switch (r) {
	case -ENOENT: return "there is no such directory yet";
	case -ENOTSUP: return "it is no directory of cgroup2";
	case -EEXIST: return "another listener names the same one by another path";
	default: return strerror(-r);
	}
}

static bool is_twin(const struct capturewatch *watch, const struct watched *watched, uint64_t id)
{
	for (const struct watched *one = watch->watched; one < watched; one++)
		if (one->id == id)
			return true;
	return false;
}

static void watched_attach(struct capturewatch *watch, struct watched *watched)
{
	const struct agent *agent = watch->agent;
	struct stat st;
	uint64_t id;
	int r;

	r = stat(watched->path, &st) < 0 ? -errno : 0;
	if (r == 0 && watched->id && st.st_ino == watched->id)
		return;
	watched->id = 0;
	/* Programs that run twice for a connection would take what they have made of it for what its process wants. */
	if (r == 0 && is_twin(watch, watched, st.st_ino)) {
		capturing_detach(agent->options->pin_root, watched->hash);
		r = -EEXIST;
	}
	if (r == 0)
		r = capturing_attach(&agent->maps, agent->options->pin_root, watched->path, watched->hash, &id);
	if (r == 0)
		watched->id = id;
	else if (r != watched->error)
		log_line("%s: connections of its processes are not captured: %s", watched->path, attach_advice(r));
	watched->error = r;
}

void capturewatch_look(struct capturewatch *watch)
{
	if (!watch)
		return;
	clusters_follow(watch);
	watched_follow(watch);
	capturing_detach_others(watch->agent->options->pin_root, is_wanted, watch);
	for (size_t i = 0; i < watch->n; i++)
		watched_attach(watch, &watch->watched[i]);
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	capturewatch_look(data);
}

/* ---- its beginning and end ---- */

int capturewatch_open(struct agent *agent, struct capturewatch **ret)
{
	static const struct timeval look = { .tv_usec = LOOK_USEC };
	struct capturewatch *watch;

	if (!capturing_pinned(agent->options->pin_root))
		return 0;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->agent = agent;
	watch->timer = event_new(agent->base, -1, EV_PERSIST, on_look, watch);
	if (!watch->timer || event_add(watch->timer, &look) < 0) {
		capturewatch_close(watch);
		return -ENOMEM;
	}
	capturewatch_look(watch);
	*ret = watch;
	return 0;
}

void capturewatch_close(struct capturewatch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	free(watch);
}

/* ---- counters ---- */

static void stats_add(struct capture_stats *to, const struct capture_stats *stats)
{
	to->direct += stats->direct;
	to->relayed += stats->relayed;
	to->no_route += stats->no_route;
	to->no_endpoint += stats->no_endpoint;
	to->no_relay += stats->no_relay;
}

static bool add_numbers(cJSON *json, const struct capture_stats *stats)
{
	return json && cJSON_AddNumberToObject(json, "direct", stats->direct) &&
	       cJSON_AddNumberToObject(json, "relayed", stats->relayed) &&
	       cJSON_AddNumberToObject(json, "refused", stats->no_route + stats->no_endpoint + stats->no_relay);
}

static bool add_why(cJSON *json, const struct capture_stats *stats)
{
	return json && cJSON_AddNumberToObject(json, "no_route", stats->no_route) &&
	       cJSON_AddNumberToObject(json, "no_endpoint", stats->no_endpoint) &&
	       cJSON_AddNumberToObject(json, "no_relay", stats->no_relay);
}

/* Those that led to no cluster, or to one that the relay found out, are in the sum alone. */
static bool add_clusters(const struct agent *agent, const char *listener, cJSON *json, struct capture_stats *total)
{
	const struct config *config = agent->config;
	struct capture_stats stats;

	for (size_t i = 0; json && i < config->n_services; i++) {
		if (!capture_leads_to(config, listener, config->services[i].name))
			continue;
		capture_stats_read(&agent->maps, listener, false, config->services[i].name, &stats);
		stats_add(total, &stats);
		if (!add_numbers(cJSON_AddObjectToObject(json, config->services[i].name), &stats))
			return false;
	}
	return json;
}

/* Of what comes the kernel knows no cluster by its name: those are under `gateway`, if it was relayed. */
static bool add_capture(const struct agent *agent, const char *listener, bool out, cJSON *json)
{
	struct capture_stats total;

	capture_stats_read(&agent->maps, listener, !out, NULL, &total);
	if (json && out && !add_clusters(agent, listener, cJSON_AddObjectToObject(json, "clusters"), &total))
		return false;
	return json && add_numbers(json, &total) && add_why(cJSON_AddObjectToObject(json, "refused_by"), &total);
}

bool capturewatch_stats(const struct agent *agent, struct cJSON *json)
{
	const struct config *config = agent->config;
	size_t n = config_n_captures(config, CAPTURE_OUT) + config_n_captures(config, CAPTURE_IN);
	cJSON *captures = n ? cJSON_AddObjectToObject(json, "capture") : NULL;

	if (!captures)
		return !n;
	for (size_t i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_CAPTURE &&
		    !add_capture(agent, config->listeners[i].name, config->listeners[i].direction == CAPTURE_OUT,
				 cJSON_AddObjectToObject(captures, config->listeners[i].name)))
			return false;
	return true;
}

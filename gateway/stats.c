// SPDX-License-Identifier: MIT
/* Floor 4: what listeners, clusters and endpoints have counted, as JSON. */
#include <arpa/inet.h>
#include <cjson/cJSON.h>

#include "core/util.h"
#include "gateway/backend.h"

struct counter {
	const char *name;
	uint64_t value;
};

static bool add_counters(cJSON *object, const struct counter *counters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!cJSON_AddNumberToObject(object, counters[i].name, counters[i].value))
			return false;
	return true;
}

#define ADD_COUNTERS(object, ...)                                     \
	add_counters(object, (const struct counter[]){ __VA_ARGS__ }, \
		     ARRAY_SIZE(((const struct counter[]){ __VA_ARGS__ })))

/* Of those that speak HTTP, or did. */
static bool add_http(cJSON *object, const struct gate *gate, const struct gate_counts *counts)
{
	const uint64_t *answers = counts->answers;
	cJSON *answered;

	if (!counts->http_connections && !counts->refused[REFUSED_UNJUDGED] &&
	    (gate->gone || gate->gateway->config->listeners[gate->index].protocol != LISTENER_HTTP))
		return true;
	answered = cJSON_AddObjectToObject(object, "answered");
	return answered && ADD_COUNTERS(object, { "requests", counts->requests }) &&
	       ADD_COUNTERS(answered, { "bad_request", answers[ANSWER_BAD_REQUEST] },
			    { "too_large", answers[ANSWER_TOO_LARGE] },
			    { "bad_response", answers[ANSWER_BAD_RESPONSE] }, { "no_route", answers[ANSWER_NO_ROUTE] },
			    { "no_endpoint", answers[ANSWER_NO_ENDPOINT] }, { "resources", answers[ANSWER_RESOURCES] },
			    { "timeout", answers[ANSWER_TIMEOUT] }, { "old_policy", answers[ANSWER_OLD_POLICY] });
}

static bool add_gate(cJSON *json, const struct gate *gate)
{
	struct gate_counts counts = {};
	const uint64_t *refused = counts.refused;
	cJSON *object, *why, *path;
	uint64_t total = 0;

	for (size_t i = 0; i < gate->gateway->n_workers; i++)
		counts_add(&counts, &gate->shares[i].counts, sizeof(counts));
	for (size_t i = 0; i < REFUSAL_MAX; i++)
		total += refused[i];
	object = cJSON_AddObjectToObject(json, gate->name);
	if (!object || !ADD_COUNTERS(object, { "accepted", counts.accepted }, { "open", counts.traffic.open },
				     { "refused", total }, { "bytes_in", counts.traffic.bytes_in },
				     { "bytes_out", counts.traffic.bytes_out }))
		return false;
	why = cJSON_AddObjectToObject(object, "refused_by");
	path = cJSON_AddObjectToObject(object, "path");
	return why && path && add_http(object, gate, &counts) &&
	       ADD_COUNTERS(path, { "relay", counts.traffic.connections }, { "http", counts.http_connections }) &&
	       ADD_COUNTERS(why, { "no_route", refused[REFUSED_NO_ROUTE] },
			    { "no_endpoint", refused[REFUSED_NO_ENDPOINT] },
			    { "bad_proxy", refused[REFUSED_BAD_PROXY] }, { "resources", refused[REFUSED_RESOURCES] },
			    { "unjudged", refused[REFUSED_UNJUDGED] }, { "uncaptured", refused[REFUSED_UNCAPTURED] });
}

static bool add_target(cJSON *json, const struct upstream *upstream)
{
	const struct endpoint *endpoint =
		cluster_find(&upstream->backend->cluster, &upstream->place.addr, ntohs(upstream->place.port));
	struct upstream_counts counts = {};
	const struct traffic *traffic = &counts.traffic;
	char text[PLACE_TEXT_MAX];
	cJSON *object;

	for (size_t i = 0; i < upstream->backend->gateway->n_workers; i++)
		counts_add(&counts, &upstream->shares[i].counts, sizeof(counts));
	place_text(&upstream->place, text);
	object = cJSON_AddObjectToObject(json, text);
	return object && ADD_COUNTERS(object, { "healthy", endpoint && endpoint->healthy },
				      { "connections", traffic->connections }, { "open", traffic->open },
				      { "failed", counts.failed }, { "changes", upstream->changes },
				      { "bytes_in", traffic->bytes_in }, { "bytes_out", traffic->bytes_out },
				      { "requests", counts.requests }, { "retried", counts.retried },
				      { "idle", atomic_load(&upstream->n_idle) });
}

/* Those that are gone as well, while they have connections. */
static bool add_backend(cJSON *json, const struct backend *backend)
{
	cJSON *object = cJSON_AddObjectToObject(json, backend->name), *endpoints;
	const struct upstream *upstream;
	bool done;

	endpoints = object ? cJSON_AddObjectToObject(object, "endpoints") : NULL;
	done = endpoints;
	TAILQ_FOREACH(upstream, &backend->upstreams, link)
	done = done && add_target(endpoints, upstream);
	return done;
}

struct stats_call {
	cJSON *gateway, *clusters;
	bool done;
};

static void collect(struct gateway *gateway, void *data)
{
	struct stats_call *call = data;
	const struct backend *backend;
	const struct gate *gate;

	workers_halt(gateway);
	/* What has ended is not told of. */
	gates_settle(gateway);
	backends_settle(gateway);
	call->done = true;
	TAILQ_FOREACH(gate, &gateway->gates, link)
	if (!gate->gone)
		call->done = call->done && add_gate(call->gateway, gate);
	/* Not beside one that has its name now. */
	TAILQ_FOREACH(gate, &gateway->gates, link)
	if (gate->gone && !cJSON_HasObjectItem(call->gateway, gate->name))
		call->done = call->done && add_gate(call->gateway, gate);
	TAILQ_FOREACH(backend, &gateway->backends, link)
	call->done = call->done && add_backend(call->clusters, backend);
	workers_go(gateway);
}

bool gateway_stats(struct gateway *gateway, cJSON *json)
{
	struct stats_call call = {
		.gateway = cJSON_AddObjectToObject(json, "gateway"),
		.clusters = cJSON_AddObjectToObject(json, "clusters"),
	};

	if (!call.gateway || !call.clusters)
		return false;
	gateway_call(gateway, collect, &call);
	return call.done;
}

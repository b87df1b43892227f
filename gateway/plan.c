// SPDX-License-Identifier: MIT
/* Floor 4: one configuration of the gateway after the other: what can fail first, then the change. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "gateway/backend.h"
#include "gateway/http.h"

struct gateway_plan {
	const struct config *config;
	struct route_table *routes;
	struct gate **gates; /* for each listener; NULL: it is no gateway */
	struct backend **served;
};

static struct place listener_place(const struct listener_config *listener)
{
	return (struct place){ .addr = listener->address, .port = htons(listener->port) };
}

/* One that listens there: it stays, whatever it is called from now on. */
static struct gate *gate_find(struct gateway *gateway, const struct listener_config *listener)
{
	const struct place place = listener_place(listener);
	struct gate *gate;

	TAILQ_FOREACH(gate, &gateway->gates, link)
	if (!gate->gone && gate->any == listener->any && gate->place.port == place.port &&
	    (gate->any || !memcmp(&gate->place.addr, &place.addr, sizeof(place.addr))))
		return gate;
	return NULL;
}

static void gate_free(struct gate *gate)
{
	close_fd(&gate->fd);
	free(gate->name);
	free(gate);
}

static int gate_new(struct gateway *gateway, const struct listener_config *listener, struct gate **ret)
{
	struct gate *gate = shares_alloc(sizeof(*gate), sizeof(gate->shares[0]), gateway->n_workers);

	if (!gate)
		return -ENOMEM;
	gate->gateway = gateway;
	gate->any = listener->any;
	gate->place = listener_place(listener);
	gate->name = strdup(listener->name);
	for (size_t i = 0; i < gateway->n_workers; i++) {
		TAILQ_INIT(&gate->shares[i].sessions);
		TAILQ_INIT(&gate->shares[i].clients);
	}
	gate->fd = gate->name ? socket_listen(&gate->place, gate->any) : -ENOMEM;
	if (gate->fd < 0) {
		int r = gate->fd;

		gate->fd = -1;
		gate_free(gate);
		return r;
	}
	*ret = gate;
	return 0;
}

static const char *listen_advice(int r)
{
	switch (r) {
	case -EADDRINUSE: return ": something listens there already";
	case -EADDRNOTAVAIL: return ": that is no address of this machine";
	default: return "";
	}
}

static int gates_open(struct gateway *gateway, struct gateway_plan *plan, struct config_error *ret_error)
{
	const struct config *config = plan->config;

	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];
		const struct place place = listener_place(listener);
		char text[PLACE_TEXT_MAX];
		int r;

		if (listener->mode != LISTENER_GATEWAY || gate_find(gateway, listener))
			continue;
		r = gate_new(gateway, listener, &plan->gates[i]);
		if (r == 0)
			continue;
		place_text(&place, text);
		snprintf(ret_error->text, sizeof(ret_error->text), "listener %s cannot listen at %s: %s%s",
			 listener->name, text, strerror(-r), listen_advice(r));
		return r;
	}
	return 0;
}

int gateway_prepare(struct gateway *gateway, const struct config *config, struct gateway_plan **ret,
		    struct config_error *ret_error)
{
	struct gateway_plan *plan = calloc(1, sizeof(*plan));
	int r = -ENOMEM;

	snprintf(ret_error->text, sizeof(ret_error->text), "out of memory");
	if (!plan)
		return r;
	plan->config = config;
	plan->gates = calloc(config->n_listeners ?: 1, sizeof(struct gate *));
	plan->served = calloc(config->n_services ?: 1, sizeof(struct backend *));
	if (plan->gates && plan->served)
		r = route_table_new(config, &plan->routes);
	if (r == 0)
		r = gates_open(gateway, plan, ret_error);
	if (r < 0) {
		gateway_abandon(plan);
		return r;
	}
	ret_error->text[0] = '\0';
	*ret = plan;
	return 0;
}

static void plan_free(struct gateway_plan *plan)
{
	route_table_free(plan->routes);
	free(plan->gates);
	free(plan->served);
	free(plan);
}

void gateway_abandon(struct gateway_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; plan->gates && i < plan->config->n_listeners; i++)
		if (plan->gates[i])
			gate_free(plan->gates[i]);
	plan_free(plan);
}

/* ---- the change: on the gateway's thread, while the workers stand still ---- */

static void backends_commit(struct gateway *gateway, struct gateway_plan *plan)
{
	const struct config *config = plan->config;
	struct backend *backend, *next;

	for (backend = TAILQ_FIRST(&gateway->backends); backend; backend = next) {
		next = TAILQ_NEXT(backend, link);
		if (!config_service(config, backend->name))
			backend_apply(backend, NULL);
	}
	for (size_t i = 0; i < config->n_services; i++) {
		backend = backend_get(gateway, &config->services[i]);
		if (backend)
			backend_apply(backend, &config->services[i]);
		else
			gateway_note(gateway, "cluster %s: out of memory, it is not served", config->services[i].name);
		plan->served[i] = backend;
	}
}

static void gate_rename(struct gate *gate, const char *name)
{
	char *copy = strcmp(gate->name, name) ? strdup(name) : NULL;

	if (!copy)
		return;
	free(gate->name);
	gate->name = copy;
}

/* Its place in `config`, or n_listeners: it is not there. */
static size_t gate_index(struct gate *gate, const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_GATEWAY &&
		    gate_find(gate->gateway, &config->listeners[i]) == gate)
			break;
	return i;
}

/* What has come to those that go is still served as the old configuration says. */
static void gates_leave(struct gateway *gateway, const struct config *config)
{
	struct gate *gate;

	TAILQ_FOREACH(gate, &gateway->gates, link)
	if (!gate->gone && gate_index(gate, config) == config->n_listeners)
		gate_stop(gate);
}

static void gates_keep(struct gateway *gateway, const struct config *config)
{
	struct gate *gate;
	size_t i;

	TAILQ_FOREACH(gate, &gateway->gates, link)
	{
		if (gate->gone)
			continue;
		i = gate_index(gate, config);
		gate->gone = i == config->n_listeners;
		if (!gate->gone) {
			gate->index = i;
			gate_rename(gate, config->listeners[i].name);
		}
		if (gate->gone || config->listeners[i].protocol != LISTENER_HTTP)
			http_leave(gate);
		else
			http_wake(gate);
	}
	gates_settle(gateway);
}

static void gates_add(struct gateway *gateway, struct gateway_plan *plan)
{
	for (size_t i = 0; i < plan->config->n_listeners; i++) {
		struct gate *gate = plan->gates[i];

		if (!gate)
			continue;
		gate->index = i;
		TAILQ_INSERT_TAIL(&gateway->gates, gate, link);
		if (gate_start(gate) < 0)
			gateway_note(gateway, "listener %s: out of memory, it does not accept", gate->name);
	}
}

static void commit(struct gateway *gateway, void *data)
{
	struct gateway_plan *plan = data;

	workers_halt(gateway);
	gates_leave(gateway, plan->config);
	gates_keep(gateway, plan->config);
	backends_commit(gateway, plan);
	http_policy_change(gateway, plan->config);
	gateway->config = plan->config;
	route_table_free(gateway->routes);
	gateway->routes = TAKE_PTR(plan->routes);
	free(gateway->served);
	gateway->served = TAKE_PTR(plan->served);
	gates_add(gateway, plan);
	workers_go(gateway);
	names_ask(gateway);
}

void gateway_commit(struct gateway *gateway, struct gateway_plan *plan)
{
	gateway_call(gateway, commit, plan);
	plan_free(plan);
}

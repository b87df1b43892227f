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

#define RELAY_TRIES 16 /* ports of a guard that the kernel may choose in a row */

struct gateway_plan {
	const struct config *config;
	struct route_table *routes;
	struct gate **gates; /* for each listener; NULL: it has one, or needs none */
	struct backend **served;
};

static struct place listener_place(const struct listener_config *listener)
{
	return (struct place){ .addr = listener->address, .port = htons(listener->port) };
}

/* Bytes of a socket under guard cannot be spliced. */
static bool relay_is_guarded(const struct gate *gate, const struct config *config)
{
	return config_guards_port(config, gate->ports[0]) || config_guards_port(config, gate->ports[1]);
}

static bool gate_is_for(const struct gate *gate, const struct config *config, const struct listener_config *listener)
{
	const struct place place = listener_place(listener);

	if (gate->gone || gate->captures != (listener->mode == LISTENER_CAPTURE) ||
	    gate->in != listener_captures(listener, CAPTURE_IN))
		return false;
	if (gate->captures)
		return !strcmp(gate->name, listener->name) && !relay_is_guarded(gate, config);
	return gate->any == listener->any && gate->place.port == place.port &&
	       (gate->any || !memcmp(&gate->place.addr, &place.addr, sizeof(place.addr)));
}

/* One that listens there: it stays, whatever it is called from now on. A capture goes by its name. */
static struct gate *gate_find(struct gateway *gateway, const struct config *config,
			      const struct listener_config *listener)
{
	struct gate *gate;

	TAILQ_FOREACH(gate, &gateway->gates, link)
	if (gate_is_for(gate, config, listener))
		return gate;
	return NULL;
}

static int relay_tell(struct gate *gate)
{
	const struct gateway_hooks *hooks = gate->gateway->hooks;

	gate->told = true;
	return gate->captures && hooks->relay_opened ? hooks->relay_opened(hooks->data, gate->name, gate->in, gate->fds)
						     : 0;
}

/* Does another relay stand for that name, until the plan is in force? */
static bool relay_is_there(const struct gate *gate)
{
	const struct gate *other;

	TAILQ_FOREACH(other, &gate->gateway->gates, link)
	if (!other->gone && other->captures && other->in == gate->in && !strcmp(other->name, gate->name))
		return true;
	return false;
}

static void gate_free(struct gate *gate)
{
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		close_fd(&gate->fds[i]);
	free(gate->name);
	free(gate);
}

/* On a port that the kernel chooses. */
static int relay_socket(const struct place *place, int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);
	struct place at;

	close_fd(ret_fd);
	*ret_fd = socket_listen(place, false, true);
	if (*ret_fd < 0)
		return *ret_fd;
	if (getsockname(*ret_fd, (struct sockaddr *)&self, &len) < 0)
		return -errno;
	place_from(&self, &at);
	*ret_port = ntohs(at.port);
	return 0;
}

/* Connections come over loopback: the kernel sends none there from another network namespace. No IPv6 is no failure. */
static int relay_listen(struct gate *gate, const struct config *config)
{
	static const struct place v4 = { .addr.b = { [10] = 0xff, 0xff, 127, 0, 0, 1 } },
				  v6 = { .addr.b = { [15] = 1 } };
	int tries = 0, r;

	do {
		r = relay_socket(&v4, &gate->fds[0], &gate->ports[0]);
		if (r == 0)
			r = relay_socket(&v6, &gate->fds[1], &gate->ports[1]);
		if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) {
			close_fd(&gate->fds[1]);
			r = gate->fds[0] < 0 ? r : 0;
		}
	} while (r == 0 && relay_is_guarded(gate, config) && ++tries < RELAY_TRIES);
	return tries < RELAY_TRIES ? r : -EADDRINUSE;
}

static int gate_listen(struct gate *gate, const struct config *config, const struct listener_config *listener)
{
	if (!gate->name)
		return -ENOMEM;
	if (gate->captures)
		return relay_listen(gate, config);
	gate->fds[0] = socket_listen(&gate->place, gate->any, listener->protocol != LISTENER_HTTP);
	return gate->fds[0] < 0 ? gate->fds[0] : 0;
}

static int gate_new(struct gateway *gateway, const struct config *config, const struct listener_config *listener,
		    struct gate **ret)
{
	struct gate *gate = shares_alloc(sizeof(*gate), sizeof(gate->shares[0]), gateway->n_workers);
	int r;

	if (!gate)
		return -ENOMEM;
	gate->gateway = gateway;
	gate->captures = listener->mode == LISTENER_CAPTURE;
	gate->in = listener_captures(listener, CAPTURE_IN);
	gate->any = listener->any;
	gate->place = listener_place(listener);
	gate->fds[0] = gate->fds[1] = -1;
	gate->name = strdup(listener->name);
	for (size_t i = 0; i < gateway->n_workers; i++) {
		TAILQ_INIT(&gate->shares[i].sessions);
		TAILQ_INIT(&gate->shares[i].clients);
	}
	r = gate_listen(gate, config, listener);
	/* When the kernel goes by the plan, it must find who waits for connections. One that stands there does, until then. */
	if (r == 0 && !relay_is_there(gate))
		r = relay_tell(gate);
	if (r < 0) {
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

static void listen_error(const struct listener_config *listener, int r, struct config_error *ret)
{
	const struct place place = listener_place(listener);
	char text[PLACE_TEXT_MAX] = "an address of loopback";

	if (listener->mode != LISTENER_CAPTURE)
		place_text(&place, text);
	snprintf(ret->text, sizeof(ret->text), "listener %s cannot listen at %s: %s%s", listener->name, text,
		 strerror(-r), listen_advice(r));
}

static int gates_open(struct gateway *gateway, struct gateway_plan *plan, struct config_error *ret_error)
{
	const struct config *config = plan->config;

	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];
		int r;

		if (!listener_is_relayed(listener) || gate_find(gateway, config, listener))
			continue;
		r = gate_new(gateway, config, listener, &plan->gates[i]);
		if (r == 0)
			continue;
		listen_error(listener, r, ret_error);
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
	for (size_t i = 0; plan->gates && i < plan->config->n_listeners; i++) {
		struct gate *gate = plan->gates[i];

		if (!gate)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(gate->fds); k++)
			close_fd(&gate->fds[k]);
		if (gate->told)
			relay_tell(gate);
		gate_free(gate);
	}
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
		if (listener_is_relayed(&config->listeners[i]) &&
		    gate_find(gate->gateway, config, &config->listeners[i]) == gate)
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

/* As of sockets that are relayed, or not: the protocol may be another than when it began to listen. */
static void gate_inline(const struct gate *gate, bool spliced)
{
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		if (gate->fds[i] >= 0)
			socket_inline(gate->fds[i], spliced);
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
			gate_inline(gate, config->listeners[i].protocol != LISTENER_HTTP);
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
		if (!gate->told && relay_tell(gate) < 0)
			gateway_note(gateway, "listener %s: nothing can be relayed for it", gate->name);
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

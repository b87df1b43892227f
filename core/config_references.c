// SPDX-License-Identifier: MIT
/* Floor 3: names by which gateways, routes and services refer to each other, and ports that exclude each other. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

const struct service_config *config_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_services; i++)
		if (!strcmp(config->services[i].name, name))
			return &config->services[i];
	return NULL;
}

/* "ARRAY[I].KEY" names a service. */
static int service_judge(struct reader *r, const char *array, size_t i, const char *name)
{
	if (config_service(r->config, name))
		return 0;
	path_key(r, array);
	path_index(r, i);
	path_key(r, "cluster_name");
	return reader_fail(r, show_text(name).text, "the name of a service");
}

/* Two rules for one network: the second would never hold. */
static int twin_judge(struct reader *r, size_t i)
{
	const struct source_route_config *routes = r->config->source_routes, *new = &routes[i];

	for (size_t k = 0; k < i; k++) {
		const struct source_match *a = &routes[k].match, *b = &new->match;

		if (strcmp(routes[k].listener, new->listener) || a->by_cidr != b->by_cidr ||
		    a->by_destination != b->by_destination)
			continue;
		if (match_is_network(a) ? memcmp(&a->cidr, &b->cidr, sizeof(a->cidr))
					: a->mod != b->mod || a->equals != b->equals)
			continue;
		path_key(r, "match");
		return reader_fail(r, "(an object)", "what source_routes[%zu] does not match", k);
	}
	return 0;
}

static int source_route_judge(struct reader *r, size_t i)
{
	const struct config *config = r->config;
	const char *name = config->source_routes[i].listener;
	size_t k = 0;

	path_key(r, "source_routes");
	path_index(r, i);
	while (k < config->n_listeners && strcmp(config->listeners[k].name, name))
		k++;
	if (k == config->n_listeners || !listener_is_relayed(&config->listeners[k])) {
		path_key(r, "listener");
		return reader_fail(r, show_text(name).text,
				   "the name of a listener whose mode is \"gateway\" or \"capture\"");
	}
	if (config->source_routes[i].match.by_destination && config->listeners[k].mode != LISTENER_CAPTURE) {
		path_key(r, "match");
		path_key(r, "destination");
		return reader_fail(r, "(given)", "a listener whose mode is \"capture\"");
	}
	return twin_judge(r, i);
}

/*
 * A guard's port is guarded in every process of the cgroup that listens on it, mpbpfd among them: bytes of a socket under guard
 * cannot be spliced.
 */
static int port_judge(struct reader *r, size_t i)
{
	const struct listener_config *listeners = r->config->listeners;
	char port[8];

	for (size_t k = 0; k < r->config->n_listeners; k++) {
		if (listeners[k].mode != LISTENER_GUARD || listeners[k].port != listeners[i].port)
			continue;
		path_key(r, "listeners");
		path_index(r, i);
		path_key(r, "port");
		snprintf(port, sizeof(port), "%u", listeners[i].port);
		return reader_fail(r, port, "a port that no guard has, as listeners[%zu] does", k);
	}
	return 0;
}

/* Who listens there would never get a connection. Those that are captured on every port leave such ports alone. */
static int captured_port_judge(struct reader *r, size_t i)
{
	const struct config *config = r->config;
	const struct capture_match *match = &config->listeners[i].match;
	char port[8];

	for (size_t k = 0; k < match->n_ports; k++) {
		for (size_t n = 0; n < config->n_listeners; n++) {
			if (config->listeners[n].mode == LISTENER_CAPTURE ||
			    config->listeners[n].port != match->ports[k])
				continue;
			path_key(r, "listeners");
			path_index(r, i);
			path_key(r, "match");
			path_key(r, "ports");
			path_index(r, k);
			snprintf(port, sizeof(port), "%u", match->ports[k]);
			return reader_fail(r, port, "a port that no guard and no gateway has, as listeners[%zu] does",
					   n);
		}
	}
	return 0;
}

/* Without a listener for them they may have been brought along; or its mode was forgotten. */
static int warn_if_unused(struct reader *r)
{
	int err;

	if (!r->config->n_services || config_n_relayed(r->config))
		return 0;
	path_key(r, "services");
	err = reader_warn(r, "no listener is a gateway or a capture: nothing goes there");
	path_restore(r, 0);
	return err;
}

/* Every connection to it would be refused. */
static int listener_judge(struct reader *r, size_t i)
{
	const struct config *config = r->config;
	const struct listener_config *listener = &config->listeners[i];

	if (!listener_is_relayed(listener) || listener->cluster_name ||
	    (listener->protocol == LISTENER_HTTP && config->n_routes))
		return 0;
	for (size_t k = 0; k < config->n_source_routes; k++)
		if (!strcmp(config->source_routes[k].listener, listener->name))
			return 0;
	path_key(r, "listeners");
	path_index(r, i);
	path_key(r, "cluster_name");
	return reader_fail(r, "(missing)", "the name of a service, since no route leads anywhere");
}

int gateway_finish(struct reader *r)
{
	const struct config *config = r->config;
	int err = 0;

	for (size_t i = 0; err == 0 && i < config->n_routes; i++)
		err = service_judge(r, "routes", i, config->routes[i].cluster_name);
	for (size_t i = 0; err == 0 && i < config->n_source_routes; i++) {
		err = service_judge(r, "source_routes", i, config->source_routes[i].cluster_name);
		if (err == 0)
			err = source_route_judge(r, i);
		if (err == 0)
			path_restore(r, 0);
	}
	for (size_t i = 0; err == 0 && i < config->n_listeners; i++) {
		if (config->listeners[i].cluster_name)
			err = service_judge(r, "listeners", i, config->listeners[i].cluster_name);
		if (err == 0)
			err = listener_judge(r, i);
		if (err == 0 && config->listeners[i].mode == LISTENER_GATEWAY)
			err = port_judge(r, i);
		if (err == 0 && listener_captures(&config->listeners[i], CAPTURE_IN))
			err = captured_port_judge(r, i);
	}
	return err < 0 ? err : warn_if_unused(r);
}

size_t config_n_guarded(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_listeners; i++)
		n += listener_is_guarded(&config->listeners[i]);
	return n;
}

size_t config_n_relayed(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_listeners; i++)
		n += listener_is_relayed(&config->listeners[i]);
	return n;
}

size_t config_n_captures(const struct config *config, enum capture_direction direction)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_listeners; i++)
		n += listener_captures(&config->listeners[i], direction);
	return n;
}

bool config_guards_port(const struct config *config, uint16_t port)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (listener_is_guarded(&config->listeners[i]) && config->listeners[i].port == port)
			return true;
	return false;
}

static void services_free(struct config *config)
{
	for (size_t i = 0; i < config->n_services; i++) {
		free(config->services[i].name);
		free(config->services[i].protocol);
		free(config->services[i].weights);
		free(config->services[i].health.path);
		strings_free(config->services[i].hosts, config->services[i].n_hosts);
	}
	free(config->services);
}

void gateway_free(struct config *config)
{
	services_free(config);
	for (size_t i = 0; i < config->n_routes; i++) {
		free(config->routes[i].name);
		free(config->routes[i].prefix);
		free(config->routes[i].cluster_name);
		strings_free(config->routes[i].hosts, config->routes[i].n_hosts);
	}
	free(config->routes);
	for (size_t i = 0; i < config->n_source_routes; i++) {
		free(config->source_routes[i].name);
		free(config->source_routes[i].listener);
		free(config->source_routes[i].cluster_name);
	}
	free(config->source_routes);
}

// SPDX-License-Identifier: MIT
/* Floor 3: what is steered: the rules of gateways as the kernel looks them up, and the slots of a cluster. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/cidr.h"
#include "core/steer.h"
#include "core/util.h"

/* ---- what a configuration allows ---- */

static bool route_is_of(const struct source_route_config *route, const struct listener_config *listener)
{
	return !strcmp(route->listener, listener->name);
}

size_t steer_count_rules(const struct config *config, const struct listener_config *listener)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_source_routes; i++)
		n += route_is_of(&config->source_routes[i], listener) &&
		     !match_is_network(&config->source_routes[i].match);
	return n;
}

enum steer_why steer_listener_why(const struct config *config, size_t listener)
{
	const struct listener_config *l = &config->listeners[listener];

	if (l->protocol != LISTENER_TCP)
		return STEER_HTTP;
	if (l->accept_proxy.enabled)
		return STEER_READS_PROXY;
	return steer_count_rules(config, l) > MPBPF_STEER_RULES ? STEER_RULES : STEER_WORKS;
}

/* Whether what goes to that host and this listener's port is the listener's. A name may become any address. */
static bool is_at(const struct listener_config *listener, const char *host)
{
	struct addr addr;

	return listener->any || !memcmp(&listener->address, &cidr_v4, sizeof(cidr_v4)) ||
	       !cidr_parse_address(host, &addr, NULL) || !memcmp(&listener->address, &addr, sizeof(addr));
}

/*
 * Which socket takes a connection to a gateway depends on who makes it, so that there is none that all of them could be given to.
 */
static bool is_gateway_at(const struct config *config, const struct service_config *service)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];

		if (listener->mode != LISTENER_GATEWAY || listener->port != service->port)
			continue;
		for (size_t k = 0; k < service->n_hosts; k++)
			if (is_at(listener, service->hosts[k]))
				return true;
	}
	return false;
}

enum steer_why steer_service_why(const struct config *config, size_t service)
{
	const struct service_config *s = &config->services[service];

	if (s->proxy_protocol != PROXY_OFF)
		return STEER_SENDS_PROXY;
	if (s->policy == BALANCE_LEAST_CONN)
		return STEER_LEAST_CONN;
	/* A guard knows a connection by its local port, which is the gateway's when it was steered. */
	if (config_guards_port(config, s->port))
		return STEER_GUARDED;
	return is_gateway_at(config, s) ? STEER_GATEWAY : STEER_WORKS;
}

const char *steer_why_text(enum steer_why why)
{
	switch (why) {
	case STEER_WORKS: return "";
	case STEER_HTTP: return "the listener's protocol is http";
	case STEER_READS_PROXY: return "the listener accepts PROXY headers";
	case STEER_RULES: return "the listener has more than 16 source routes that are no networks";
	case STEER_SENDS_PROXY: return "the cluster gets PROXY headers";
	case STEER_LEAST_CONN: return "the policy least_conn counts connections";
	case STEER_GUARDED: return "a guard listens on the cluster's port";
	case STEER_GATEWAY: return "the cluster's port is a gateway's";
	case STEER_CLUSTERS: return "there are too many clusters or endpoints";
	case STEER_FAR: return "an endpoint is not on this node";
	case STEER_NOBODY: return "no endpoint is healthy";
	case STEER_UNKNOWN: return "mpbpfd has not looked at this configuration yet";
	case STEER_WHY_MAX: break;
	}
	return "it is not known why";
}

static void mark(const struct config *config, const char *cluster, uint32_t *ret)
{
	const struct service_config *service = cluster ? config_service(config, cluster) : NULL;
	size_t i = service - config->services;

	if (service && steer_service_why(config, i) == STEER_WORKS)
		ret[i] = 1;
}

void steer_numbers(const struct config *config, uint32_t *ret)
{
	uint32_t number = 0;

	memset(ret, 0, config->n_services * sizeof(*ret));
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];

		if ((listener->mode != LISTENER_GATEWAY && !listener_captures(listener, CAPTURE_IN)) ||
		    steer_listener_why(config, i) != STEER_WORKS)
			continue;
		mark(config, listener->cluster_name, ret);
		for (size_t k = 0; k < config->n_source_routes; k++)
			if (route_is_of(&config->source_routes[k], listener))
				mark(config, config->source_routes[k].cluster_name, ret);
	}
	for (size_t i = 0; i < config->n_services; i++)
		if (ret[i])
			ret[i] = number < MPBPF_STEER_CLUSTERS ? ++number : 0;
}

bool steer_wanted(const struct config *config)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services ?: 1, sizeof(*numbers));
	bool any = false;

	if (!numbers)
		return false;
	steer_numbers(config, numbers);
	for (size_t i = 0; i < config->n_services; i++)
		any |= numbers[i];
	return any || config_n_captures(config, CAPTURE_IN);
}

/* ---- gateways and their networks ---- */

static uint32_t number_of(const struct config *config, const uint32_t *numbers, const char *cluster)
{
	const struct service_config *service = cluster ? config_service(config, cluster) : NULL;

	return service ? numbers[service - config->services] : 0;
}

static struct listener_key key_of(const struct listener_config *listener, uint32_t generation)
{
	struct listener_key key = { .generation = generation, .port = htons(listener->port) };

	if (!listener->any)
		key.addr = listener->address;
	return key;
}

static int network_write(int fd, uint32_t generation, uint32_t gateway, const struct cidr *cidr, uint32_t cluster)
{
	const struct steer_key key = {
		.prefixlen = 64 + cidr->prefix, .generation = generation, .gateway = gateway, .addr = cidr->addr
	};
	int r = bpf_map_update_elem(fd, &key, &cluster, BPF_ANY);

	return r == -ENOSPC ? -E2BIG : r;
}

/*
 * IPv4 addresses lie within ::/0, which is not for them; what is, if anything, is longer, or 0.0.0.0/0, which is written over
 * this: a trie takes no BPF_NOEXIST on every kernel.
 */
int steer_networks_write(int fd, const struct config *config, size_t listener, uint32_t generation,
			 const uint32_t *numbers, uint32_t gateway, bool destinations)
{
	const struct cidr v4 = { .addr = cidr_v4, .prefix = 96 };
	int r = network_write(fd, generation, gateway, &v4, STEER_NO_NETWORK);

	for (size_t i = 0; r == 0 && i < config->n_source_routes; i++) {
		const struct source_route_config *route = &config->source_routes[i];

		if (route_is_of(route, &config->listeners[listener]) &&
		    (destinations ? route->match.by_destination : route->match.by_cidr))
			r = network_write(fd, generation, gateway, &route->match.cidr,
					  number_of(config, numbers, route->cluster_name));
	}
	return r;
}

void steer_gateway_of(const struct config *config, size_t listener, const uint32_t *numbers, struct gateway *ret)
{
	const struct listener_config *l = &config->listeners[listener];

	*ret = (struct gateway){ .number = listener + 1, .rest = number_of(config, numbers, l->cluster_name) };
	for (size_t i = 0; i < config->n_source_routes; i++) {
		const struct source_route_config *route = &config->source_routes[i];

		if (!route_is_of(route, l) || match_is_network(&route->match))
			continue;
		ret->rules[ret->n_rules++] = (struct steer_rule){
			.mod = route->match.mod,
			.equals = route->match.equals,
			.cluster = number_of(config, numbers, route->cluster_name),
		};
	}
}

/* Without the counters it is steered all the same. */
static void counters_make(int fd, const struct listener_config *listener)
{
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct steer_stats *none = n > 0 ? calloc(n, sizeof(*none)) : NULL;
	struct listener_key key = key_of(listener, 0);

	if (none)
		bpf_map_update_elem(fd, &key, none, BPF_NOEXIST);
}

static int gateway_write(const struct maps *maps, const struct config *config, size_t listener, uint32_t generation,
			 const uint32_t *numbers)
{
	struct listener_key key = key_of(&config->listeners[listener], generation);
	struct gateway gateway;
	int r;

	steer_gateway_of(config, listener, numbers, &gateway);
	counters_make(maps->fd[MAP_STEER_STATS], &config->listeners[listener]);
	r = steer_networks_write(maps->fd[MAP_STEERS], config, listener, generation, numbers, gateway.number, false);
	if (r == 0)
		r = bpf_map_update_elem(maps->fd[MAP_GATEWAYS], &key, &gateway, BPF_ANY);
	return r;
}

int steer_publish(const struct maps *maps, const struct config *config, uint32_t generation)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services ?: 1, sizeof(*numbers));
	int r = 0;

	if (!numbers)
		return -ENOMEM;
	steer_numbers(config, numbers);
	for (size_t i = 0; r == 0 && i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_GATEWAY && steer_listener_why(config, i) == STEER_WORKS)
			r = gateway_write(maps, config, i, generation, numbers);
	return r;
}

/* ---- slots ---- */

static bool takes(const struct endpoint *endpoint)
{
	return endpoint->healthy && endpoint->weight;
}

static void slots_by_source(const struct cluster *cluster, const uint32_t *places, struct steer_cluster *ret)
{
	bool far = false, near = false;
	size_t owner;

	for (uint32_t slot = 0; slot < MPBPF_STEER_SLOTS; slot++) {
		if (cluster_slot_owner(cluster, slot, NULL, &owner) < 0) {
			ret->head.why = STEER_NOBODY;
			return;
		}
		ret->slots[slot] = places[owner];
		near |= places[owner] != 0;
		far |= !places[owner];
	}
	/* What is here is steered to; the rest of the slots is said of a source by itself. */
	ret->head.why = far && !near ? STEER_FAR : STEER_WORKS;
}

static void slots_by_flow(const struct cluster *cluster, const uint32_t *places, struct steer_cluster *ret)
{
	uint64_t total = 0, passed = 0;
	uint32_t slot = 0;

	for (size_t i = 0; i < cluster->n_endpoints; i++) {
		if (!takes(&cluster->endpoints[i]))
			continue;
		if (!places[i]) {
			ret->head.why = STEER_FAR;
			return;
		}
		total += cluster->endpoints[i].weight;
	}
	ret->head.why = total ? STEER_WORKS : STEER_NOBODY;
	for (size_t i = 0; total && i < cluster->n_endpoints; i++) {
		if (!takes(&cluster->endpoints[i]))
			continue;
		passed += cluster->endpoints[i].weight;
		for (; slot < passed * MPBPF_STEER_SLOTS / total; slot++)
			ret->slots[slot] = places[i];
	}
}

void steer_cluster_of(const struct cluster *cluster, const uint32_t *places, uint32_t generation,
		      struct steer_cluster *ret)
{
	bool by_source = cluster->policy == BALANCE_SOURCE_HASH;

	memset(ret, 0, sizeof(*ret));
	ret->head.generation = generation;
	ret->head.by = by_source ? STEER_BY_SOURCE : STEER_BY_FLOW;
	if (cluster->n_endpoints > STEER_ENDPOINTS_MAX)
		ret->head.why = STEER_CLUSTERS;
	else if (by_source)
		slots_by_source(cluster, places, ret);
	else
		slots_by_flow(cluster, places, ret);
}

void steer_cluster_put(const struct steer_cluster *value, struct steer_cluster *ret)
{
	for (uint32_t slot = 0; slot < MPBPF_STEER_SLOTS; slot++)
		__atomic_store_n(&ret->slots[slot], value->slots[slot], __ATOMIC_RELAXED);
	__atomic_store_n(&ret->head.word, value->head.word, __ATOMIC_RELEASE);
}

/* ---- counters ---- */

void steer_stats_read(const struct maps *maps, const struct listener_config *listener, struct steer_stats *ret)
{
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct steer_stats *each = n > 0 ? calloc(n, sizeof(*each)) : NULL;
	struct listener_key key = key_of(listener, 0);

	*ret = (struct steer_stats){};
	if (!each || bpf_map_lookup_elem(maps->fd[MAP_STEER_STATS], &key, each) < 0)
		return;
	for (int i = 0; i < n; i++) {
		ret->steered += each[i].steered;
		ret->absent += each[i].absent;
	}
}

static bool is_gateway(const struct config *config, const struct listener_key *key)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_key own = key_of(&config->listeners[i], 0);

		if (config->listeners[i].mode == LISTENER_GATEWAY && !memcmp(&own, key, sizeof(own)))
			return true;
	}
	return false;
}

void steer_stats_purge(const struct maps *maps, const struct config *config)
{
	int fd = maps->fd[MAP_STEER_STATS], r;
	struct listener_key key, next;

	/* The next key is asked for before this one goes. */
	for (r = bpf_map_get_next_key(fd, NULL, &key); r == 0; key = next) {
		r = bpf_map_get_next_key(fd, &key, &next);
		if (!is_gateway(config, &key))
			bpf_map_delete_elem(fd, &key);
	}
}

// SPDX-License-Identifier: MIT
/* Floor 3: what is captured: captures and their rules as the kernel looks them up, and the endpoints of a cluster. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/capture.h"
#include "core/policy_keys.h"
#include "core/steer.h"
#include "core/util.h"

/* ---- what a configuration allows ---- */

enum capture_why capture_service_why(const struct service_config *service)
{
	if (service->proxy_protocol != PROXY_OFF)
		return CAPTURE_SENDS_PROXY;
	if (service->policy == BALANCE_LEAST_CONN)
		return CAPTURE_LEAST_CONN;
	return service->policy == BALANCE_SOURCE_HASH ? CAPTURE_SOURCE_HASH : CAPTURE_WORKS;
}

const char *capture_why_text(enum capture_why why)
{
	switch (why) {
	case CAPTURE_SENDS_PROXY: return "the cluster gets PROXY headers";
	case CAPTURE_LEAST_CONN: return "the policy least_conn counts connections";
	case CAPTURE_SOURCE_HASH: return "the policy source_hash goes by the source address";
	case CAPTURE_WORKS: break;
	}
	return "";
}

bool capture_leads_to(const struct config *config, const char *listener, const char *service)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (!strcmp(config->listeners[i].name, listener) && config->listeners[i].cluster_name &&
		    !strcmp(config->listeners[i].cluster_name, service))
			return true;
	for (size_t i = 0; i < config->n_source_routes; i++)
		if (!strcmp(config->source_routes[i].listener, listener) &&
		    !strcmp(config->source_routes[i].cluster_name, service))
			return true;
	return false;
}

void capture_numbers(const struct config *config, uint32_t *ret)
{
	uint32_t number = 0;

	for (size_t i = 0; i < config->n_services; i++) {
		bool led = false;

		for (size_t k = 0; k < config->n_listeners && !led; k++)
			led = listener_captures(&config->listeners[k], CAPTURE_OUT) &&
			      capture_leads_to(config, config->listeners[k].name, config->services[i].name);
		ret[i] = !led ? 0 : number < MPBPF_CAPTURE_CLUSTERS ? ++number : CAPTURE_RELAYED;
	}
}

uint64_t capture_cgroup(const char *path)
{
	return name_hash(path);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15 ^ (hash >> 29);
}

uint64_t capture_definition(const struct service_config *service)
{
	uint64_t hash = mix(name_hash(service->name), service->port);

	hash = mix(hash, service->policy);
	hash = mix(hash, service->proxy_protocol);
	for (size_t i = 0; i < service->n_hosts; i++)
		hash = mix(mix(hash, name_hash(service->hosts[i])), service->weights ? service->weights[i] : 1);
	return hash;
}

/* ---- captures and their networks ---- */

static int net_write(const struct maps *maps, uint32_t generation, uint64_t cgroup, uint16_t port,
		     const struct cidr *cidr, uint32_t number)
{
	const struct capture_net_key key = {
		.prefixlen = CAPTURE_NET_PREFIX + cidr->prefix,
		.generation = generation,
		.cgroup = { cgroup, cgroup >> 32 },
		.port = htons(port),
		.addr = cidr->addr,
	};
	int r = bpf_map_update_elem(maps->fd[MAP_CAPTURE_NETS], &key, &number, BPF_ANY);

	return r == -ENOSPC ? -E2BIG : r;
}

/* The networks of a capture on one port, 0 being every port. number 0: what keeps IPv4 out of ::/0, and is to be written first. */
static int nets_write(const struct maps *maps, uint32_t generation, const struct listener_config *l, uint16_t port,
		      uint32_t number)
{
	const struct cidr v4 = { .addr = cidr_v4, .prefix = 96 }, v6 = {};
	uint64_t cgroup = l->cgroup ? capture_cgroup(l->cgroup) : 0;
	int r = 0;

	if (!number || !l->match.n_cidrs)
		r = net_write(maps, generation, cgroup, port, &v4, number);
	if (r == 0 && number && !l->match.n_cidrs)
		r = net_write(maps, generation, cgroup, port, &v6, number);
	for (size_t i = 0; r == 0 && number && i < l->match.n_cidrs; i++)
		r = net_write(maps, generation, cgroup, port, &l->match.cidrs[i], number);
	return r;
}

static int ports_write(const struct maps *maps, uint32_t generation, const struct listener_config *l, uint32_t number)
{
	int r = 0;

	if (!l->match.n_ports)
		return nets_write(maps, generation, l, 0, number);
	for (size_t i = 0; r == 0 && i < l->match.n_ports; i++)
		r = nets_write(maps, generation, l, l->match.ports[i], number);
	return r;
}

static bool has_source_rules(const struct config *config, const struct listener_config *l)
{
	for (size_t i = 0; i < config->n_source_routes; i++)
		if (!strcmp(config->source_routes[i].listener, l->name) &&
		    !config->source_routes[i].match.by_destination)
			return true;
	return false;
}

static void capture_of(const struct config *config, size_t listener, const uint32_t *numbers, struct capture *ret)
{
	const struct listener_config *l = &config->listeners[listener];

	/* What comes has a source. */
	*ret = (struct capture){ .id = capture_id(l->name, l->direction == CAPTURE_IN),
				 .by_source = l->direction == CAPTURE_IN || has_source_rules(config, l) };
	if (steer_count_rules(config, l) > MPBPF_STEER_RULES) {
		ret->rules = (struct gateway){ .number = listener + 1, .rest = CAPTURE_RELAYED };
		ret->by_source = l->direction == CAPTURE_IN;
	} else {
		steer_gateway_of(config, listener, numbers, &ret->rules);
	}
	strncpy(ret->name, l->name, sizeof(ret->name) - 1);
	if (l->cgroup)
		strncpy(ret->cgroup, l->cgroup, sizeof(ret->cgroup) - 1);
}

/* Without the counters it is captured all the same. */
static void counters_make(const struct maps *maps, const struct listener_config *listener, const char *service)
{
	const struct capture_stats_key key = { .capture = capture_id(listener->name, listener->direction == CAPTURE_IN),
					       .cluster = service ? name_hash(service) : 0 };
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct capture_stats *none = n > 0 ? calloc(n, sizeof(*none)) : NULL;

	if (none)
		bpf_map_update_elem(maps->fd[MAP_CAPTURE_STATS], &key, none, BPF_NOEXIST);
}

static int capture_write(const struct maps *maps, const struct config *config, size_t listener, uint32_t generation,
			 const uint32_t *numbers)
{
	const struct listener_config *l = &config->listeners[listener];
	const struct capture_key key = { .generation = generation, .number = listener + 1 };
	struct capture capture;
	int r;

	counters_make(maps, l, NULL);
	for (size_t i = 0; i < config->n_services; i++)
		if (capture_leads_to(config, l->name, config->services[i].name))
			counters_make(maps, l, config->services[i].name);
	capture_of(config, listener, numbers, &capture);
	r = steer_networks_write(maps->fd[MAP_STEERS], config, listener, generation, numbers, key.number, false);
	if (r == 0)
		r = steer_networks_write(maps->fd[MAP_STEERS], config, listener, generation, numbers,
					 CAPTURE_DESTINATIONS(key.number), true);
	if (r == 0)
		r = bpf_map_update_elem(maps->fd[MAP_CAPTURES], &key, &capture, BPF_ANY);
	return r == 0 ? ports_write(maps, generation, l, key.number) : r;
}

static int cluster_write(const struct maps *maps, uint32_t generation, uint32_t number,
			 const struct capture_cluster *cluster)
{
	__u32 at = (generation & 1) * MPBPF_CAPTURE_CLUSTERS + number - 1;

	return bpf_map_update_elem(maps->fd[MAP_CAPTURE_ENDS], &at, cluster, BPF_F_LOCK);
}

static int cluster_read(const struct maps *maps, uint32_t generation, uint32_t number, struct capture_cluster *ret)
{
	__u32 at = (generation & 1) * MPBPF_CAPTURE_CLUSTERS + number - 1;
	int r = bpf_map_lookup_elem_flags(maps->fd[MAP_CAPTURE_ENDS], &at, ret, BPF_F_LOCK);

	return r == 0 && ret->generation != generation ? -ENOENT : r;
}

/*
 * A cluster that stays what it was keeps its endpoints: else until the agent has told them again, all of its connections would take
 * the relay, which not all can reach. What stands there of a publishing that failed has the same generation, and must go.
 */
static int cluster_keep(const struct maps *maps, uint32_t generation, uint64_t definition, uint32_t number)
{
	struct capture_cluster cluster;

	for (uint32_t i = 1; i <= MPBPF_CAPTURE_CLUSTERS; i++) {
		if (cluster_read(maps, generation - 1, i, &cluster) < 0 || cluster.definition != definition)
			continue;
		cluster.generation = generation;
		return cluster_write(maps, generation, number, &cluster);
	}
	cluster = (struct capture_cluster){};
	return cluster_write(maps, generation, number, &cluster);
}

static int clusters_keep(const struct maps *maps, const struct config *config, uint32_t generation,
			 const uint32_t *numbers)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_services; i++)
		if (numbers[i] && numbers[i] <= MPBPF_CAPTURE_CLUSTERS)
			r = cluster_keep(maps, generation, capture_definition(&config->services[i]), numbers[i]);
	return r;
}

/* What comes to a guard or a gateway is not captured, though every port is. */
static int others_keep(const struct maps *maps, const struct config *config, uint32_t generation)
{
	const struct cidr v4 = { .addr = cidr_v4, .prefix = 96 }, v6 = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_listeners; i++) {
		const struct listener_config *l = &config->listeners[i];
		bool any4 = l->any || !memcmp(&l->address, &cidr_v4, sizeof(cidr_v4));
		const struct cidr own = { .addr = l->address, .prefix = 128 };

		if (l->mode == LISTENER_CAPTURE)
			continue;
		r = net_write(maps, generation, 0, l->port, any4 ? &v4 : &own, CAPTURE_NOT);
		if (r == 0 && l->any)
			r = net_write(maps, generation, 0, l->port, &v6, CAPTURE_NOT);
	}
	return r;
}

/* numbers: of the clusters that captures lead to: as connect knows them, and as sk_lookup does. */
static int captures_write(const struct maps *maps, const struct config *config, uint32_t generation,
			  const uint32_t *out, const uint32_t *in)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_CAPTURE)
			r = ports_write(maps, generation, &config->listeners[i], 0);
	for (size_t i = 0; r == 0 && i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_CAPTURE)
			r = capture_write(maps, config, i, generation,
					  config->listeners[i].direction == CAPTURE_IN ? in : out);
	return r == 0 && config_n_captures(config, CAPTURE_IN) ? others_keep(maps, config, generation) : r;
}

int capture_publish(const struct maps *maps, const struct config *config, uint32_t generation)
{
	_cleanup_free_ uint32_t *out = calloc(config->n_services ?: 1, sizeof(*out));
	_cleanup_free_ uint32_t *in = calloc(config->n_services ?: 1, sizeof(*in));
	int r;

	if (!out || !in)
		return -ENOMEM;
	capture_numbers(config, out);
	steer_numbers(config, in);
	r = captures_write(maps, config, generation, out, in);
	return r == 0 ? clusters_keep(maps, config, generation, out) : r;
}

/* ---- clusters ---- */

void capture_cluster_of(const struct service_config *service, const struct cluster *cluster, uint32_t generation,
			uint64_t netns, struct capture_cluster *ret)
{
	*ret = (struct capture_cluster){
		.generation = generation,
		.id = name_hash(service->name),
		.netns = netns,
		.definition = capture_definition(service),
		.relayed = capture_service_why(service) != CAPTURE_WORKS,
	};
	for (size_t i = 0; i < cluster->n_endpoints; i++) {
		const struct endpoint *endpoint = &cluster->endpoints[i];

		if (!endpoint->healthy || !endpoint->weight)
			continue;
		if (ret->n_endpoints == MPBPF_CAPTURE_ENDPOINTS) {
			ret->relayed = 1;
			break;
		}
		ret->total += endpoint->weight;
		ret->endpoints[ret->n_endpoints++] = (struct capture_endpoint){ .addr = endpoint->addr,
										.port = htons(endpoint->port),
										.upto = ret->total };
	}
}

int capture_cluster_write(const struct maps *maps, uint32_t number, const struct capture_cluster *cluster)
{
	return cluster_write(maps, cluster->generation, number, cluster);
}

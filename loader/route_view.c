// SPDX-License-Identifier: MIT
/* Floor 5: routes, clusters and what a connection would take of them, as JSON. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "core/cluster.h"
#include "core/steer.h"
#include "core/util.h"
#include "loader/route_view.h"
#include "core/path.h"

#define PREFIX_TEXT_MAX (INET6_ADDRSTRLEN + 4)

static const char *const modes[] = {
	[LISTENER_GUARD] = "guard", [LISTENER_GATEWAY] = "gateway", [LISTENER_CAPTURE] = "capture"
};
static const char *const protocols[] = { [LISTENER_HTTP] = "http", [LISTENER_TCP] = "tcp" };
static const char *const proxies[] = { [PROXY_OFF] = "off", [PROXY_V1] = "v1", [PROXY_V2] = "v2" };
static const char *const checks[] = { [HEALTH_TCP] = "tcp", [HEALTH_HTTP] = "http" };
static const char *const policies[] = { [BALANCE_ROUND_ROBIN] = "round_robin",
					[BALANCE_RANDOM] = "random",
					[BALANCE_LEAST_CONN] = "least_conn",
					[BALANCE_SOURCE_HASH] = "source_hash" };
static const char *const ways[] = {
	[ROUTE_BY_SOURCE] = "source_routes", [ROUTE_BY_REQUEST] = "routes", [ROUTE_BY_DEFAULT] = "cluster_name"
};

/* What may not be there is null. */
static void add_text(cJSON *json, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

static const char *addr_text(const struct addr *addr, char ret[INET6_ADDRSTRLEN])
{
	bool v4 = cidr_is_v4(addr);

	return inet_ntop(v4 ? AF_INET : AF_INET6, addr->b + (v4 ? 12 : 0), ret, INET6_ADDRSTRLEN);
}

static void match_text(const struct source_match *match, char *ret, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	bool v4 = cidr_is_v4(&match->cidr.addr);

	if (match_is_network(match))
		snprintf(ret, size, "%s%s/%d", match->by_destination ? "destination " : "",
			 addr_text(&match->cidr.addr, address), match->cidr.prefix - (v4 ? 96 : 0));
	else if (match->last_octet)
		snprintf(ret, size, "last octet %s", match->last_octet == LAST_OCTET_EVEN ? "even" : "odd");
	else
		snprintf(ret, size, "mod %u equals %u", match->mod, match->equals);
}

static cJSON *source_rule(const struct config *config, size_t i)
{
	const struct source_route_config *route = &config->source_routes[i];
	cJSON *json = cJSON_CreateObject();
	char match[64];

	match_text(&route->match, match, sizeof(match));
	cJSON_AddNumberToObject(json, "index", i);
	add_text(json, "name", route->name);
	cJSON_AddStringToObject(json, "match", match);
	cJSON_AddStringToObject(json, "cluster", route->cluster_name);
	return json;
}

static cJSON *request_rule(const struct config *config, size_t i)
{
	const struct route_config *route = &config->routes[i];
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "index", i);
	cJSON_AddStringToObject(json, "name", route->name);
	cJSON_AddStringToObject(json, "prefix", route->prefix);
	cJSON_AddStringToObject(json, "cluster", route->cluster_name);
	cJSON_AddNumberToObject(json, "timeout_s", route->timeout_s);
	return json;
}

static void add_capture(cJSON *json, const struct listener_config *listener)
{
	cJSON *match, *list;
	char text[CIDR_TEXT_MAX];

	cJSON_AddStringToObject(json, "direction", listener->direction == CAPTURE_IN ? "in" : "out");
	if (listener->cgroup)
		cJSON_AddStringToObject(json, "cgroup", listener->cgroup);
	match = cJSON_AddObjectToObject(json, "match");
	list = cJSON_AddArrayToObject(match, "ports");
	for (size_t i = 0; i < listener->match.n_ports; i++)
		cJSON_AddItemToArray(list, cJSON_CreateNumber(listener->match.ports[i]));
	list = cJSON_AddArrayToObject(match, "cidrs");
	for (size_t i = 0; i < listener->match.n_cidrs; i++) {
		const struct cidr *cidr = &listener->match.cidrs[i];

		cJSON_AddItemToArray(list, cJSON_CreateString(cidr_text(cidr, cidr_is_v4(&cidr->addr), text)));
	}
}

static cJSON *listener_of(const struct listener_config *listener)
{
	cJSON *json = cJSON_CreateObject();
	char address[INET6_ADDRSTRLEN];

	cJSON_AddStringToObject(json, "name", listener->name);
	cJSON_AddStringToObject(json, "mode", modes[listener->mode]);
	cJSON_AddStringToObject(json, "protocol", protocols[listener->protocol]);
	if (listener->mode == LISTENER_CAPTURE) {
		add_capture(json, listener);
	} else {
		add_text(json, "address", listener->any ? NULL : addr_text(&listener->address, address));
		cJSON_AddNumberToObject(json, "port", listener->port);
	}
	add_text(json, "cluster_name", listener->cluster_name);
	return json;
}

/* ---- list ---- */

static cJSON *listener_rules(const struct config *config, const struct route_table *table, size_t listener)
{
	cJSON *json = listener_of(&config->listeners[listener]), *list;
	struct route_line line;
	size_t i, rule;

	route_way_listener(json, config, listener);
	list = cJSON_AddArrayToObject(json, "source_routes");
	for (i = 0; (rule = route_source_at(table, listener, i)) != SIZE_MAX; i++)
		cJSON_AddItemToArray(list, source_rule(config, rule));
	list = cJSON_AddArrayToObject(json, "routes");
	for (i = 0; config->listeners[listener].protocol == LISTENER_HTTP && route_host_at(table, i, &line); i++) {
		cJSON *one = request_rule(config, line.route);
		char host[300];

		snprintf(host, sizeof(host), "%s%s", line.wildcard, line.host);
		cJSON_AddStringToObject(one, "host", host);
		cJSON_AddItemToArray(list, one);
	}
	return json;
}

/* picked: the host that takes it, or SIZE_MAX. */
static cJSON *endpoints_of(const struct service_config *service, size_t picked)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < service->n_hosts; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "host", service->hosts[i]);
		cJSON_AddNumberToObject(one, "port", service->port);
		cJSON_AddNumberToObject(one, "weight", service->weights ? service->weights[i] : 1);
		if (picked != SIZE_MAX)
			cJSON_AddBoolToObject(one, "picked", picked == i);
		cJSON_AddItemToArray(list, one);
	}
	return list;
}

static cJSON *cluster_of(const struct config *config, size_t i, uint32_t number, const struct route_live *live)
{
	const struct service_config *service = &config->services[i];
	cJSON *json = cJSON_CreateObject(), *check;

	cJSON_AddStringToObject(json, "name", service->name);
	cJSON_AddStringToObject(json, "policy", policies[service->policy]);
	cJSON_AddStringToObject(json, "proxy_protocol", proxies[service->proxy_protocol]);
	if (service->health.type == HEALTH_NONE) {
		cJSON_AddNullToObject(json, "health_check");
	} else {
		check = cJSON_AddObjectToObject(json, "health_check");
		cJSON_AddStringToObject(check, "type", checks[service->health.type]);
		add_text(check, "path", service->health.path);
		cJSON_AddNumberToObject(check, "interval_ms", service->health.interval_ms);
	}
	route_way_cluster(json, config, i, number, live);
	cJSON_AddItemToObject(json, "endpoints", endpoints_of(service, SIZE_MAX));
	return json;
}

cJSON *route_view_list(const struct config *config, const struct route_table *table, const struct route_live *live)
{
	_cleanup_free_ uint32_t *numbers = calloc(config->n_services ?: 1, sizeof(*numbers));
	cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "listeners");

	if (numbers)
		steer_numbers(config, numbers);
	for (size_t i = 0; i < config->n_listeners; i++)
		if (listener_is_relayed(&config->listeners[i]))
			cJSON_AddItemToArray(list, listener_rules(config, table, i));
	list = cJSON_AddArrayToObject(json, "clusters");
	for (size_t i = 0; i < config->n_services; i++)
		cJSON_AddItemToArray(list, cluster_of(config, i, numbers ? numbers[i] : 0, live));
	return json;
}

/* ---- test ---- */

/* With source_hash and addresses alone it is known who takes it, if all are healthy. Else SIZE_MAX. */
static size_t pick_host(const struct service_config *service, const struct addr *source)
{
	_cleanup_(cluster_free) struct cluster cluster = {};
	_cleanup_free_ struct endpoint *list = calloc(service->n_hosts, sizeof(*list));
	size_t picked;

	if (service->policy != BALANCE_SOURCE_HASH || !list)
		return SIZE_MAX;
	for (size_t i = 0; i < service->n_hosts; i++) {
		list[i] = (struct endpoint){ .port = service->port,
					     .weight = service->weights ? service->weights[i] : 1 };
		if (!cidr_parse_address(service->hosts[i], &list[i].addr, NULL))
			return SIZE_MAX;
	}
	cluster_init(&cluster, service->policy, 0);
	if (cluster_set(&cluster, list, service->n_hosts) < 0 || cluster_pick(&cluster, source, NULL, &picked) < 0)
		return SIZE_MAX;
	/* Twins were made one, whose place is that of the first. */
	for (size_t i = 0; i < service->n_hosts; i++)
		if (!memcmp(&list[i].addr, &cluster.endpoints[picked].addr, sizeof(struct addr)))
			return i;
	return SIZE_MAX;
}

/* The path as servers read it. Returns what is to be freed, or NULL: no server would, or there is no memory. */
static char *path_of(const char *given)
{
	size_t len = strcspn(given, "?#");
	char *path = malloc(len + 2);
	bool exact;
	int n = path ? path_normalize(given, len, path, &exact) : -1;

	if (n < 0) {
		free(path);
		return NULL;
	}
	if (!exact)
		path_reduce(path, n);
	return path;
}

static void add_answer(cJSON *json, const struct config *config, const struct route_question *question,
		       const struct route_answer *answer, const char *why)
{
	const struct service_config *service = answer->service;

	add_text(json, "cluster", service ? service->name : NULL);
	add_text(json, "by", ways[answer->by]);
	if (answer->by == ROUTE_BY_SOURCE)
		cJSON_AddItemToObject(json, "rule", source_rule(config, answer->rule));
	else if (answer->by == ROUTE_BY_REQUEST)
		cJSON_AddItemToObject(json, "rule", request_rule(config, answer->rule));
	else
		cJSON_AddNullToObject(json, "rule");
	add_text(json, "why", service ? NULL : why);
	add_text(json, "policy", service ? policies[service->policy] : NULL);
	cJSON_AddItemToObject(json, "endpoints",
			      service ? endpoints_of(service, pick_host(service, &question->source))
				      : cJSON_CreateArray());
}

static bool is_captured(const struct listener_config *listener, const struct addr *destination)
{
	for (size_t i = 0; i < listener->match.n_cidrs; i++)
		if (cidr_covers(&listener->match.cidrs[i], destination))
			return true;
	return !listener->match.n_cidrs;
}

cJSON *route_view_test(const struct config *config, const struct route_table *table,
		       const struct route_question *question, const struct route_live *live, bool *ret_found)
{
	_cleanup_free_ char *path = question->path ? path_of(question->path) : NULL;
	cJSON *json = cJSON_CreateObject();
	char source[INET6_ADDRSTRLEN];
	struct route_answer answer;
	const char *why;

	if (config->listeners[question->listener].mode == LISTENER_CAPTURE)
		route_capture(table, question->listener, &question->source, &question->destination, &answer);
	else
		route_match(table, question->listener, &question->source, question->host, path, &answer);
	why = route_why_text(answer.why);
	if (!is_captured(&config->listeners[question->listener], &question->destination)) {
		answer = (struct route_answer){};
		why = "it is not captured: no network of the listener's match covers the destination";
	}
	if (question->path && !path && answer.by != ROUTE_BY_SOURCE) {
		answer = (struct route_answer){};
		why = "the path is refused: servers do not agree on what it means";
	}
	cJSON_AddItemToObject(json, "listener", listener_of(&config->listeners[question->listener]));
	cJSON_AddStringToObject(json, "source", addr_text(&question->source, source));
	if (config->listeners[question->listener].mode == LISTENER_CAPTURE)
		cJSON_AddStringToObject(json, "destination", addr_text(&question->destination, source));
	add_text(json, "host", question->host);
	add_text(json, "path", path);
	add_answer(json, config, question, &answer, why);
	if (answer.service)
		route_way_test(json, config, question->listener, &answer, &question->source, live);
	*ret_found = answer.service;
	return json;
}

// SPDX-License-Identifier: MIT
/* Floor 3: where gateways send connections: services, routes by host and path, routes by source. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"
#include "core/host.h"

/* ---- what strings may be ---- */

static bool is_visible(const char *text, size_t max)
{
	size_t len;

	for (len = 0; text[len]; len++)
		if (text[len] <= ' ' || text[len] >= 0x7f)
			return false;
	return len >= 1 && len <= max;
}

static bool is_host(const char *text)
{
	return is_visible(text, 253);
}

static bool is_prefix(const char *text)
{
	return text[0] == '/' && is_visible(text, 1024);
}

static const struct rule host_rule = TEXT_ELEMENT(is_host, "a host of 1 to 253 visible ASCII characters");

/* ---- services ---- */

static const char *const health_types[] = { "tcp", "http", NULL };
static const char *const proxy_protocols[] = { "off", "v1", "v2", NULL };
static const char *const policies[] = { "round_robin", "random", "least_conn", "source_hash", NULL };

static const struct rule health_rules[] = {
	NAME("type", struct health_config, type, health_types, HEALTH_TCP, "\"tcp\" or \"http\""),
	STRING("path", struct health_config, path, is_prefix,
	       "a path of 1 to 1024 visible ASCII characters that begins with /"),
	INTEGER("interval_ms", struct health_config, interval_ms, 100, 3600000),
	INTEGER("timeout_ms", struct health_config, timeout_ms, 10, 60000),
	INTEGER("rise", struct health_config, rise, 1, 100),
	INTEGER("fall", struct health_config, fall, 1, 100),
	{},
};

static int health_finish(struct reader *r, void *object)
{
	struct health_config *health = object;

	if (health->type == HEALTH_TCP && health->path) {
		path_key(r, "path");
		return reader_fail(r, show_text(health->path).text, "no path, or the type \"http\"");
	}
	if (health->type == HEALTH_HTTP && !health->path) {
		health->path = strdup("/");
		return health->path ? 0 : reader_nomem(r);
	}
	return 0;
}

static int read_health(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct health_config *health = (struct health_config *)((char *)base + rule->offset);

	*health = (struct health_config){
		.type = HEALTH_TCP, .interval_ms = 2000, .timeout_ms = 1000, .rise = 2, .fall = 3
	};
	return read_keys(r, item, rule, health);
}

static int weights_finish(struct reader *r, const struct service_config *service)
{
	uint32_t sum = 0;

	if (!service->weights)
		return 0;
	path_key(r, "weights");
	if (service->n_weights != service->n_hosts)
		return reader_fail(r, "(an array)", "one weight for each of the %zu hosts", service->n_hosts);
	for (size_t i = 0; i < service->n_weights; i++)
		sum += service->weights[i];
	return sum ? 0 : reader_fail(r, "(an array)", "a weight above 0");
}

static int service_finish(struct reader *r, void *object)
{
	const struct service_config *services = r->config->services;
	struct service_config *new = object;
	size_t before = r->path_len;
	int err;

	for (size_t i = 0; i + 1 < r->config->n_services; i++) {
		if (strcmp(services[i].name, new->name))
			continue;
		path_key(r, "name");
		return reader_fail(r, show_text(new->name).text, "a name that services[%zu] does not have", i);
	}
	err = weights_finish(r, new);
	if (err < 0)
		return err;
	path_restore(r, before);
	if (new->proxy_unique_id &&new->proxy_protocol != PROXY_V2) {
		path_key(r, "proxy_unique_id");
		return reader_fail(r, "true", "false, or the \"proxy_protocol\" \"v2\"");
	}
	if (!new->protocol)
		new->protocol = strdup("http");
	return new->protocol ? 0 : reader_nomem(r);
}

static const struct rule weight_rule = {
	.read = read_integer, .expected = "an integer from 0 to 1000", .size = sizeof(uint32_t), .min = 0, .max = 1000
};

static const struct rule service_rules[] = {
	STRING("name", struct service_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	ARRAY("hosts", struct service_config, hosts, n_hosts, 1, 1024, &host_rule, .flags = RULE_REQUIRED),
	INTEGER("port", struct service_config, port, 1, 65535, .flags = RULE_REQUIRED),
	STRING("protocol", struct service_config, protocol, is_name, NAME_TEXT),
	ARRAY("weights", struct service_config, weights, n_weights, 1, 1024, &weight_rule),
	NAME("policy", struct service_config, policy, policies, BALANCE_ROUND_ROBIN,
	     "\"round_robin\", \"random\", \"least_conn\" or \"source_hash\""),
	NAME("proxy_protocol", struct service_config, proxy_protocol, proxy_protocols, PROXY_OFF,
	     "\"off\", \"v1\" or \"v2\""),
	BOOL("proxy_unique_id", struct service_config, proxy_unique_id),
	{ .key = "health_check",
	  .read = read_health,
	  .expected = "an object",
	  FIELD(struct service_config, health),
	  .of = health_rules,
	  .finish = health_finish },
	INTEGER("drain_s", struct service_config, drain_s, 0, 86400),
	{},
};

static int read_service(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct service_config *service = base;

	service->drain_s = 30;
	return read_keys(r, item, rule, service);
}

const struct rule service_rule = {
	.read = read_service, .expected = "an object", .of = service_rules, .finish = service_finish
};

/* ---- routes ---- */

static const struct rule route_rules[] = {
	STRING("name", struct route_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	STRING("prefix", struct route_config, prefix, is_prefix,
	       "a path prefix of 1 to 1024 visible ASCII characters that begins with /", .flags = RULE_REQUIRED),
	STRING("cluster_name", struct route_config, cluster_name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	ARRAY("hosts", struct route_config, hosts, n_hosts, 1, 1024, &host_rule),
	INTEGER("timeout", struct route_config, timeout_s, 0, 86400),
	{},
};

/* Files of the system that mpbpf replaces may have such; they are not to be refused for it. */
static int route_finish(struct reader *r, void *object)
{
	const struct route_config *route = object;
	char pattern[HOST_MAX];
	int err = 0;

	for (size_t i = 0; err == 0 && i < route->n_hosts; i++) {
		size_t before;

		if (host_pattern(route->hosts[i], pattern) >= 0)
			continue;
		before = path_key(r, "hosts");
		path_index(r, i);
		err = reader_warn(r, "no request is for this: a host is a name, an address, *.NAME or *");
		path_restore(r, before);
	}
	return err;
}

static int read_route(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct route_config *route = base;

	route->timeout_s = 30;
	return read_keys(r, item, rule, route);
}

const struct rule route_rule = {
	.read = read_route, .expected = "an object", .of = route_rules, .finish = route_finish
};

/* ---- source_routes ---- */

#define NOT_GIVEN UINT32_MAX
#define MATCH_TEXT "one of cidr, destination, last_octet, or mod and equals"

static int read_match_cidr(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct source_match *match = base;

	match->by_cidr = true;
	return read_network(r, item, rule, base);
}

static int read_match_destination(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct source_match *match = base;

	match->by_destination = true;
	return read_network(r, item, rule, base);
}

static const char *const octets[] = { "even", "odd", NULL };

static const struct rule match_rules[] = {
	{ .key = "cidr", .read = read_match_cidr, .expected = "a network", FIELD(struct source_match, cidr) },
	{ .key = "destination",
	  .read = read_match_destination,
	  .expected = "a network",
	  FIELD(struct source_match, cidr) },
	NAME("last_octet", struct source_match, last_octet, octets, LAST_OCTET_EVEN, "\"even\" or \"odd\""),
	INTEGER("mod", struct source_match, mod, 1, 4294967295),
	INTEGER("equals", struct source_match, equals, 0, 4294967294),
	{},
};

/* The last octet is even when the number that it ends is: one form for the rest of the program. */
static int match_finish(struct reader *r, void *object)
{
	struct source_match *match = object;
	bool given = match->mod || match->equals != NOT_GIVEN;
	char value[16];

	if (match->by_cidr + match->by_destination + !!match->last_octet + given != 1)
		return reader_fail(r, "(an object)", MATCH_TEXT);
	if (given && (!match->mod || match->equals == NOT_GIVEN))
		return reader_fail(r, "(an object)", "both mod and equals");
	if (given && match->equals >= match->mod) {
		path_key(r, "equals");
		snprintf(value, sizeof(value), "%u", match->equals);
		return reader_fail(r, value, "less than mod, which is %u", match->mod);
	}
	if (match->last_octet) {
		match->mod = 2;
		match->equals = match->last_octet == LAST_OCTET_ODD;
	}
	return 0;
}

static const struct rule source_route_rules[] = {
	STRING("name", struct source_route_config, name, is_name, NAME_TEXT),
	STRING("listener", struct source_route_config, listener, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	OBJECT("match", struct source_route_config, match, match_rules, .finish = match_finish, .flags = RULE_REQUIRED),
	STRING("cluster_name", struct source_route_config, cluster_name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	{},
};

static int read_source_route(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct source_route_config *route = base;

	route->match.equals = NOT_GIVEN;
	return read_keys(r, item, rule, route);
}

const struct rule source_route_rule = { .read = read_source_route, .expected = "an object", .of = source_route_rules };

/* ---- listeners ---- */

const struct rule network_rule = { .read = read_network, .expected = "a network", .size = sizeof(struct cidr) };

const struct rule accept_proxy_rules[] = {
	ARRAY("trusted", struct accept_proxy_config, trusted, n_trusted, 1, 1024, &network_rule,
	      .flags = RULE_REQUIRED),
	{},
};

int read_accept_proxy(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct accept_proxy_config *accept = (struct accept_proxy_config *)((char *)base + rule->offset);

	if (!cJSON_IsBool(item) && !cJSON_IsObject(item))
		return reader_refuse(r, item, rule);
	accept->enabled = !cJSON_IsFalse(item);
	return cJSON_IsObject(item) ? read_keys(r, item, rule, accept) : 0;
}

int listener_needs(struct reader *r, const char *key, const char *value, const char *expected)
{
	path_key(r, key);
	return reader_fail(r, value, "%s", expected);
}

/* Whose requests nobody judges. */
static int opaque_finish(struct reader *r, const struct listener_config *l)
{
	static const char http[] = "a listener whose protocol is \"http\"";

	if (l->auth)
		return listener_needs(r, "auth", "(an object)", http);
	if (!l->enforce)
		return listener_needs(r, "enforce", "false", http);
	if (l->license_headers)
		return listener_needs(r, "license_headers", "true", http);
	return l->response_headers ? listener_needs(r, "response_headers", "(an object)", http) : 0;
}

static int guard_finish(struct reader *r, const struct listener_config *l)
{
	static const char gateway[] = "a listener whose mode is \"gateway\"";

	if (l->cluster_name)
		return listener_needs(r, "cluster_name", show_text(l->cluster_name).text, gateway);
	if (l->accept_proxy.enabled)
		return listener_needs(r, "accept_proxy_protocol", "(given)", gateway);
	if (l->protocol == LISTENER_HTTP)
		return 0;
	/* There is nothing else to it. */
	if (!listener_is_fast(l))
		return listener_needs(
			r, "fast_path", l->fast_path == FAST_PATH_OFF ? "\"off\"" : "\"auto\"",
			"\"on\", or \"auto\" and `fast_path_peers`, of a guard whose protocol is \"tcp\"");
	return opaque_finish(r, l);
}

/* Keys that would be without effect are mistakes: what they promise is not kept. */
int listener_mode_finish(struct reader *r, const struct listener_config *l)
{
	if (l->mode == LISTENER_CAPTURE)
		return capture_finish(r, l);
	if (l->n_fast_peers && l->fast_path != FAST_PATH_AUTO)
		return listener_needs(r, "fast_path_peers", "(an array)", "a listener whose fast_path is \"auto\"");
	if (l->mode != LISTENER_GATEWAY)
		return guard_finish(r, l);
	/* What is judged is the first byte on, in the kernel, which knows no PROXY header. */
	if (l->protocol == LISTENER_HTTP)
		return l->accept_proxy.enabled ? listener_needs(r, "accept_proxy_protocol", "(given)",
								"a gateway whose protocol is \"tcp\"")
					       : 0;
	return opaque_finish(r, l);
}

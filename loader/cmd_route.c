// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf route list` and `mpbpf route test`. */
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "core/maps.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/route_view.h"
#include "loader/view.h"

/* ---- the configuration ---- */

struct routes {
	char path[PATH_MAX];
	bool loaded;	    /* it is the one in force */
	uint8_t digest[32]; /* loaded: as it was */
	struct config *config;
	struct route_table *table;
	struct maps maps; /* loaded: of the data path */
	struct route_live live;
	bool is_live; /* loaded, and the file is still what was loaded */
};

#define ROUTES_EMPTY { .maps = MAPS_EMPTY }

/* That of --config, which needs no rights but to read it; else the one in force. */
static int path_choose(const struct context *c, struct routes *ret)
{
	int r;

	strcpy(ret->path, c->config);
	if (ret->path[0])
		return EXIT_DONE;
	r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &ret->maps);
	if (r != EXIT_DONE)
		return r;
	snprintf(ret->path, sizeof(ret->path), "%s", ret->maps.control->config_path);
	memcpy(ret->digest, ret->maps.control->digest, sizeof(ret->digest));
	ret->loaded = true;
	if (ret->path[0])
		return EXIT_DONE;
	log_line("it was loaded without a configuration: name one with --config");
	return EXIT_FAILED;
}

static void routes_close(struct routes *routes)
{
	route_table_free(routes->table);
	config_free(routes->config);
	maps_close(&routes->maps);
}

/* Warnings are for who loads it: they are not printed. */
static int routes_open(const struct context *c, struct routes *ret)
{
	struct config_error error = {};
	int r;

	r = path_choose(c, ret);
	if (r != EXIT_DONE)
		return r;
	r = config_load(ret->path, &ret->config, &error);
	if (r == 0)
		r = route_table_new(ret->config, &ret->table);
	ret->live = (struct route_live){ .pin_root = c->pin_root, .maps = &ret->maps };
	ret->is_live = r == 0 && ret->loaded && !memcmp(ret->config->digest, ret->digest, sizeof(ret->digest));
	if (r == 0 && ret->loaded && !ret->is_live)
		log_line("%s has changed since it was loaded: this is what a reload would put in force", ret->path);
	if (r == 0)
		return EXIT_DONE;
	log_line("%s", error.text[0] ? error.text : strerror(-r));
	return config_exit_code(r);
}

/* ---- text ---- */

static const char *text_of(const cJSON *json, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name)) ?: "";
}

static double number_of(const cJSON *json, const char *name)
{
	return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static const cJSON *list_of(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

static void print_listener(const cJSON *json)
{
	const char *address = text_of(json, "address");

	if (!strcmp(text_of(json, "direction"), "out")) {
		printf("%-10s %s: connections out of %s\n", "listener", text_of(json, "name"), text_of(json, "cgroup"));
		return;
	}
	if (!strcmp(text_of(json, "direction"), "in")) {
		printf("%-10s %s: connections to this host\n", "listener", text_of(json, "name"));
		return;
	}
	printf("%-10s %s: %s, %s%s, port %.0f\n", "listener", text_of(json, "name"), text_of(json, "protocol"),
	       address[0] ? "address " : "any address", address, number_of(json, "port"));
}

/* Of a capture: to which ports, to which networks. */
static void print_match(const cJSON *json)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, list_of(json, "ports"))
		printf("  %-8s port %.0f\n", "match", cJSON_GetNumberValue(one));
	cJSON_ArrayForEach(one, list_of(json, "cidrs"))
		printf("  %-8s destination %s\n", "match", cJSON_GetStringValue(one));
}

/* `relay: the listener accepts PROXY headers`. */
static void print_way(const cJSON *json, int width, const char *indent)
{
	const char *why = text_of(json, "way_why");

	printf("%s%-*s %s%s%s\n", indent, width, "way", text_of(json, "way"), why[0] ? ": " : "", why);
}

static void print_endpoints(const cJSON *json)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, list_of(json, "endpoints"))
		printf("  %-8s %s port %.0f, weight %.0f%s\n", "endpoint", text_of(one, "host"), number_of(one, "port"),
		       number_of(one, "weight"),
		       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "picked")) ? ": takes it while healthy" : "");
}

static void print_rules(const cJSON *json)
{
	const char *rest = text_of(json, "cluster_name"), *name;
	const cJSON *one;

	print_listener(json);
	print_match(list_of(json, "match"));
	print_way(json, 8, "  ");
	cJSON_ArrayForEach(one, list_of(json, "source_routes")) {
		name = text_of(one, "name");
		printf("  %-8s %s -> %s%s%s\n", "source", text_of(one, "match"), text_of(one, "cluster"),
		       name[0] ? ", " : "", name);
	}
	cJSON_ArrayForEach(one, list_of(json, "routes"))
		printf("  %-8s %s%s -> %s, %s\n", "request", text_of(one, "host"), text_of(one, "prefix"),
		       text_of(one, "cluster"), text_of(one, "name"));
	printf("  %-8s %s%s\n", "else", rest[0] ? "-> " : "refused", rest);
}

static void print_cluster(const cJSON *json)
{
	const cJSON *check = list_of(json, "health_check");

	printf("%-10s %s: %s, PROXY header %s, health check %s\n", "cluster", text_of(json, "name"),
	       text_of(json, "policy"), text_of(json, "proxy_protocol"),
	       cJSON_IsObject(check) ? text_of(check, "type") : "off");
	print_way(json, 8, "  ");
	print_endpoints(json);
}

static void print_list(const cJSON *json)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, list_of(json, "listeners"))
		print_rules(one);
	if (!cJSON_GetArraySize(list_of(json, "listeners")))
		printf("%-10s none is a gateway or a capture\n", "listener");
	cJSON_ArrayForEach(one, list_of(json, "clusters"))
		print_cluster(one);
}

/* `source_routes[2] "even": last octet even`. */
static void print_rule(const cJSON *json)
{
	const cJSON *rule = list_of(json, "rule");
	const char *by = text_of(json, "by"), *name = text_of(rule, "name");

	if (!by[0]) {
		printf("%-10s none: %s\n", "rule", text_of(json, "why"));
		return;
	}
	if (!cJSON_IsObject(rule)) {
		printf("%-10s cluster_name of the listener: no other takes it\n", "rule");
		return;
	}
	printf("%-10s %s[%.0f]%s%s%s: %s\n", "rule", by, number_of(rule, "index"), name[0] ? " \"" : "", name,
	       name[0] ? "\"" : "", text_of(rule, "match")[0] ? text_of(rule, "match") : text_of(rule, "prefix"));
}

static void print_test(const cJSON *json)
{
	print_listener(list_of(json, "listener"));
	printf("%-10s %s\n", "source", text_of(json, "source"));
	if (text_of(json, "destination")[0])
		printf("%-10s %s\n", "to", text_of(json, "destination"));
	if (text_of(json, "host")[0])
		printf("%-10s %s\n", "host", text_of(json, "host"));
	if (text_of(json, "path")[0])
		printf("%-10s %s\n", "path", text_of(json, "path"));
	print_rule(json);
	if (!text_of(json, "cluster")[0])
		return;
	printf("%-10s %s, %s among those that are healthy\n", "cluster", text_of(json, "cluster"),
	       text_of(json, "policy"));
	print_way(json, 10, "");
	print_endpoints(json);
}

/* ---- the commands ---- */

static int show(const struct context *c, cJSON *json, void (*print)(const cJSON *json))
{
	if (c->json || !json)
		return view_print_json(json);
	print(json);
	cJSON_Delete(json);
	return EXIT_DONE;
}

int cmd_route_list(const struct context *c)
{
	_cleanup_(routes_close) struct routes routes = ROUTES_EMPTY;
	int r;

	r = routes_open(c, &routes);
	return r == EXIT_DONE
		       ? show(c, route_view_list(routes.config, routes.table, routes.is_live ? &routes.live : NULL),
			      print_list)
		       : r;
}

/* The named gateway or capture, or the only one. */
static int listener_choose(const struct context *c, const struct routes *routes, size_t *ret)
{
	const struct config *config = routes->config;
	size_t n = 0;

	for (size_t i = 0; i < config->n_listeners; i++) {
		if (!listener_is_relayed(&config->listeners[i]) ||
		    (c->listener && strcmp(config->listeners[i].name, c->listener)))
			continue;
		*ret = i;
		n++;
	}
	if (n == 1)
		return EXIT_DONE;
	if (c->listener)
		log_line("--listener %s: %s has no listener of that name whose mode is gateway or capture", c->listener,
			 routes->path);
	else
		log_line("%s has %zu listeners whose mode is gateway or capture%s", routes->path, n,
			 n ? ": name one with --listener" : "");
	return EXIT_USAGE;
}

/* Captures ask for it, and no others. */
static int destination_read(const struct context *c, const struct listener_config *listener, struct addr *ret)
{
	if (listener->mode != LISTENER_CAPTURE && c->destination) {
		log_line("--destination is for captures; the mode of listener %s is gateway", listener->name);
		return EXIT_USAGE;
	}
	if (listener->mode != LISTENER_CAPTURE)
		return EXIT_DONE;
	if (c->destination && cidr_parse_address(c->destination, ret, NULL))
		return EXIT_DONE;
	log_line("--destination%s%s: expected an IPv4 or IPv6 address", c->destination ? " " : "",
		 c->destination ?: "");
	return EXIT_USAGE;
}

static int question_read(const struct context *c, const struct routes *routes, struct route_question *ret)
{
	int r;

	if (!c->source || !cidr_parse_address(c->source, &ret->source, NULL)) {
		log_line("--source%s%s: expected an IPv4 or IPv6 address", c->source ? " " : "", c->source ?: "");
		return EXIT_USAGE;
	}
	r = listener_choose(c, routes, &ret->listener);
	if (r != EXIT_DONE)
		return r;
	r = destination_read(c, &routes->config->listeners[ret->listener], &ret->destination);
	if (r != EXIT_DONE)
		return r;
	if ((c->host || c->path) && routes->config->listeners[ret->listener].protocol != LISTENER_HTTP) {
		log_line("--host and --path are for http; the protocol of listener %s is tcp",
			 routes->config->listeners[ret->listener].name);
		return EXIT_USAGE;
	}
	ret->host = c->host;
	ret->path = c->path;
	return EXIT_DONE;
}

int cmd_route_test(const struct context *c)
{
	_cleanup_(routes_close) struct routes routes = ROUTES_EMPTY;
	struct route_question question = {};
	bool found;
	cJSON *json;
	int r;

	r = routes_open(c, &routes);
	if (r == EXIT_DONE)
		r = question_read(c, &routes, &question);
	if (r != EXIT_DONE)
		return r;
	json = route_view_test(routes.config, routes.table, &question, routes.is_live ? &routes.live : NULL, &found);
	r = show(c, json, print_test);
	return r == EXIT_DONE && !found ? EXIT_FAILED : r;
}

/* SPDX-License-Identifier: MIT */
/* Floor 3: every key of the configuration but those of auth, and what must hold between them. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

/* ---- what strings may be ---- */

static bool is_visible(const char *text, size_t max)
{
	size_t len;

	for (len = 0; text[len]; len++) {
		unsigned char c = text[len];

		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return len >= 1 && len <= max;
}

bool is_name(const char *text)
{
	return is_visible(text, 64);
}

/* ---- ddos, cache ---- */

static const struct rule ban_rules[] = {
	BOOL("enabled", struct ban_config, enabled),
	INTEGER("failures", struct ban_config, failures, 1, 1000000),
	INTEGER("window_s", struct ban_config, window_s, 1, 86400),
	INTEGER("ban_s", struct ban_config, ban_s, 1, 2592000),
	{},
};

static const struct rule ddos_rules[] = {
	BOOL("drop_invalid", struct ddos_config, drop_invalid),
	NAME("syn_cookies", struct ddos_config, syn_cookies, syn_cookies, SYN_OFF, "\"off\", \"auto\" or \"always\""),
	INTEGER("syn_rate", struct ddos_config, syn_rate, 1, 1000000000),
	ARRAY("syn_ports", struct ddos_config, syn_ports, n_syn_ports, 0, MPBPF_SYN_PORTS_MAX, &syn_port_rule),
	{ .key = "deny",
	  .read = read_cidrs,
	  .expected = "an array",
	  FIELD(struct ddos_config, deny),
	  .count = offsetof(struct ddos_config, n_deny) },
	{ .key = "allow",
	  .read = read_cidrs,
	  .expected = "an array",
	  FIELD(struct ddos_config, allow),
	  .count = offsetof(struct ddos_config, n_allow) },
	OBJECT("ban", struct ddos_config, ban, ban_rules),
	{},
};

static const struct rule events_rules[] = {
	INTEGER("per_second", struct config, events_per_second, 0, 100000),
	{},
};

static const struct rule cache_rules[] = {
	INTEGER("max_verdicts", struct config, max_verdicts, 1024, 4194304),
	{},
};

/* ---- listeners ---- */

/* Any address is all zero, however it was written. */
static bool same_place(const struct listener_config *a, const struct listener_config *b)
{
	return a->port == b->port && !memcmp(&a->address, &b->address, sizeof(a->address));
}

/* Against every listener before it: the last one is that which was just read. */
static int listener_finish(struct reader *r, void *object)
{
	const struct listener_config *listeners = r->config->listeners;
	const struct listener_config *new = object;
	char port[8];
	size_t i;

	if (!new->port &&new->mode != LISTENER_CAPTURE)
		return listener_needs(r, "port", "(missing)", "an integer from 1 to 65535");
	for (i = 0; i + 1 < r->config->n_listeners; i++) {
		if (!strcmp(listeners[i].name, new->name)) {
			path_key(r, "name");
			return reader_fail(r, show_text(new->name).text, "a name that listeners[%zu] does not have", i);
		}
		if (new->port && same_place(&listeners[i], new)) {
			path_key(r, "port");
			snprintf(port, sizeof(port), "%u", new->port);
			return reader_fail(r, port, "an address and port that listeners[%zu] does not have", i);
		}
	}
	return listener_mode_finish(r, new);
}

static const char *const listener_modes[] = { "guard", "gateway", "capture", NULL };
static const char *const listener_protocols[] = { "http", "tcp", NULL };
static const char *const fast_paths[] = { "auto", "on", "off", NULL };

static const struct rule listener_rules[] = {
	STRING("name", struct listener_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	{ .key = "address", .read = read_address, .expected = "an IPv4 or IPv6 address" },
	INTEGER("port", struct listener_config, port, 1, 65535),
	NAME("mode", struct listener_config, mode, listener_modes, LISTENER_GUARD,
	     "\"guard\", \"gateway\" or \"capture\""),
	NAME("protocol", struct listener_config, protocol, listener_protocols, LISTENER_HTTP, "\"http\" or \"tcp\""),
	BOOL("enforce", struct listener_config, enforce),
	{ .key = "response_headers", .read = read_response_headers, .expected = "an object" },
	BOOL("license_headers", struct listener_config, license_headers),
	{ .key = "auth",
	  .read = read_auth,
	  .expected = "an object",
	  .of = auth_rules,
	  .finish = auth_finish,
	  .flags = RULE_SECRET },
	NAME("fast_path", struct listener_config, fast_path, fast_paths, FAST_PATH_AUTO, "\"auto\", \"on\" or \"off\""),
	ARRAY("fast_path_peers", struct listener_config, fast_peers, n_fast_peers, 1, MPBPF_FAST_PEERS, &network_rule),
	STRING("cluster_name", struct listener_config, cluster_name, is_name, NAME_TEXT),
	{ .key = "accept_proxy_protocol",
	  .read = read_accept_proxy,
	  .expected = "true, false or {\"trusted\": [networks]}",
	  FIELD(struct listener_config, accept_proxy),
	  .of = accept_proxy_rules },
	NAME("direction", struct listener_config, direction, capture_directions, CAPTURE_OUT, "\"out\" or \"in\""),
	STRING("cgroup", struct listener_config, cgroup, is_cgroup_path, "an absolute path of at most 255 bytes"),
	OBJECT("match", struct listener_config, match, capture_match_rules),
	{},
};

static int read_listener(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct listener_config *listener = base;
	bool capture;
	int err = capture_keys_judge(r, item, &capture);

	if (err < 0)
		return err;
	listener->any = true;
	listener->enforce = true;
	listener->protocol = capture ? LISTENER_TCP : LISTENER_HTTP;
	return read_keys(r, item, rule, listener);
}

static const struct rule listener_rule = {
	.read = read_listener, .expected = "an object", .of = listener_rules, .finish = listener_finish
};

/* ---- the document ---- */

static int read_version(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	(void)base;
	if (!cJSON_IsString(item) || strcmp(item->valuestring, "1"))
		return reader_refuse(r, item, rule);
	return 0;
}

const struct rule config_rules[] = {
	{ .key = "version", .read = read_version, .expected = "\"1\"", .flags = RULE_REQUIRED },
	OBJECT("rate_limit", struct config, rate_limit, rate_limit_rules, .finish = rate_limit_finish),
	OBJECT("ddos", struct config, ddos, ddos_rules),
	ARRAY("listeners", struct config, listeners, n_listeners, 0, MPBPF_LISTENERS_MAX, &listener_rule),
	OBJECT("auth", struct config, auth, auth_rules, .finish = auth_finish, .flags = RULE_SECRET),
	{ .key = "events", .read = read_object, .expected = "an object", .of = events_rules },
	{ .key = "cache", .read = read_object, .expected = "an object", .of = cache_rules },
	{ .key = "license",
	  .read = read_license,
	  .expected = "an object",
	  FIELD(struct config, license),
	  .of = license_rules,
	  .flags = RULE_SECRET },
	ARRAY("request_limits", struct config, request_limits, n_request_limits, 0, MPBPF_LIMITS_MAX,
	      &request_limit_rule),
	OBJECT("clients", struct config, clients, clients_rules),
	OBJECT("metrics", struct config, metrics, metrics_rules, .finish = metrics_finish),
	OBJECT("classify", struct config, classify, classify_rules),
	ARRAY("protocol_rules", struct config, protocol_rules, n_protocol_rules, 0, MPBPF_PROTOCOL_RULES,
	      &protocol_rule_rule),
	ARRAY("services", struct config, services, n_services, 0, 1024, &service_rule),
	ARRAY("routes", struct config, routes, n_routes, 0, 1024, &route_rule),
	ARRAY("source_routes", struct config, source_routes, n_source_routes, 0, 4096, &source_route_rule),
	{},
};

/* Legal, for a maintenance page is made so; more often a secret was forgotten. */
static int warn_if_closed(struct reader *r, const struct auth_config *auth)
{
	if (!auth->require_auth || auth->secret || auth->n_keys || auth->n_tokens)
		return 0;
	return reader_warn(r, "neither a key nor a token is given: every request that is not exempt is denied");
}

static int listeners_finish(struct reader *r)
{
	const struct config *config = r->config;
	bool global = false;
	size_t i;
	int err = 0;

	for (i = 0; i < config->n_listeners && !err; i++) {
		if (config->listeners[i].protocol != LISTENER_HTTP)
			continue;
		global = global || !config->listeners[i].auth;
		if (!config->listeners[i].auth)
			continue;
		path_key(r, "listeners");
		path_index(r, i);
		path_key(r, "auth");
		err = warn_if_closed(r, config->listeners[i].auth);
		path_restore(r, 0);
	}
	if (err || !global)
		return err;
	path_key(r, "auth");
	err = warn_if_closed(r, &config->auth);
	path_restore(r, 0);
	return err;
}

int config_finish(struct reader *r)
{
	int err = gateway_finish(r);

	if (err == 0)
		err = request_limits_finish(r);
	if (err == 0)
		err = protocol_rules_finish(r);
	if (err == 0)
		err = response_headers_finish(r);
	return err < 0 ? err : listeners_finish(r);
}

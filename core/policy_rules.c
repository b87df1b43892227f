// SPDX-License-Identifier: MIT
/* Floor 3: path rules of a listener, collected from its auth block, the licence and the request limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy_rules.h"
#include "core/util.h"

/* The gates of the system that this one replaces. */
static const struct feature_gate built_in[] = {
	{ "/api/v1/traffic-shaping", "advanced_routing", true },  { "/api/v1/multi-cloud", "multi_cloud", true },
	{ "/api/v1/tracing", "distributed_tracing", true },	  { "/api/v1/zero-trust", "zero_trust", true },
	{ "/api/v1/advanced-rate-limit", "rate_limiting", true },
};

/* A prefix covers itself and what lies below it at a '/' boundary. */
static bool covers(const char *prefix, const char *path)
{
	size_t len = strlen(prefix);

	if (len == 1)
		return true;
	return !strncmp(path, prefix, len) && (path[len] == '\0' || path[len] == '/');
}

static bool concerns(const struct request_limit_config *limit, const struct listener_config *listener)
{
	return !limit->listener || !strcmp(limit->listener, listener->name);
}

uint64_t rules_limits(const struct config *config, size_t i)
{
	uint64_t bits = 0;

	for (size_t k = 0; k < config->n_request_limits; k++)
		if (concerns(&config->request_limits[k], &config->listeners[i]))
			bits |= 1ULL << k;
	return bits;
}

uint64_t rules_default_limits(const struct config *config, size_t i)
{
	uint64_t bits = rules_limits(config, i);

	for (size_t k = 0; k < config->n_request_limits; k++)
		if (config->request_limits[k].prefix)
			bits &= ~(1ULL << k);
	return bits;
}

uint16_t rules_set_of(const struct config *config, size_t i)
{
	uint16_t auth, other;
	size_t k;

	config_auth(config, i, &auth);
	for (k = 0; k < i; k++) {
		/* Nothing is written for those: nobody asks. */
		if (config->listeners[k].mode == LISTENER_CAPTURE)
			continue;
		config_auth(config, k, &other);
		if (other == auth && rules_limits(config, k) == rules_limits(config, i))
			break;
	}
	return k;
}

static bool licensed(const struct license_config *license, const char *feature)
{
	/* The community edition has none, whatever the list says. */
	for (size_t i = 0; license->is_enterprise && i < license->n_features; i++)
		if (!strcmp(license->features[i], feature))
			return true;
	return false;
}

/* Of the gates that cover the path the longest counts, and of two of one prefix the later. */
static void gate_choose(const struct feature_gate *gate, const char *path, const struct feature_gate **ret)
{
	if (covers(gate->prefix, path) && (!*ret || strlen(gate->prefix) >= strlen((*ret)->prefix)))
		*ret = gate;
}

uint32_t rules_unlicensed(const struct license_config *license, const char *path)
{
	const struct feature_gate *gate = NULL;

	if (!license->given)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
		gate_choose(&built_in[i], path, &gate);
	for (size_t i = 0; i < license->n_gates; i++)
		gate_choose(&license->gates[i], path, &gate);
	if (!gate || licensed(license, gate->feature))
		return 0;
	return gate->enforce ? PATH_UNLICENSED : PATH_UNLICENSED_DRY;
}

uint8_t rules_prefix(const struct metrics_config *metrics, const char *path)
{
	size_t longest = 0, number = 0;

	for (size_t i = 0; i < metrics->n_prefixes; i++) {
		const char *prefix = metrics->prefixes[i];

		if (covers(prefix, path) && strlen(prefix) > longest) {
			longest = strlen(prefix);
			number = i + 1;
		}
	}
	return number;
}

static struct path_rule rule_at(const struct config *config, size_t i, const char *path)
{
	struct path_rule rule = { .limits = rules_default_limits(config, i) };
	uint64_t concerned = rules_limits(config, i);
	const struct auth_config *auth;
	uint16_t number;

	auth = config_auth(config, i, &number);
	for (size_t k = 0; k < auth->n_exempt_paths; k++)
		if (covers(auth->exempt_paths[k], path))
			rule.flags |= PATH_EXEMPT;
	rule.flags |= rules_unlicensed(&config->license, path);
	for (size_t k = 0; k < config->n_request_limits; k++) {
		const struct request_limit_config *limit = &config->request_limits[k];

		if ((concerned >> k & 1) && limit->prefix && covers(limit->prefix, path))
			rule.limits |= 1ULL << k;
	}
	rule.prefix = rules_prefix(&config->metrics, path);
	return rule;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct path_entry *)a)->path, ((const struct path_entry *)b)->path);
}

/* All paths that something is said of; some perhaps more than once. Returns how many. */
static size_t collect(const struct config *config, size_t i, struct path_entry *to)
{
	const struct license_config *license = &config->license;
	uint64_t concerned = rules_limits(config, i);
	const struct auth_config *auth;
	uint16_t number;
	size_t n = 0;

	auth = config_auth(config, i, &number);
	for (size_t k = 0; k < auth->n_exempt_paths; k++)
		to[n++].path = auth->exempt_paths[k];
	for (size_t k = 0; license->given && k < ARRAY_SIZE(built_in); k++)
		to[n++].path = built_in[k].prefix;
	for (size_t k = 0; license->given && k < license->n_gates; k++)
		to[n++].path = license->gates[k].prefix;
	for (size_t k = 0; k < config->n_request_limits; k++)
		if ((concerned >> k & 1) && config->request_limits[k].prefix)
			to[n++].path = config->request_limits[k].prefix;
	for (size_t k = 0; k < config->metrics.n_prefixes; k++)
		to[n++].path = config->metrics.prefixes[k];
	return n;
}

int rules_of(const struct config *config, size_t i, struct path_entry **ret, size_t *ret_n)
{
	_cleanup_free_ struct path_entry *entries = NULL;
	const struct auth_config *auth;
	uint16_t number;
	size_t n, kept = 0;

	auth = config_auth(config, i, &number);
	n = auth->n_exempt_paths + ARRAY_SIZE(built_in) + config->license.n_gates + config->n_request_limits +
	    config->metrics.n_prefixes;
	entries = calloc(n, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	n = collect(config, i, entries);
	qsort(entries, n, sizeof(*entries), by_path);
	for (size_t k = 0; k < n; k++) {
		if (kept && !strcmp(entries[k].path, entries[kept - 1].path))
			continue;
		entries[kept].path = entries[k].path;
		entries[kept].rule = rule_at(config, i, entries[k].path);
		kept++;
	}
	*ret = TAKE_PTR(entries);
	*ret_n = kept;
	return 0;
}

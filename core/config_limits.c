/* SPDX-License-Identifier: MIT */
/* Floor 3: the licence, and limits on requests. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

#define FEATURES_MAX 64
#define GATES_MAX 256
#define PREFIX_MAX (MPBPF_PATH_KEY - 2) /* room for the '/' or the NUL that a key ends in, and one to spare */

/* PENG- and five groups of four. */
static bool is_license_key(const char *text)
{
	size_t i;

	if (strncmp(text, "PENG-", 5) || strlen(text) != 29)
		return false;
	for (i = 5; text[i]; i++) {
		bool dash = i % 5 == 4;

		if (dash ? text[i] != '-' : !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", text[i]))
			return false;
	}
	return true;
}

/* A path as keys have it: without a '/' at its end, but for "/" itself. */
int read_prefix(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	char **prefix = (char **)((char *)base + rule->offset);
	size_t len;

	if (!cJSON_IsString(item) || !path_is_canonical(item->valuestring))
		return reader_refuse(r, item, rule);
	len = strlen(item->valuestring);
	if (len > 1 && item->valuestring[len - 1] == '/')
		len--;
	if (len > PREFIX_MAX)
		return reader_refuse(r, item, rule);
	*prefix = strndup(item->valuestring, len);
	return *prefix ? 0 : reader_nomem(r);
}

#define PREFIX(name, type, field, ...) \
	{ .key = name, .read = read_prefix, .expected = PREFIX_TEXT, FIELD(type, field), __VA_ARGS__ }

/* ---- license ---- */

static int read_feature(struct reader *r, const cJSON *features, const cJSON *item, struct license_config *license)
{
	static const struct rule feature_rule = { .expected = "true or false" };
	const cJSON *earlier;
	char **name;

	for (earlier = features->child; earlier != item; earlier = earlier->next) {
		if (!strcmp(earlier->string, item->string))
			return reader_fail(r, "(given twice)", "each key once");
	}
	if (!cJSON_IsBool(item))
		return reader_refuse(r, item, &feature_rule);
	if (cJSON_IsFalse(item))
		return 0;
	if (array_grow(&license->features, license->n_features, sizeof(*license->features)) < 0)
		return reader_nomem(r);
	name = &license->features[license->n_features];
	*name = strdup(item->string);
	if (!*name)
		return reader_nomem(r);
	license->n_features++;
	return 0;
}

/* The names are those of the features that a license may have, and are not checked further. */
static int read_features(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct license_config *license = base;
	const cJSON *child;
	int err;

	if (!cJSON_IsObject(item))
		return reader_refuse(r, item, rule);
	if (cJSON_GetArraySize(item) > FEATURES_MAX)
		return reader_fail(r, show_item(item, rule).text, "at most %d features", FEATURES_MAX);
	cJSON_ArrayForEach(child, item) {
		size_t before = path_key(r, child->string);

		err = read_feature(r, item, child, license);
		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return 0;
}

static const struct rule gate_rules[] = {
	PREFIX("prefix", struct feature_gate, prefix, .flags = RULE_REQUIRED),
	STRING("feature", struct feature_gate, feature, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	BOOL("enforce", struct feature_gate, enforce),
	{},
};

static int read_gate(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct feature_gate *gate = base;

	gate->enforce = true;
	return read_keys(r, item, rule, gate);
}

static const struct rule gate_rule = { .read = read_gate, .expected = "an object", .of = gate_rules };

const struct rule license_rules[] = {
	STRING("license_key", struct license_config, license_key, is_license_key,
	       "PENG- and five groups of four characters A-Z or 0-9, joined by -", .flags = RULE_SECRET),
	BOOL("is_enterprise", struct license_config, is_enterprise),
	{ .key = "features", .read = read_features, .expected = "an object" },
	ARRAY("feature_gates", struct license_config, gates, n_gates, 0, GATES_MAX, &gate_rule),
	INTEGER("max_proxies", struct license_config, max_proxies, 0, 4294967295),
	INTEGER("current_proxies", struct license_config, current_proxies, 0, 4294967295),
	{},
};

int read_license(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct license_config *license = (struct license_config *)((char *)base + rule->offset);

	license->given = true;
	return read_keys(r, item, rule, license);
}

void license_free(struct license_config *license)
{
	if (license->license_key)
		explicit_bzero(license->license_key, strlen(license->license_key));
	free(license->license_key);
	for (size_t i = 0; i < license->n_features; i++)
		free(license->features[i]);
	free(license->features);
	for (size_t i = 0; i < license->n_gates; i++) {
		free(license->gates[i].prefix);
		free(license->gates[i].feature);
	}
	free(license->gates);
}

/* ---- request_limits ---- */

static const char *const pers[] = { "listener", "token", "subject", "source", NULL };

static const struct rule limit_rules[] = {
	STRING("name", struct request_limit_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	NAME("per", struct request_limit_config, per, pers, LIMIT_PER_LISTENER,
	     "\"listener\", \"token\", \"subject\" or \"source\"", .flags = RULE_REQUIRED),
	{ .key = "rate",
	  .read = read_number,
	  .expected = "a number from 0.001 to 1000000, requests a second",
	  FIELD(struct request_limit_config, rate),
	  .min = 0.001,
	  .max = 1000000,
	  .flags = RULE_REQUIRED },
	INTEGER("burst", struct request_limit_config, burst, 1, 1000000),
	STRING("listener", struct request_limit_config, listener, is_name, NAME_TEXT),
	PREFIX("prefix", struct request_limit_config, prefix),
	BOOL("enforce", struct request_limit_config, enforce),
	{},
};

static int limit_finish(struct reader *r, void *object)
{
	struct request_limit_config *limit = object;

	if (!limit->burst)
		limit->burst = (uint32_t)limit->rate + (limit->rate > (uint32_t)limit->rate);
	for (size_t i = 0; i + 1 < r->config->n_request_limits; i++) {
		if (strcmp(r->config->request_limits[i].name, limit->name))
			continue;
		path_key(r, "name");
		return reader_fail(r, show_text(limit->name).text, "a name that request_limits[%zu] does not have", i);
	}
	return 0;
}

static int read_limit(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct request_limit_config *limit = base;

	limit->enforce = true;
	return read_keys(r, item, rule, limit);
}

const struct rule request_limit_rule = {
	.read = read_limit, .expected = "an object", .of = limit_rules, .finish = limit_finish
};

/* The listeners may stand behind the limits in the file. */
int request_limits_finish(struct reader *r)
{
	const struct config *config = r->config;

	for (size_t i = 0; i < config->n_request_limits; i++) {
		const char *name = config->request_limits[i].listener;
		size_t k = 0;

		while (name && k < config->n_listeners && strcmp(config->listeners[k].name, name))
			k++;
		if (!name || k < config->n_listeners)
			continue;
		path_key(r, "request_limits");
		path_index(r, i);
		path_key(r, "listener");
		return reader_fail(r, show_text(name).text, "the name of a listener");
	}
	return 0;
}

void request_limits_free(struct config *config)
{
	for (size_t i = 0; i < config->n_request_limits; i++) {
		free(config->request_limits[i].name);
		free(config->request_limits[i].listener);
		free(config->request_limits[i].prefix);
	}
	free(config->request_limits);
}

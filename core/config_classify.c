// SPDX-License-Identifier: MIT
/* Floor 3: how flows are classified, and which protocols are dropped. */
#include <string.h>

#include "core/config_internal.h"

#define PORTS_MAX 8
_Static_assert(PORTS_MAX == MPBPF_GRPC_PORTS, "the range of grpc_ports");

static const struct rule port_rule = {
	.read = read_integer, .expected = "an integer from 1 to 65535", .size = sizeof(uint16_t), .min = 1, .max = 65535
};

/* An array without memory of its own: it replaces a default. */
static int read_ports(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct classify_config *classify = base;
	const cJSON *child;
	int err;

	if (!cJSON_IsArray(item))
		return reader_refuse(r, item, rule);
	if (cJSON_GetArraySize(item) > PORTS_MAX)
		return reader_fail(r, show_item(item, rule).text, "at most %d elements", PORTS_MAX);
	classify->n_grpc_ports = 0;
	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, classify->n_grpc_ports);

		err = read_integer(r, child, rule->of, &classify->grpc_ports[classify->n_grpc_ports]);
		if (err < 0)
			return err;
		classify->n_grpc_ports++;
		path_restore(r, before);
	}
	return 0;
}

const struct rule classify_rules[] = {
	BOOL("enabled", struct classify_config, enabled),
	INTEGER("max_flows", struct classify_config, max_flows, 1024, 4194304),
	{ .key = "grpc_ports", .read = read_ports, .expected = "an array", .max = PORTS_MAX, .of = &port_rule },
	{},
};

/* In the order of enum protocol. "other" is not among them: a flow that was forgotten is that. */
static const char *const protocols[] = { "http1", "tls",	"http2", "grpc", "websocket", "ssh",
					 "redis", "postgresql", "mqtt",	 "dns",	 "quic",      NULL };
_Static_assert(ARRAY_SIZE(protocols) == PROTOCOL_MAX, "every protocol but PROTOCOL_OTHER, and NULL");

static const char *const versions[] = { "1.1", "1.2", "1.3", NULL };
static const char *const actions[] = { "drop", NULL };
static const char *const modes[] = { "enforce", "monitor", NULL };

static int read_action(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	unsigned int only;

	(void)base;
	return read_name(r, item, rule, &only);
}

static int read_mode(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct protocol_rule_config *new = base;
	unsigned int mode;
	int err = read_name(r, item, rule, &mode);

	if (err == 0)
		new->monitor = mode;
	return err;
}

static const struct rule rules[] = {
	STRING("name", struct protocol_rule_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	NAME("protocol", struct protocol_rule_config, protocol, protocols, PROTOCOL_HTTP1,
	     "one of http1, tls, http2, grpc, websocket, ssh, redis, postgresql, mqtt, dns, quic",
	     .flags = RULE_REQUIRED),
	NAME("below_version", struct protocol_rule_config, below, versions, TLS_1_1, "\"1.1\", \"1.2\" or \"1.3\""),
	INTEGER("port", struct protocol_rule_config, port, 1, 65535),
	{ .key = "action", .read = read_action, .expected = "\"drop\"", .names = actions },
	{ .key = "mode", .read = read_mode, .expected = "\"enforce\" or \"monitor\"", .names = modes },
	{},
};

static int rule_finish(struct reader *r, void *object)
{
	const struct protocol_rule_config *new = object;

	if (new->below &&new->protocol != PROTOCOL_TLS) {
		path_key(r, "below_version");
		return reader_fail(r, "(given)", "only with \"protocol\": \"tls\"");
	}
	for (size_t i = 0; i + 1 < r->config->n_protocol_rules; i++) {
		if (strcmp(r->config->protocol_rules[i].name, new->name))
			continue;
		path_key(r, "name");
		return reader_fail(r, show_text(new->name).text, "a name that protocol_rules[%zu] does not have", i);
	}
	return 0;
}

const struct rule protocol_rule_rule = {
	.read = read_object, .expected = "an object", .of = rules, .finish = rule_finish
};

/* `classify` may stand behind the rules in the file. */
int protocol_rules_finish(struct reader *r)
{
	if (r->config->classify.enabled || !r->config->n_protocol_rules)
		return 0;
	path_key(r, "protocol_rules");
	return reader_fail(r, "(given)", "none with \"classify\": {\"enabled\": false}: they are about flows");
}

void protocol_rules_free(struct config *config)
{
	for (size_t i = 0; i < config->n_protocol_rules; i++)
		free(config->protocol_rules[i].name);
	free(config->protocol_rules);
}

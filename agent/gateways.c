// SPDX-License-Identifier: MIT
/* Floor 5: when the gateway begins, and what it says goes to the log. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "agent/agent.h"
#include "agent/gateways.h"
#include "core/steer.h"
#include "gateway/gateway.h"
#include "loader/log.h"

static void on_note(const char *text)
{
	log_line("%s", text);
}

static const struct gateway_hooks hooks = { .note = on_note };

static bool has_gateways(const struct config *config)
{
	return config_n_guarded(config) < config->n_listeners;
}

/* After the start a new one runs at once; before, gateways_start() sees to that. */
static int gateways_open(struct agent *agent)
{
	int r;

	if (agent->gateway)
		return 0;
	r = gateway_open(&hooks, &agent->gateway);
	return r == 0 && agent->serving ? gateway_start(agent->gateway) : r;
}

int gateways_prepare(struct agent *agent, const struct config *config, struct gateway_plan **ret,
		     struct config_error *ret_error)
{
	int r;

	*ret = NULL;
	if (!agent->gateway && !has_gateways(config))
		return 0;
	r = gateways_open(agent);
	if (r < 0) {
		snprintf(ret_error->text, sizeof(ret_error->text), "starting the gateway: %s", strerror(-r));
		return r;
	}
	return gateway_prepare(agent->gateway, config, ret, ret_error);
}

void gateways_commit(struct agent *agent, struct gateway_plan *plan)
{
	if (plan)
		gateway_commit(agent->gateway, plan);
}

int gateways_start(struct agent *agent)
{
	int r = agent->gateway ? gateway_start(agent->gateway) : 0;

	agent->serving = r == 0;
	return r;
}

void gateways_close(struct agent *agent)
{
	gateway_close(agent->gateway);
	agent->gateway = NULL;
}

/* What passes mpbpfd by. */
static bool add_steered(const struct agent *agent, const struct listener_config *listener, cJSON *gateway)
{
	cJSON *path = cJSON_GetObjectItemCaseSensitive(gateway, "path");
	struct steer_stats stats;

	steer_stats_read(&agent->maps, listener, &stats);
	return cJSON_AddNumberToObject(path, "steer", stats.steered) &&
	       cJSON_AddNumberToObject(gateway, "steer_missed", stats.absent);
}

static bool add_all_steered(const struct agent *agent, cJSON *json)
{
	const struct config *config = agent->config;
	cJSON *gateways = cJSON_GetObjectItemCaseSensitive(json, "gateway"), *one;

	for (size_t i = 0; i < config->n_listeners; i++) {
		one = cJSON_GetObjectItemCaseSensitive(gateways, config->listeners[i].name);
		if (one && !add_steered(agent, &config->listeners[i], one))
			return false;
	}
	return true;
}

bool gateways_stats(struct agent *agent, struct cJSON *json)
{
	return !agent->gateway || (gateway_stats(agent->gateway, json) && add_all_steered(agent, json));
}

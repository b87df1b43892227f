/* SPDX-License-Identifier: MIT */
/* Floor 5: the agent's gateway: there is one from the first configuration on that has a listener for it. */
#ifndef MPBPF_AGENT_GATEWAYS_H
#define MPBPF_AGENT_GATEWAYS_H

#include "core/config.h"

struct agent;
struct cJSON;
struct gateway_plan;

/*
 * gateways_prepare - opens what `config` needs for its gateways
 *
 * Returns 0 and the plan, NULL when there is nothing to do; or -errno and a text, and nothing has changed.
 */
int gateways_prepare(struct agent *agent, const struct config *config, struct gateway_plan **ret,
		     struct config_error *ret_error);
/* Puts it in force. `config` must live until the next one is, or gateways_close(). NULL is fine. */
void gateways_commit(struct agent *agent, struct gateway_plan *plan);

/* Starts its threads, if there is a gateway: once privileges are dropped, for capabilities are a thread's. 0 or -errno. */
int gateways_start(struct agent *agent);
void gateways_close(struct agent *agent);

/* Adds what it has counted. */
bool gateways_stats(struct agent *agent, struct cJSON *json);

#endif

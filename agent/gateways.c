// SPDX-License-Identifier: MIT
/* Floor 5: when the gateway begins, and what it says goes to the log. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "agent/agent.h"
#include "agent/capturewatch.h"
#include "agent/gateways.h"
#include "core/capture.h"
#include "core/events.h"
#include "core/steer.h"
#include "core/system.h"
#include "gateway/gateway.h"
#include "loader/log.h"
#include "loader/steering.h"

static void on_note(const char *text)
{
	log_line("%s", text);
}

/* The record that sockops makes of a connection under guard. A tunnel is judged no more, or never was; a dry run lets such pass. */
static bool on_judged(void *data, int fd, bool dry_run, struct gateway_judged *ret)
{
	const struct agent *agent = data;
	struct conn conn;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ||
	    bpf_map_lookup_elem(agent->maps.fd[MAP_CONNS], &cookie, &conn) < 0)
		return false;
	*ret = conn.allowed ? (struct gateway_judged){ .policy = conn.judged.generation, .from = conn.judged.from }
			    : (struct gateway_judged){ .policy = conn.generation };
	return dry_run || !(conn.state == CONN_TUNNEL || (conn.listener.flags & LISTENER_GONE));
}

static uint32_t on_policy(void *data)
{
	const struct agent *agent = data;

	return __atomic_load_n(&agent->maps.control->generation, __ATOMIC_ACQUIRE);
}

/* Only a socket of a captured cgroup needs it, or one that goes to this host, and mpbpfd may have both. */
static int on_connecting(void *data, int fd)
{
	const struct agent *agent = data;

	return __atomic_load_n(&agent->captures, __ATOMIC_RELAXED) ? capture_exempt(&agent->maps, fd) : 0;
}

static int on_relay_opened(void *data, const char *name, bool in, const int fds[2])
{
	const struct agent *agent = data;

	return capture_relay_write(&agent->maps, name, in, fds);
}

static bool on_original(void *data, const struct addr *from, __be16 from_port, __be16 relay,
			struct gateway_original *ret)
{
	const struct agent *agent = data;
	struct relayed relayed;

	if (!capture_original(&agent->maps, from, from_port, relay, &relayed))
		return false;
	*ret = (struct gateway_original){ .addr = relayed.original, .port = relayed.port, .bound = relayed.bound };
	return true;
}

static bool on_event(void *data, const struct event_note *note)
{
	const struct agent *agent = data;

	return agent->event_note_fd >= 0 && event_note(agent->event_note_fd, note);
}

static struct gateway_hooks hooks = {
	.note = on_note,
	.judged = on_judged,
	.policy = on_policy,
	.connecting = on_connecting,
	.relay_opened = on_relay_opened,
	.original = on_original,
	.event = on_event,
};

/* Requests are judged on mpbpfd's own sockets then, by programs of that cgroup. Where it cannot be told, they say so. */
static int cgroup_judge(const struct agent *agent, const struct config *config, struct config_error *ret_error)
{
	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];

		if (listener->mode != LISTENER_GATEWAY || listener->protocol != LISTENER_HTTP ||
		    system_in_cgroup(agent->options->cgroup) != 0)
			continue;
		snprintf(
			ret_error->text, sizeof(ret_error->text),
			"listener %s: mpbpfd is not in %.256s, so nobody would judge its requests: start it there, or name "
			"a cgroup above with --cgroup",
			listener->name, agent->options->cgroup);
		return -EINVAL;
	}
	return 0;
}

/* After the start a new one runs at once; before, gateways_start() sees to that. */
static int gateways_open(struct agent *agent)
{
	int r;

	if (agent->gateway)
		return 0;
	hooks.data = agent;
	/* Another agent's. */
	capture_own_clear(&agent->maps);
	r = gateway_open(&hooks, system_processors(), &agent->gateway);
	return r == 0 && agent->serving ? gateway_start(agent->gateway) : r;
}

/* For good: what is captured now may be again. */
static int own_know(struct agent *agent)
{
	if (agent->own_link >= 0)
		return 0;
	agent->own_link = steering_know_own(agent->options->pin_root);
	return agent->own_link < 0 ? agent->own_link : 0;
}

int gateways_prepare(struct agent *agent, const struct config *config, struct gateway_plan **ret,
		     struct config_error *ret_error)
{
	int r;

	*ret = NULL;
	if (!agent->gateway && !config_n_relayed(config))
		return 0;
	r = cgroup_judge(agent, config, ret_error);
	if (r < 0)
		return r;
	if (config_n_captures(config, CAPTURE_OUT) || config_n_captures(config, CAPTURE_IN))
		__atomic_store_n(&agent->captures, true, __ATOMIC_RELAXED);
	r = config_n_captures(config, CAPTURE_IN) ? own_know(agent) : 0;
	if (r < 0) {
		snprintf(ret_error->text, sizeof(ret_error->text),
			 "connections to this host cannot be captured: mpbpfd's own would be, too: %s", strerror(-r));
		return r;
	}
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
		one = config->listeners[i].mode == LISTENER_GATEWAY
			      ? cJSON_GetObjectItemCaseSensitive(gateways, config->listeners[i].name)
			      : NULL;
		if (one && !add_steered(agent, &config->listeners[i], one))
			return false;
	}
	return true;
}

bool gateways_stats(struct agent *agent, struct cJSON *json)
{
	return !agent->gateway ||
	       (gateway_stats(agent->gateway, json) && add_all_steered(agent, json) && capturewatch_stats(agent, json));
}

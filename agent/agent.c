// SPDX-License-Identifier: MIT
/* Floor 5: picks a loaded data path up from its pins, or loads it, and holds what serving it takes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/capturewatch.h"
#include "agent/gateways.h"
#include "agent/porter.h"
#include "agent/steerwatch.h"
#include "core/clock.h"
#include "core/pins.h"
#include "core/policy.h"
#include "core/util.h"
#include "gateway/gateway.h"
#include "loader/commands.h"
#include "loader/datapath.h"
#include "loader/log.h"
#include "userspace-auth/helper.h"

static int read_config(struct agent *agent, const char *path)
{
	int code = context_config(path, &agent->config);

	agent->config_wrong = code == EXIT_USAGE;
	return code == EXIT_DONE ? 0 : -EINVAL;
}

/* Under systemd mpbpfd is the unit: what is not loaded it loads, what an earlier one loaded it picks up. */
static int load_if_missing(struct agent *agent)
{
	const struct agent_options *o = agent->options;
	struct load_request request = {
		.pin_root = o->pin_root,
		.cgroup = o->cgroup,
		.config_path = o->config[0] ? o->config : NULL,
		.ifaces = o->ifaces,
		.n_ifaces = o->n_ifaces,
		.mode = o->xdp_mode,
	};
	_cleanup_(runtime_close) struct runtime locked = RUNTIME_EMPTY;
	struct load_report report;
	int r;

	if (!o->n_ifaces)
		return 0;
	r = runtime_open_locked(o->pin_root, &locked);
	if (r < 0) {
		log_line(RUNTIME_BASE ": %s", strerror(-r));
		return r;
	}
	if (datapath_is_loaded(o->pin_root))
		return 0;
	r = read_config(agent, o->config);
	if (r < 0)
		return r;
	if (cgroup_check(o->cgroup) != EXIT_DONE)
		return -EOPNOTSUPP;
	r = datapath_load(&request, agent->config, &locked, &report);
	if (r < 0)
		return r;
	agent->loaded_here = true;
	if (report.facts.unguarded)
		log_line("%llu connections were open before: they are left alone, and not guarded",
			 (unsigned long long)report.facts.unguarded);
	return 0;
}

static int open_pins(struct agent *agent)
{
	int r;

	r = maps_open(agent->options->pin_root, &agent->maps);
	if (r == -ENOENT)
		log_line("nothing is loaded at %s: `mpbpf load` does that, or --iface here", agent->options->pin_root);
	else if (r == -EPROTO)
		log_line("%s was loaded by another version of mpbpf", agent->options->pin_root);
	else if (r < 0)
		log_line("%s: %s", agent->options->pin_root, strerror(-r));
	return r;
}

/* A configuration that was changed since it was put in force is put in force now. */
static int open_config(struct agent *agent)
{
	const char *path = agent->options->config[0] ? agent->options->config : agent->maps.control->config_path;
	struct apply_report report;
	int r;

	snprintf(agent->config_path, sizeof(agent->config_path), "%s", path);
	r = agent->config ? 0 : read_config(agent, agent->config_path);
	if (r < 0)
		return r;
	path = agent->config_path[0] ? agent->config_path : NULL;
	if (policy_in_force(&agent->maps, agent->config, path))
		return 0;
	r = apply_config(agent->options->pin_root, &agent->maps, agent->config, path, &report);
	if (report.text[0])
		log_line("%s", report.text);
	return r;
}

int agent_open(struct agent *agent, const struct agent_options *options, struct porter *porter)
{
	int r;

	*agent = (struct agent){
		.options = options,
		.porter = porter,
		.runtime = RUNTIME_EMPTY,
		.lock_fd = -1,
		.conn_update_fd = -1,
		.event_note_fd = -1,
		.own_link = -1,
		.maps = MAPS_EMPTY,
	};
	r = runtime_open(options->pin_root, true, &agent->runtime);
	if (r < 0) {
		log_line(RUNTIME_BASE ": %s", strerror(-r));
		return r;
	}
	r = runtime_agent_lock(&agent->runtime, &agent->lock_fd);
	if (r < 0) {
		if (r == -EBUSY)
			log_line("%s is served already, by pid %d", options->pin_root,
				 runtime_agent_pid(&agent->runtime));
		else
			log_line("%s: %s", agent->runtime.path, strerror(-r));
		return r;
	}
	r = load_if_missing(agent);
	if (r == 0)
		r = open_pins(agent);
	if (r == 0)
		r = open_config(agent);
	return r;
}

static int serve_helper(struct agent *agent)
{
	_cleanup_close_ int settle = -1;
	char path[PIN_PATH_MAX];
	int r;

	if (!datapath_has_l7(agent->options->pin_root))
		return 0;
	r = pins_path(path, agent->options->pin_root, "progs", "conn_update");
	if (r == 0)
		r = agent->conn_update_fd = bpf_obj_get(path);
	/* Not every kernel has it. */
	if (r >= 0 && pins_path(path, agent->options->pin_root, "links", "iter_settle") == 0)
		settle = bpf_obj_get(path);
	if (r >= 0)
		r = helper_open(&agent->maps,
				&(struct helper_fds){ .conn_update = agent->conn_update_fd,
						      .iter_settle = settle,
						      .porter = agent->porter->fd },
				agent->base, agent->config, &agent->helper);
	if (r < 0)
		log_line("starting the helper: %s", strerror(-r));
	return r;
}

static int serve_gateways(struct agent *agent)
{
	struct config_error error;
	struct gateway_plan *plan;
	char path[PIN_PATH_MAX];
	int r;

	/* Without it they are carried all the same, and nothing is told of them. */
	if (pins_path(path, agent->options->pin_root, "progs", "event_note") == 0)
		agent->event_note_fd = bpf_obj_get(path);
	r = gateways_prepare(agent, agent->config, &plan, &error);
	if (r < 0)
		log_line("%s", error.text);
	else
		gateways_commit(agent, plan);
	return r;
}

int agent_serve(struct agent *agent)
{
	int r;

	agent->maps.control->wall_offset_ns = clock_wall_offset();
	agent->base = event_base_new();
	if (!agent->base) {
		log_line("out of memory");
		return -ENOMEM;
	}
	r = serve_helper(agent);
	return r < 0 ? r : serve_gateways(agent);
}

int agent_reload(struct agent *agent, const char *path, struct apply_report *ret)
{
	_cleanup_(config_free_ptr) struct config *config = NULL;
	struct config_error error = {};
	struct gateway_plan *plan = NULL;
	char chosen[PATH_MAX];
	int r;

	ret->text[0] = '\0';
	snprintf(chosen, sizeof(chosen), "%s", path[0] ? path : agent->config_path);
	r = config_load(chosen[0] ? chosen : NULL, &config, &error);
	if (r < 0) {
		snprintf(ret->text, sizeof(ret->text), "%s", error.text);
		return config_exit_code(r);
	}
	r = gateways_prepare(agent, config, &plan, &error);
	if (r < 0) {
		snprintf(ret->text, sizeof(ret->text), "%s", error.text);
		return EXIT_FAILED;
	}
	r = apply_config(agent->options->pin_root, &agent->maps, config, chosen[0] ? chosen : NULL, ret);
	if (r < 0) {
		gateway_abandon(plan);
		return EXIT_FAILED;
	}
	gateways_commit(agent, plan);
	if (agent->helper)
		helper_set_config(agent->helper, config);
	config_free(agent->config);
	agent->config = TAKE_PTR(config);
	strcpy(agent->config_path, chosen);
	steerwatch_look(agent->steer);
	capturewatch_look(agent->capture);
	return EXIT_DONE;
}

void agent_close(struct agent *agent)
{
	capturewatch_close(agent->capture);
	steerwatch_close(agent->steer);
	gateways_close(agent);
	if (agent->helper)
		helper_close(agent->helper);
	close_fd(&agent->conn_update_fd);
	close_fd(&agent->event_note_fd);
	close_fd(&agent->own_link);
	if (agent->base)
		event_base_free(agent->base);
	config_free(agent->config);
	maps_close(&agent->maps);
	runtime_close(&agent->runtime);
}

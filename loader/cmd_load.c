// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf load` and `mpbpf unload`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/pins.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/datapath.h"
#include "loader/log.h"
#include "loader/spawn.h"
#include "loader/unload.h"

static void print_listener(const struct listener_config *listener, bool served)
{
	const char *once = served ? "" : ", once mpbpfd runs";

	switch (listener->mode) {
	case LISTENER_GUARD:
		printf("listener %s: port %u %s\n", listener->name, listener->port,
		       listener->protocol == LISTENER_HTTP ? "is guarded" : "has a fast path, and is not guarded");
		break;
	case LISTENER_GATEWAY:
		printf("listener %s: port %u is a gateway%s\n", listener->name, listener->port, once);
		break;
	case LISTENER_CAPTURE:
		if (listener->direction == CAPTURE_OUT)
			printf("listener %s: connections out of %s are captured%s\n", listener->name, listener->cgroup,
			       once);
		else
			printf("listener %s: connections to this host are captured%s\n", listener->name, once);
		break;
	}
}

static void print_load(const struct context *c, const struct config *config, const struct load_report *report,
		       pid_t pid)
{
	const struct runtime_facts *facts = &report->facts;

	for (size_t i = 0; i < facts->n_ifaces; i++)
		printf("%s: XDP in %s mode\n", facts->ifaces[i].name, xdp_mode_name(facts->ifaces[i].native));
	for (size_t i = 0; i < config->n_listeners; i++)
		print_listener(&config->listeners[i], pid);
	for (size_t i = 0; i < config->n_listeners && !report->fast; i++)
		if (config->listeners[i].fast_path == FAST_PATH_AUTO && listener_is_fast(&config->listeners[i]))
			printf("listener %s: no fast path, which was not seen to work on this kernel (`mpbpf check`)\n",
			       config->listeners[i].name);
	if (!config->n_listeners)
		printf("no L7 listener%s: L3/L4 protection only\n",
		       c->config[0] ? " is configured" : " without --config");
	if (facts->unguarded)
		printf("%" PRIu64 " connections were open before: they are left alone, and not guarded\n",
		       facts->unguarded);
	if (pid)
		printf("mpbpfd: pid %d\n", pid);
	else
		printf("mpbpfd: not started; what the kernel cannot decide is answered 503\n");
}

static int load_locked(const struct context *c, const struct load_request *request, const struct config *config,
		       struct runtime *runtime)
{
	struct load_report report;
	pid_t pid = 0;
	int r;

	r = datapath_load(request, config, runtime, &report);
	if (r < 0) {
		/* Not if another data path was found: the directory is that one's. */
		if (r != -EEXIST)
			datapath_forget(runtime);
		return EXIT_FAILED;
	}
	if (!c->no_agent) {
		r = spawn_agent(request, runtime, &pid);
		if (r < 0) {
			datapath_unload(c->pin_root, runtime);
			return EXIT_FAILED;
		}
	}
	print_load(c, config, &report, pid);
	return EXIT_DONE;
}

int cmd_load(const struct context *c)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;
	_cleanup_(config_free_ptr) struct config *config = NULL;
	struct load_request request = {
		.pin_root = c->pin_root,
		.config_path = c->config[0] ? c->config : NULL,
		.ifaces = c->ifaces,
		.n_ifaces = c->n_ifaces,
		.mode = c->xdp_mode,
	};
	char cgroup[PATH_MAX];
	int r;

	if (!c->n_ifaces) {
		log_line("no interface: give at least one with --iface; see `mpbpf load --help`");
		return EXIT_USAGE;
	}
	if (c->foreground && c->no_agent) {
		log_line("--foreground and --no-agent exclude each other");
		return EXIT_USAGE;
	}
	r = context_need_root();
	if (r == EXIT_DONE)
		r = context_config(c->config, &config);
	if (r == EXIT_DONE)
		r = context_cgroup(c, cgroup, sizeof(cgroup));
	if (r != EXIT_DONE)
		return r;
	request.cgroup = cgroup;
	if (c->foreground && !datapath_is_loaded(c->pin_root))
		return exec_agent(&request) < 0 ? EXIT_FAILED : EXIT_DONE;

	interrupts_block();
	r = runtime_open_locked(c->pin_root, &runtime);
	if (r < 0) {
		log_line(RUNTIME_BASE ": %s", strerror(-r));
		return EXIT_FAILED;
	}
	return load_locked(c, &request, config, &runtime);
}

static int is_xdp(const char *name, void *data)
{
	char ifname[NAME_MAX + 1];

	(void)data;
	return pins_xdp_name(name, ifname, sizeof(ifname)) == 0;
}

static int unload_interfaces(const struct context *c, struct runtime *runtime)
{
	_cleanup_close_ int lock = -1;
	char path[PIN_PATH_MAX];
	int r;

	if (!datapath_is_loaded(c->pin_root)) {
		log_line("nothing is loaded at %s", c->pin_root);
		datapath_forget(runtime);
		return EXIT_FAILED;
	}
	/* The agent must not take what is detached for an interface that came back. */
	lock = pins_links_lock(c->pin_root, true);
	for (size_t i = 0; i < c->n_ifaces; i++) {
		r = pins_xdp_path(path, c->pin_root, c->ifaces[i]);
		if (r == 0)
			r = unload_link(path);
		if (r < 0) {
			log_line("%s: %s", c->ifaces[i], r == -ENOENT ? "not loaded on this interface" : strerror(-r));
			return EXIT_FAILED;
		}
		printf("%s: XDP detached\n", c->ifaces[i]);
	}
	if (!pins_links(c->pin_root, is_xdp, NULL))
		printf("no interface is left; listeners are still guarded (`mpbpf unload` takes everything away)\n");
	return EXIT_DONE;
}

int cmd_unload(const struct context *c)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;
	int r;

	r = context_need_root();
	if (r != EXIT_DONE)
		return r;
	interrupts_block();
	r = runtime_open_locked(c->pin_root, &runtime);
	if (r < 0) {
		log_line(RUNTIME_BASE ": %s", strerror(-r));
		return EXIT_FAILED;
	}
	if (c->n_ifaces)
		return unload_interfaces(c, &runtime);
	r = datapath_unload(c->pin_root, &runtime);
	if (r == -ENOENT)
		log_line("nothing is loaded at %s", c->pin_root);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf reload`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/maps.h"
#include "core/runtime.h"
#include "core/util.h"
#include "loader/apply.h"
#include "loader/ask.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/syncookies.h"
#include "loader/view.h"

/* How long an agent that does not answer may take to be gone. */
#define GONE_TRIES 20
#define GONE_USEC 10000

/* -ESRCH: the agent was just ending, and is gone. */
static int reload_by_agent(const struct runtime *runtime, pid_t pid, const char *path)
{
	int r, code = EXIT_FAILED;

	r = ask_reload(runtime, path, &code);
	for (int i = 0; r < 0 && i < GONE_TRIES; i++) {
		if (runtime_agent_pid(runtime) != pid)
			return -ESRCH;
		usleep(GONE_USEC);
	}
	if (r < 0) {
		log_line("mpbpfd (pid %d) does not answer: %s; `mpbpf status` says which configuration is in force",
			 pid, strerror(-r));
		return EXIT_FAILED;
	}
	return code;
}

/* What an agent would do by itself. With `auto` and no agent it stays as it was before. */
static void follow_syncookies(const struct runtime *runtime, const struct config *config)
{
	int r;

	r = config->ddos.syn_cookies == SYN_ALWAYS ? syncookies_raise(runtime) : syncookies_lower(runtime);
	if (r < 0)
		log_line("setting net.ipv4.tcp_syncookies: %s", strerror(-r));
}

static int reload_here(const struct context *c, const struct maps *maps, const struct runtime *runtime,
		       const char *path)
{
	_cleanup_(config_free_ptr) struct config *config = NULL;
	struct apply_report report;
	int r;

	r = context_config(path, &config);
	if (r != EXIT_DONE)
		return r;
	r = apply_config(c->pin_root, maps, config, path, &report);
	if (report.text[0])
		log_line("%s", report.text);
	if (r < 0)
		return EXIT_FAILED;
	follow_syncookies(runtime, config);
	return EXIT_DONE;
}

/* By the agent, and if there is none in its stead: one that starts meanwhile finds what this has put in force. */
static int reload(const struct context *c, const struct maps *maps, const struct runtime *runtime, const char *path)
{
	_cleanup_close_ int stand_in = -1;
	pid_t pid;
	int r;

	do {
		pid = runtime_agent_pid(runtime);
		r = pid > 0 ? reload_by_agent(runtime, pid, path) : -ESRCH;
		if (r != -ESRCH)
			return r;
		r = runtime_stand_in(runtime, &stand_in);
	} while (r == -EBUSY);
	if (r < 0) {
		log_line("%s: %s", runtime->path, strerror(-r));
		return EXIT_FAILED;
	}
	return reload_here(c, maps, runtime, path);
}

int cmd_reload(const struct context *c)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	char path[PATH_MAX];
	int r;

	r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r != EXIT_DONE)
		return r;
	snprintf(path, sizeof(path), "%s", c->config[0] ? c->config : maps.control->config_path);
	if (!path[0]) {
		log_line("it was loaded without a configuration: name one with --config");
		return EXIT_USAGE;
	}
	r = runtime_open(c->pin_root, true, &runtime);
	if (r < 0) {
		log_line(RUNTIME_BASE ": %s", strerror(-r));
		return EXIT_FAILED;
	}
	r = reload(c, &maps, &runtime, path);
	if (r == EXIT_DONE)
		printf("%s is in force, generation %u\n", path, maps.control->generation);
	return r;
}

/* SPDX-License-Identifier: MIT */
/* Floor 5: the node agent's state. */
#ifndef MPBPF_AGENT_AGENT_H
#define MPBPF_AGENT_AGENT_H

#include <limits.h>
#include <stdbool.h>

#include "core/config.h"
#include "core/maps.h"
#include "core/runtime.h"
#include "loader/apply.h"
#include "loader/attach.h"

struct event_base;
struct gateway;
struct helper;
struct porter;
struct steerwatch;

struct capturewatch;

struct agent_options {
	char pin_root[PATH_MAX];
	char cgroup[PATH_MAX];
	char config[PATH_MAX]; /* "": what was loaded last, or the defaults */
	const char *ifaces[RUNTIME_IFACES_MAX];
	size_t n_ifaces;
	enum xdp_mode xdp_mode;
	int ready_fd; /* a byte is written here once it serves; -1: nobody waits */
	bool verbose;
};

struct agent {
	const struct agent_options *options;
	struct porter *porter;
	struct runtime runtime;
	int lock_fd; /* the agent's lock; held until the process ends */
	struct maps maps;
	struct config *config;
	char config_path[PATH_MAX]; /* "": built-in defaults */
	struct event_base *base;
	struct helper *helper;	      /* NULL without L7 programs */
	struct gateway *gateway;      /* NULL: no configuration had one yet */
	struct steerwatch *steer;     /* NULL: nothing is steered */
	struct capturewatch *capture; /* NULL: this kernel cannot capture */
	bool captures;		      /* a configuration had a capture: our own sockets say what they are */
	int own_link; /* by which the kernel knows from where they connect; -1: nothing that comes was captured */
	bool serving; /* all is open, privileges are dropped */
	int conn_update_fd, event_note_fd;
	bool config_wrong; /* agent_open() failed for that */
	bool loaded_here;  /* by this process, which takes it away again if it cannot serve */
};

/* Takes the lock, loads if it has to, opens the pins, reads the configuration. 0 or -errno after logging. */
int agent_open(struct agent *agent, const struct agent_options *options, struct porter *porter);
/* Makes the event base and starts the helper on it. 0 or -errno after logging. */
int agent_serve(struct agent *agent);
/* Gives everything back but the agent's lock, which ends with the process; the data path stays. */
void agent_close(struct agent *agent);

/*
 * agent_reload - reads the configuration at `path`, "" for the one last used, and puts it in force
 *
 * Returns 0, ret->text is a note or "", and agent->config has warnings of its own; or the exit code that `mpbpf
 * reload` shall end with, ret->text says why; then nothing has changed.
 */
int agent_reload(struct agent *agent, const char *path, struct apply_report *ret);

#endif

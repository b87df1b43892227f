/* SPDX-License-Identifier: MIT */
/* Floor 5: what every command is given, and the commands themselves. */
#ifndef MPBPF_LOADER_COMMANDS_H
#define MPBPF_LOADER_COMMANDS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "core/runtime.h"
#include "loader/attach.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* The command line, parsed. Paths are absolute. */
struct context {
	char pin_root[PATH_MAX];
	char cgroup[PATH_MAX]; /* "": not given; context_cgroup() */
	char config[PATH_MAX]; /* "": not given */
	const char *ifaces[RUNTIME_IFACES_MAX];
	size_t n_ifaces;
	enum xdp_mode xdp_mode;
	bool no_agent, foreground, json, verbose;
	const char *token_file; /* NULL: not given; "-": standard input */
	const char *subject, *jti;
	int64_t for_s; /* 0: not given */
	bool revocations;
	enum cidr_list list;					   /* of the commands that have one */
	const char *network;					   /* NULL: not given */
	const char *file;					   /* NULL: not given; "-": standard input */
	const char *reason;					   /* of a network, or of events */
	const char *source, *destination, *listener, *host, *path; /* NULL: not given */
	bool follow;
	size_t top; /* 0: not given */
};

/* Each returns an exit code, having logged what went wrong. */
int cmd_load(const struct context *c);
int cmd_unload(const struct context *c);
int cmd_reload(const struct context *c);
int cmd_status(const struct context *c);
int cmd_stats(const struct context *c);
int cmd_events(const struct context *c);
int cmd_flows(const struct context *c);
int cmd_check(const struct context *c);
int cmd_verdict_list(const struct context *c);
int cmd_verdict_show(const struct context *c);
int cmd_verdict_revoke(const struct context *c);
int cmd_verdict_flush(const struct context *c);
int cmd_list_add(const struct context *c);
int cmd_list_del(const struct context *c);
int cmd_list_replace(const struct context *c);
int cmd_list_list(const struct context *c);
int cmd_route_list(const struct context *c);
int cmd_route_test(const struct context *c);

/* For --top: a number of flows, once. 0 or -EINVAL. */
int flows_top_parse(const char *value, size_t *to);

/* Shared by commands; all log. */
/* EXIT_DONE, or EXIT_FAILED without root rights. */
int context_need_root(void);
/* The cgroup given, or the cgroup2 root: a directory on cgroup2. EXIT_DONE or EXIT_FAILED. */
int context_cgroup(const struct context *c, char *ret, size_t size);
/* Is it on cgroup2? EXIT_DONE or EXIT_FAILED. */
int cgroup_check(const char *cgroup);
/* path: NULL or "" for the defaults. EXIT_DONE, EXIT_USAGE (the content), EXIT_FAILED. */
int context_config(const char *path, struct config **ret);
/* The exit code for a config_load() that returned `r` < 0. */
int config_exit_code(int r);

#endif

// SPDX-License-Identifier: MIT
/* Floor 5: mpbpfd, the node agent: serves one data path until it is told to end; the data path stays. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/capturewatch.h"
#include "agent/clockwatch.h"
#include "agent/gateways.h"
#include "agent/control.h"
#include "agent/ifwatch.h"
#include "agent/keywatch.h"
#include "agent/lists.h"
#include "agent/porter.h"
#include "agent/privileges.h"
#include "agent/revocations.h"
#include "agent/steerwatch.h"
#include "agent/synwatch.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/datapath.h"
#include "loader/log.h"
#include "loader/unload.h"
#include "loader/version.h"

static const struct option long_options[] = {
	{ "pin-root", required_argument, NULL, 'p' }, { "cgroup", required_argument, NULL, 'g' },
	{ "config", required_argument, NULL, 'c' },   { "iface", required_argument, NULL, 'i' },
	{ "xdp-mode", required_argument, NULL, 'x' }, { "ready-fd", required_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },	      { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },	      {},
};

static void print_help(void)
{
	printf("usage: mpbpfd --pin-root DIR --cgroup DIR [options]\n\n"
	       "serve a data path: decide what the kernel does not, and keep policy and clock right\n\n"
	       "  --pin-root DIR     where on bpffs the data path is pinned\n"
	       "  --cgroup DIR       the cgroup whose processes are guarded\n"
	       "  --config FILE      configuration (the one loaded last)\n"
	       "  --iface IF         load onto this interface if nothing is loaded; may be given several times\n"
	       "  --xdp-mode MODE    then: auto (native, else skb), native or skb\n"
	       "  --ready-fd N       write a byte to this file descriptor once it serves\n"
	       "  --verbose          also -v: show what libbpf says\n"
	       "  --help             also -h: print this\n"
	       "  --version          print the version\n\n"
	       "SIGHUP reloads the configuration; SIGTERM and SIGINT end mpbpfd, the data path stays\n"
	       "exit status: 0 done, 1 failed at run time, 2 wrong usage or invalid configuration\n");
}

static int usage_error(const char *what, const char *value)
{
	log_line("%s %s; see `mpbpfd --help`", what, value);
	return EXIT_USAGE;
}

static int iface_add(struct agent_options *o, const char *name)
{
	if (!*name || strlen(name) >= RUNTIME_IFNAME_MAX || o->n_ifaces == RUNTIME_IFACES_MAX)
		return -EINVAL;
	o->ifaces[o->n_ifaces++] = name;
	return 0;
}

static int ready_fd_set(struct agent_options *o, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (!*text || *end || fd < 0 || fd > 1 << 20 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -EINVAL;
	o->ready_fd = fd;
	return 0;
}

/* 0 or -errno for a value that cannot be taken; 1: the program ends here, all is done. */
static int option_apply(struct agent_options *o, int id)
{
	switch (id) {
	case 'p': return path_resolve(optarg, o->pin_root, sizeof(o->pin_root));
	case 'g': return realpath(optarg, o->cgroup) ? 0 : -errno;
	case 'c': return path_resolve(optarg, o->config, sizeof(o->config));
	case 'i': return iface_add(o, optarg);
	case 'x': return xdp_mode_parse(optarg, &o->xdp_mode);
	case 'r': return ready_fd_set(o, optarg);
	case 'v': o->verbose = true; return 0;
	case 'h': print_help(); return 1;
	default: printf("mpbpfd %s\n", MPBPF_VERSION); return 1;
	}
}

/* EXIT_DONE with *ret_end: a request for help or the version, which was answered. */
static int parse(int argc, char **argv, struct agent_options *o, bool *ret_end)
{
	int id, r;

	opterr = 0;
	while ((id = getopt_long(argc, argv, ":vh", long_options, NULL)) >= 0) {
		if (id == ':')
			return usage_error("a value is missing after", argv[optind - 1]);
		if (id == '?')
			return usage_error("unknown option", argv[optind - 1]);
		r = option_apply(o, id);
		if (r < 0)
			return usage_error("wrong value:", optarg);
		if (r > 0) {
			*ret_end = true;
			return EXIT_DONE;
		}
	}
	if (optind < argc)
		return usage_error("unexpected argument", argv[optind]);
	if (!o->pin_root[0] || !o->cgroup[0])
		return usage_error("missing option", o->pin_root[0] ? "--cgroup" : "--pin-root");
	return EXIT_DONE;
}

static void on_end(evutil_socket_t signal, short what, void *data)
{
	struct agent *agent = data;

	(void)signal;
	(void)what;
	event_base_loopbreak(agent->base);
}

static void on_hangup(evutil_socket_t signal, short what, void *data)
{
	struct apply_report report;
	int r;

	(void)signal;
	(void)what;
	r = agent_reload(data, "", &report);
	if (r != EXIT_DONE || report.text[0])
		log_line("reload: %s", report.text);
}

static void on_child(evutil_socket_t signal, short what, void *data)
{
	struct agent *agent = data;

	(void)signal;
	(void)what;
	porter_reap(agent->porter);
}

/* What the loop serves beside the helper. */
struct serving {
	struct clockwatch *clock;
	struct revocations *revocations;
	struct list_watch *lists;
	struct ifwatch *ifaces;
	struct control_server *control;
	struct keywatch *keys;
	struct synwatch *syns;
	struct event *signals[4];
};

static int serving_signals(struct serving *s, struct agent *agent)
{
	s->signals[0] = evsignal_new(agent->base, SIGTERM, on_end, agent);
	s->signals[1] = evsignal_new(agent->base, SIGINT, on_end, agent);
	s->signals[2] = evsignal_new(agent->base, SIGHUP, on_hangup, agent);
	s->signals[3] = evsignal_new(agent->base, SIGCHLD, on_child, agent);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
		if (!s->signals[i] || event_add(s->signals[i], NULL) < 0)
			return -ENOMEM;
	/* It may have ended before anybody was told. */
	porter_reap(agent->porter);
	return 0;
}

static int serving_open(struct serving *s, struct agent *agent)
{
	int r;

	r = serving_signals(s, agent);
	if (r == 0)
		r = clockwatch_open(agent->base, agent->maps.control, &s->clock);
	if (r == 0)
		r = revocations_open(agent->base, agent->options->pin_root, &agent->maps, &s->revocations);
	if (r == 0)
		r = list_watch_open(agent->base, agent->options->pin_root, &agent->maps, &s->lists);
	if (r == 0)
		r = ifwatch_open(agent->base, agent->options->pin_root, &agent->runtime, &s->ifaces);
	if (r == 0)
		r = control_open(agent, &s->control);
	if (r == 0)
		r = keywatch_open(agent, &s->keys);
	if (r == 0)
		r = synwatch_open(agent, &s->syns);
	if (r == 0)
		r = steerwatch_open(agent, &agent->steer);
	if (r == 0)
		r = privileges_drop();
	if (r == 0)
		r = gateways_start(agent);
	if (r == 0)
		r = capturewatch_open(agent, &agent->capture);
	if (r < 0)
		log_line("starting to serve: %s", strerror(-r));
	return r;
}

static void serving_close(struct serving *s)
{
	synwatch_close(s->syns);
	keywatch_close(s->keys);
	control_close(s->control);
	ifwatch_close(s->ifaces);
	list_watch_close(s->lists);
	revocations_close(s->revocations);
	clockwatch_close(s->clock);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
		if (s->signals[i])
			event_free(s->signals[i]);
}

static void tell_ready(const struct agent *agent)
{
	int fd = agent->options->ready_fd;

	log_line("serving %s, generation %u, %zu listeners", agent->options->pin_root, agent->maps.control->generation,
		 agent->config->n_listeners);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		log_line("nobody waits on --ready-fd: %s", strerror(errno));
	close(fd);
}

/* Signals are blocked from the start, so that none ends a load midway; libevent lets them in. */
static void interrupts_admit(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * What this process loaded and then cannot serve goes again; so does what it made in vain when nothing could be
 * loaded. The agent's lock is still held: no other agent can have come meanwhile.
 */
static void clean_up(const struct agent *agent, const char *pin_root)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;

	if (agent->lock_fd < 0 || (!agent->loaded_here && datapath_is_loaded(pin_root)))
		return;
	if (runtime_open_locked(pin_root, &runtime) < 0)
		return;
	if (agent->loaded_here)
		datapath_unload(pin_root, &runtime);
	else if (!datapath_is_loaded(pin_root))
		datapath_forget(&runtime);
}

static int run(const struct agent_options *options, struct porter *porter)
{
	struct serving serving = {};
	struct agent agent;
	int r;

	interrupts_block();
	r = agent_open(&agent, options, porter);
	if (r == 0)
		r = agent_serve(&agent);
	if (r == 0)
		r = serving_open(&serving, &agent);
	if (r == 0) {
		tell_ready(&agent);
		interrupts_admit();
		event_base_dispatch(agent.base);
		log_line("ending; the data path stays");
	}
	serving_close(&serving);
	agent_close(&agent);
	if (r < 0)
		clean_up(&agent, options->pin_root);
	return r == 0 ? EXIT_DONE : agent.config_wrong ? EXIT_USAGE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static struct agent_options options = { .ready_fd = -1 };
	struct porter porter = PORTER_NONE;
	bool end = false;
	int r;

	r = parse(argc, argv, &options, &end);
	if (r != EXIT_DONE || end)
		return r;
	r = context_need_root();
	if (r != EXIT_DONE)
		return r;
	setvbuf(stderr, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	privileges_prepare();
	log_libbpf(options.verbose);
	/* Before anything is read or opened that the porter need not have. */
	if (porter_start(argc, argv, &porter) < 0)
		return EXIT_FAILED;
	return run(&options, &porter);
}

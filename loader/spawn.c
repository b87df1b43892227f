// SPDX-License-Identifier: MIT
/* Floor 5: starts mpbpfd, detached or in this process's place, with everything it needs to know in its command line. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "core/util.h"
#include "loader/log.h"
#include "loader/spawn.h"

#define READY_MS 10000
#define POLL_MS 100
#define READY_FD 3
/* Fixed words of the command line, and two for each interface. */
#define ARGS_MAX (16 + 2 * RUNTIME_IFACES_MAX)

extern char **environ;

struct command_line {
	char path[PATH_MAX];
	const char *args[ARGS_MAX];
	size_t n;
};

/* Beside the running program, so that a build tree uses its own; else a bare name, which is looked up in PATH. */
static void find_agent(char ret[PATH_MAX])
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	strcpy(ret, "mpbpfd");
	if (n < 0)
		return;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash || slash - path + sizeof("/mpbpfd") > sizeof(path))
		return;
	strcpy(slash, "/mpbpfd");
	if (access(path, X_OK) == 0)
		strcpy(ret, path);
}

static void add(struct command_line *c, const char *name, const char *value)
{
	c->args[c->n++] = name;
	if (value)
		c->args[c->n++] = value;
}

static void compose(const struct load_request *request, struct command_line *c)
{
	find_agent(c->path);
	add(c, "mpbpfd", NULL);
	add(c, "--pin-root", request->pin_root);
	add(c, "--cgroup", request->cgroup);
	if (request->config_path)
		add(c, "--config", request->config_path);
}

int exec_agent(const struct load_request *request)
{
	struct command_line c = {};
	int r;

	compose(request, &c);
	add(&c, "--xdp-mode", xdp_mode_names[request->mode]);
	for (size_t i = 0; i < request->n_ifaces; i++)
		add(&c, "--iface", request->ifaces[i]);
	execvp(c.path, (char **)c.args);
	r = -errno;
	log_line("starting %s: %s", c.path, strerror(-r));
	return r;
}

/* In the child: no terminal, no signals blocked, a session of its own, the log as its output. */
static int start(const struct command_line *c, const char *log, int ready_fd, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, ready_fd, READY_FD);
	/* A pipe that our caller reads to its end must not be held open by the agent. */
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&files, READY_FD + 1);
	if (!r)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (!r)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	if (!r)
		r = posix_spawnp(ret, c->path, &files, &attr, (char **)c->args, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* 0: it serves; -ECHILD: it ended; -EINTR: the user wants no more; -ETIMEDOUT. */
static int wait_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	for (int waited = 0; waited < READY_MS; waited += POLL_MS) {
		if (interrupted())
			return -EINTR;
		if (poll(&p, 1, POLL_MS) > 0)
			return read(fd, &byte, 1) == 1 ? 0 : -ECHILD;
	}
	return -ETIMEDOUT;
}

static void log_last_line(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[1024], last[1024] = "";

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			strcpy(last, line);
	}
	if (last[0])
		log_line("its last words: %s", last);
}

int spawn_agent(const struct load_request *request, const struct runtime *runtime, pid_t *ret_pid)
{
	_cleanup_close_ int ready = -1, child_end = -1;
	struct command_line c = {};
	char log[PATH_MAX + 16];
	int r, pipe_fds[2];
	pid_t pid;

	compose(request, &c);
	/* pipe2() may give READY_FD itself, which dup2() would then leave close-on-exec: start above it. */
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	ready = pipe_fds[0];
	child_end = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, READY_FD + 1);
	close(pipe_fds[1]);
	if (child_end < 0)
		return -errno;
	add(&c, "--ready-fd", "3");
	snprintf(log, sizeof(log), "%s/" RUNTIME_LOG, runtime->path);
	r = start(&c, log, child_end, &pid);
	close_fd(&child_end);
	if (r < 0) {
		log_line("starting %s: %s", c.path, strerror(-r));
		return r;
	}
	r = wait_ready(ready);
	if (r == 0) {
		*ret_pid = pid;
		return 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	log_line("mpbpfd %s", r == -ECHILD  ? "ended before it served"
			      : r == -EINTR ? "was stopped: interrupted"
					    : "did not get ready within 10 s");
	log_last_line(log);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * Floor 5: takes a data path down: new connections first, then the agent, then the connections under guard, then the
 * rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>

#include "core/maps.h"
#include "core/pins.h"
#include "core/util.h"
#include "loader/attach.h"
#include "loader/capturing.h"
#include "loader/datapath.h"
#include "loader/log.h"
#include "loader/retire.h"
#include "loader/syncookies.h"
#include "loader/unload.h"

#define DRAIN_MS 1000
#define AGENT_STOP_MS 5000

int unload_link(const char *path)
{
	_cleanup_close_ int fd = bpf_obj_get(path);

	if (fd < 0)
		return fd;
	if (unlink(path) < 0)
		return -errno;
	/* Whoever else holds the link does not keep it attached. */
	bpf_link_detach(fd);
	return 0;
}

/* The pid is looked up again once its pidfd is open: only then is it surely the agent that is signalled. */
static int agent_pidfd(const struct runtime *runtime, pid_t *ret_pid)
{
	_cleanup_close_ int fd = -1;
	pid_t pid = runtime_agent_pid(runtime);

	if (pid <= 0)
		return pid < 0 ? pid : -ESRCH;
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	if (runtime_agent_pid(runtime) != pid)
		return -ESRCH;
	*ret_pid = pid;
	return TAKE_FD(fd);
}

static bool ends_within(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

int unload_agent(const struct runtime *runtime)
{
	_cleanup_close_ int fd = -1;
	pid_t pid = 0;

	fd = agent_pidfd(runtime, &pid);
	if (fd == -ESRCH)
		return 0;
	if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0) {
		if (ends_within(fd, AGENT_STOP_MS))
			return 0;
		log_line("mpbpfd (pid %d) does not end on SIGTERM: killing it", pid);
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		if (ends_within(fd, AGENT_STOP_MS))
			return 0;
	}
	log_line("mpbpfd (pid %d) could not be stopped", pid);
	return -EBUSY;
}

/* How the guarded connections end: those without a request under way lose nothing but the connection. */
static void retire(const struct maps *maps, unsigned int drain_ms, const struct runtime *runtime)
{
	uint64_t busy, closed, left;

	busy = retire_wait(maps, drain_ms);
	if (runtime)
		unload_agent(runtime);
	closed = retire_close(maps, &left);
	if (closed)
		log_line("%" PRIu64 " guarded connections were closed, %" PRIu64 " of them with a request under way",
			 closed, busy < closed ? busy : closed);
	if (left)
		log_line("%" PRIu64 " guarded connections could not be closed; they may hang until their peer gives up",
			 left);
}

int unload_tree(const char *root, unsigned int drain_ms, const struct runtime *runtime)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	char path[PIN_PATH_MAX];
	int r;

	capturing_detach_others(root, NULL, NULL);
	r = pins_path(path, root, "links", "sockops_track");
	if (r == 0)
		unload_link(path);
	r = maps_open(root, &maps);
	if (r == 0) {
		retire(&maps, drain_ms, runtime);
		detach_verdicts(&maps, root);
	} else if (runtime) {
		unload_agent(runtime);
	}
	if (r == -EPROTO)
		log_line("%s was loaded by another version: its guarded connections are not closed in order", root);
	r = pins_remove(root);
	if (r == -EOPNOTSUPP)
		log_line("%s is not a directory that mpbpf made: left alone", root);
	else if (r < 0)
		log_line("%s: removing: %s", root, strerror(-r));
	return r;
}

int datapath_forget(struct runtime *runtime)
{
	int r = runtime_remove(runtime), q = pins_release();

	return r ?: q;
}

int datapath_unload(const char *pin_root, struct runtime *runtime)
{
	bool found = runtime_agent_pid(runtime) > 0 || pins_exist(pin_root);
	char staging[PIN_PATH_MAX];
	int r, q;

	r = pins_staging(staging, pin_root);
	if (r < 0)
		return r;
	found |= pins_exist(staging);
	r = unload_tree(pin_root, DRAIN_MS, runtime);
	q = unload_tree(staging, 0, NULL);
	r = r ?: q;
	/* With another tool's directory in the place of ours, what is outside of it still goes. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	q = syncookies_lower(runtime);
	if (q < 0)
		log_line("net.ipv4.tcp_syncookies could not be put back: %s", strerror(-q));
	q = datapath_forget(runtime);
	if (q < 0)
		log_line("cleaning up: %s", strerror(-q));
	r = r ?: q;
	return r < 0 || found ? r : -ENOENT;
}

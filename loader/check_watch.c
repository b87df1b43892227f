// SPDX-License-Identifier: MIT
/* Floor 5: the parent of the process that tries features: time limits, signals, and the cgroup that is left. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/clock.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/check_watch.h"
#include "loader/log.h"

#define STEP_MS 15000 /* a busy machine takes its time, */
#define LOAD_MS 30000 /* the most to verify all programs of the guard */
#define TOTAL_MS 60000
#define GONE_TRIES 200
#define GONE_USEC 10000

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static int64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Below the cgroup given, or the first cgroup2 there is. A random name: process numbers are not unique across namespaces. */
static void choose_cgroup(struct check *c)
{
	const char *given = c->context->cgroup;
	char above[PATH_MAX];
	uint32_t number;
	int r;

	snprintf(above, sizeof(above), "%s", given);
	r = given[0] ? system_fs_is(given, CGROUP2_SUPER_MAGIC) : system_cgroup2(above, sizeof(above));
	if (given[0] && r >= 0)
		r = r ? 0 : -EOPNOTSUPP;
	if (r == 0 && getrandom(&number, sizeof(number), 0) != sizeof(number))
		r = -errno;
	if (r == 0 && snprintf(c->cgroup, sizeof(c->cgroup), "%s/mpbpf-check-%08" PRIx32, above, number) >=
			      (int)sizeof(c->cgroup))
		r = -ENAMETOOLONG;
	c->cgroup_error = r;
	if (r < 0)
		c->cgroup[0] = '\0';
}

void check_signals(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(ret, signals[i]);
}

/* A process group of its own: a signal from the terminal is for the parent, which then ends them all. */
static int start(struct check_watch *w, struct check *c)
{
	_cleanup_close_ int out = -1, in = -1;
	pid_t parent = getpid();
	sigset_t set;
	int ends[2];

	check_signals(&set);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (w->signals < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	out = ends[0];
	in = ends[1];
	fflush(stdout);
	w->child = fork();
	if (w->child < 0)
		return -errno;
	if (!w->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		close(out);
		if (getppid() == parent)
			check_run(c, w->wanted, in);
		_exit(0);
	}
	setpgid(w->child, w->child);
	w->pipe = TAKE_FD(out);
	return 0;
}

static void to_next(struct check_watch *w)
{
	while (w->next < CHECK_MAX && !(w->wanted & 1U << w->next))
		w->next++;
}

static void tell(struct check_watch *w, const struct check_result *result)
{
	w->results[w->next] = *result;
	if (w->told)
		w->told(&check_rows[w->next], result);
	w->next++;
	to_next(w);
}

/* The child says no more: what it was at has failed for `why`, the rest was never tried. */
static void tell_rest(struct check_watch *w, const char *why)
{
	struct check_result result = { .tried = true };

	snprintf(result.detail, sizeof(result.detail), "%s", why);
	while (w->next < CHECK_MAX) {
		tell(w, &result);
		result.tried = false;
		snprintf(result.detail, sizeof(result.detail), "not tried, for the one before cut the check short");
	}
}

/* Ends the child and whatever it started, and takes it in. Returns its wait status; 0: the kernel does not let it go. */
static int end_child(struct check_watch *w)
{
	int status = 0;

	kill(-w->child, SIGKILL);
	kill(w->child, SIGKILL);
	for (unsigned int i = 0; i < GONE_TRIES && waitpid(w->child, &status, WNOHANG) == 0; i++)
		usleep(GONE_USEC);
	w->child = 0;
	return status;
}

/* The pipe ended before everything was told. */
static void tell_death(struct check_watch *w)
{
	int status = end_child(w);
	char why[96];

	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the process that tried it was ended by signal %d", WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "the process that tried it ended");
	tell_rest(w, why);
}

/* Waits for one result. The signal stays pending: it is the caller's. */
static int watch_one(struct check_watch *w, struct check *c)
{
	struct pollfd fds[] = { { .fd = w->pipe, .events = POLLIN }, { .fd = w->signals, .events = POLLIN } };
	int64_t left = w->end - now_ms(), step = w->next == CHECK_GUARD_LOAD ? LOAD_MS : STEP_MS;
	struct check_result result;
	int n;

	n = poll(fds, ARRAY_SIZE(fds), left < 0 ? 0 : left < step ? left : step);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n > 0 && fds[1].revents)
		return -EINTR;
	if (n <= 0) {
		tell_rest(w, "timed out");
	} else if (read(w->pipe, &result, sizeof(result)) != sizeof(result)) {
		tell_death(w);
	} else if (result.feature != w->next) {
		snprintf(c->detail, sizeof(c->detail), "%s", result.detail);
		return -ECANCELED;
	} else {
		tell(w, &result);
	}
	return 0;
}

/* The kernel takes the last process out of the cgroup some time after its end. */
static void remove_cgroup(const struct check *c)
{
	if (!c->cgroup[0])
		return;
	for (unsigned int i = 0; i < GONE_TRIES; i++) {
		if (rmdir(c->cgroup) == 0 || errno != EBUSY)
			break;
		usleep(GONE_USEC);
	}
	if (access(c->cgroup, F_OK) == 0)
		log_line("%s is left behind: %s", c->cgroup, strerror(errno));
}

int check_watch(struct check_watch *w, struct check *c)
{
	int r;

	w->pipe = w->signals = -1;
	c->mounts_private = system_mounts_private();
	choose_cgroup(c);
	to_next(w);
	r = start(w, c);
	w->end = now_ms() + TOTAL_MS;
	while (r == 0 && w->next < CHECK_MAX)
		r = watch_one(w, c);
	if (w->child > 0)
		end_child(w);
	remove_cgroup(c);
	close_fd(&w->pipe);
	close_fd(&w->signals);
	return r;
}

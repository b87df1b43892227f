// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`: watches over the child process that tries each feature, and tells what it found. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "core/clock.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/check.h"
#include "loader/log.h"
#include "loader/view.h"

#define STEP_MS 7000
#define TOTAL_MS 15000
#define GONE_TRIES 200
#define GONE_USEC 10000

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

struct watch {
	struct check_result results[CHECK_MAX];
	unsigned int done; /* features of which is known what became of them */
	int pipe, signals;
	pid_t child;
	int64_t end; /* of the whole, ms */
	int caught;  /* a signal, or 0 */
	bool json;
};

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

static void block_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(ret_set, signals[i]);
	sigprocmask(SIG_BLOCK, ret_set, NULL);
	/* A reader that goes away (head, less) must not keep us from cleaning up. */
	signal(SIGPIPE, SIG_IGN);
}

/* A process group of its own: a signal from the terminal is for the parent, which then ends them all. */
static int start(struct watch *w, struct check *c, const sigset_t *set)
{
	_cleanup_close_ int out = -1, in = -1;
	pid_t parent = getpid();
	int ends[2];

	w->signals = signalfd(-1, set, SFD_CLOEXEC);
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
		sigprocmask(SIG_UNBLOCK, set, NULL);
		close(out);
		if (getppid() == parent)
			check_run(c, in);
		_exit(0);
	}
	setpgid(w->child, w->child);
	w->pipe = TAKE_FD(out);
	return 0;
}

static void report(struct watch *w, const struct check_result *result)
{
	const struct check_row *row = &check_rows[w->done];

	w->results[w->done] = *result;
	w->done++;
	if (w->json)
		return;
	if (result->ok || !result->tried)
		printf("%s %-18s %s\n", result->ok ? "ok  " : "FAIL", row->name, result->detail);
	else
		printf("FAIL %-18s %s: %s\n", row->name, result->detail, row->lost);
}

/* The child says no more: what it was at has failed for `why`, the rest was never tried. */
static void report_rest(struct watch *w, const char *why)
{
	struct check_result result = { .tried = true };

	snprintf(result.detail, sizeof(result.detail), "%s", why);
	while (w->done < CHECK_MAX) {
		report(w, &result);
		result.tried = false;
		snprintf(result.detail, sizeof(result.detail), "not tried, for the one before cut the check short");
	}
}

/* Ends the child and whatever it started, and takes it in. Returns its wait status; 0: the kernel does not let it go. */
static int end_child(struct watch *w)
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
static void report_death(struct watch *w)
{
	int status = end_child(w);
	char why[96];

	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the process that tried it was ended by signal %d", WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "the process that tried it ended");
	report_rest(w, why);
}

/* Waits for one result. EXIT_DONE: go on. */
static int watch_one(struct watch *w)
{
	struct pollfd fds[] = { { .fd = w->pipe, .events = POLLIN }, { .fd = w->signals, .events = POLLIN } };
	int64_t left = w->end - now_ms();
	struct signalfd_siginfo info;
	struct check_result result;
	int n;

	n = poll(fds, ARRAY_SIZE(fds), left < 0 ? 0 : left < STEP_MS ? left : STEP_MS);
	if (n < 0 && errno == EINTR)
		return EXIT_DONE;
	if (n > 0 && fds[1].revents && read(w->signals, &info, sizeof(info)) == sizeof(info)) {
		w->caught = info.ssi_signo;
		return EXIT_FAILED;
	}
	if (n <= 0) {
		report_rest(w, "timed out");
	} else if (read(w->pipe, &result, sizeof(result)) != sizeof(result)) {
		report_death(w);
	} else if (result.feature != w->done) {
		log_line("%s", result.detail);
		return EXIT_FAILED;
	} else {
		report(w, &result);
	}
	return EXIT_DONE;
}

static int watch_all(struct watch *w)
{
	int r = EXIT_DONE;

	w->end = now_ms() + TOTAL_MS;
	while (r == EXIT_DONE && w->done < CHECK_MAX)
		r = watch_one(w);
	return r;
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

static bool part_works(const struct watch *w, enum check_part part)
{
	for (size_t i = 0; i < CHECK_MAX; i++)
		if ((check_rows[i].part & part) && !w->results[i].ok)
			return false;
	return true;
}

static int print_json(const struct watch *w, const char *kernel)
{
	cJSON *json = cJSON_CreateObject(), *features;

	cJSON_AddStringToObject(json, "kernel", kernel);
	features = cJSON_AddArrayToObject(json, "features");
	for (size_t i = 0; i < CHECK_MAX; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "name", check_rows[i].name);
		cJSON_AddBoolToObject(one, "ok", w->results[i].ok);
		cJSON_AddBoolToObject(one, "required", check_rows[i].part != 0);
		cJSON_AddStringToObject(one, "detail", w->results[i].detail);
		if (!cJSON_AddItemToArray(features, one))
			cJSON_Delete(one);
	}
	cJSON_AddBoolToObject(json, "xdp", part_works(w, CHECK_PART_XDP));
	cJSON_AddBoolToObject(json, "guard", part_works(w, CHECK_PART_GUARD));
	return view_print_json(json);
}

/* EXIT_DONE: everything that is needed works. */
static int conclude(const struct watch *w)
{
	bool xdp = part_works(w, CHECK_PART_XDP), guard = part_works(w, CHECK_PART_GUARD);
	struct utsname name = {};
	int r = EXIT_DONE;

	uname(&name);
	if (w->json)
		r = print_json(w, name.release);
	else
		printf("Linux %s: L3/L4 protection %s, guarded listeners %s\n", name.release,
		       xdp ? "works" : "does not work", guard ? "work" : "do not work");
	return xdp && guard ? r : EXIT_FAILED;
}

/* As if the signal had ended us where it came, but for the cleaning up that is done. */
static void end_by(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int cmd_check(const struct context *context)
{
	static struct watch watch;
	static struct check check = { .xdp = CHECK_INSTANCE_EMPTY, .guard = CHECK_INSTANCE_EMPTY, .listener = -1 };
	sigset_t set;
	int r;

	r = context_need_root();
	if (r != EXIT_DONE)
		return r;
	check.context = context;
	watch.json = context->json;
	check.mounts_private = system_mounts_private();
	choose_cgroup(&check);
	block_signals(&set);
	r = start(&watch, &check, &set);
	if (r < 0) {
		log_line("a process to try it in: %s", strerror(-r));
		return EXIT_FAILED;
	}
	r = watch_all(&watch);
	if (watch.child)
		end_child(&watch);
	remove_cgroup(&check);
	if (watch.caught)
		end_by(watch.caught);
	return r == EXIT_DONE ? conclude(&watch) : EXIT_FAILED;
}

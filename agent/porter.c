// SPDX-License-Identifier: MIT
/* Floor 5: opens sockets of sock_diag in other network namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/porter.h"
#include "agent/privileges.h"
#include "core/clock.h"
#include "core/sock_diag.h"
#include "core/util.h"
#include "loader/log.h"
#include "loader/netns.h"
#include "userspace-auth/doors.h"

#define SOCKET_FD 3 /* the only one beside stdin, stdout and stderr */
#define TITLE "mpbpfd: network namespaces"
#define NAME "mpbpfd-netns"
#define LOG_SECONDS 60 /* from one complaint to the next */

/* What ps(1) shows, and nobody takes it for another mpbpfd. getopt() has changed the order of the pointers. */
static void title_set(int argc, char **argv)
{
	char *start = argv[0], *end = argv[0], *after;

	for (int i = 0; i < argc; i++) {
		after = argv[i] + strlen(argv[i]) + 1;
		start = argv[i] < start ? argv[i] : start;
		end = after > end ? after : end;
	}
	memset(start, 0, (size_t)(end - start));
	snprintf(start, (size_t)(end - start), "%s", TITLE);
	prctl(PR_SET_NAME, NAME);
}

/* Whatever this process has open belongs to mpbpfd, and is not to outlive it here. */
static int descriptors_leave(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = fcntl(fd, F_DUPFD_CLOEXEC, SOCKET_FD + 1);

	if (null < 0 || high < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(high, SOCKET_FD) < 0 || close_range(SOCKET_FD + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static void complain(uint64_t netns, int error)
{
	static int64_t last;
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	if (last && now - last < LOG_SECONDS * NSEC_PER_SEC)
		return;
	last = now;
	log_line("connections of network namespace %llu cannot be closed: %s; they stay until an end closes them",
		 (unsigned long long)netns,
		 error == -ESRCH ? "no process is in it, and no name below /run/netns leads there" : strerror(-error));
}

/* 0 or -errno: there is nobody to serve any more. */
static int serve_one(void)
{
	_cleanup_close_ int fd = -1;
	struct door_request request;
	struct door_answer answer;
	ssize_t n;

	n = recv(SOCKET_FD, &request, sizeof(request), 0);
	if (n != sizeof(request))
		return n < 0 && errno == EINTR ? 0 : -EPIPE;
	answer = (struct door_answer){ .netns = request.netns };
	answer.error = netns_call(request.netns, sock_diag_open, &fd);
	if (answer.error)
		complain(request.netns, answer.error);
	return door_answer_send(SOCKET_FD, &answer, fd);
}

static void run(int fd, int argc, char **argv)
{
	/* It ends when mpbpfd does, not when both are told to. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	title_set(argc, argv);
	if (descriptors_leave(fd) < 0 || privileges_drop_porter() < 0)
		return;
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (serve_one() == 0)
		;
}

static bool may_enter(void)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN);
}

int porter_start(int argc, char **argv, struct porter *ret)
{
	int pair[2];
	pid_t pid;

	if (!may_enter()) {
		log_line("without CAP_SYS_ADMIN no connection of another network namespace can be closed: they stay "
			 "until client or service closes them");
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_line("socketpair: %m");
		return -ENFILE;
	}
	pid = fork();
	if (pid == 0) {
		run(pair[1], argc, argv);
		_exit(EXIT_FAILURE);
	}
	close(pair[1]);
	if (pid < 0) {
		log_line("fork: %m");
		close(pair[0]);
		return -EAGAIN;
	}
	*ret = (struct porter){ .fd = pair[0], .pid = pid };
	return 0;
}

void porter_reap(struct porter *porter)
{
	if (porter->pid <= 0 || waitpid(porter->pid, NULL, WNOHANG) != porter->pid)
		return;
	porter->pid = 0;
	log_line(NAME " has ended: connections of other network namespaces are not closed any more; restart mpbpfd");
}

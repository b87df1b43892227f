/* SPDX-License-Identifier: MIT */
/* Floor 4: walks of the connections, rarely enough to cost little. */
#include "userspace-auth/settling.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <sys/eventfd.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"

#define SETTLING_LATER_MS 1000
#define SETTLING_SHARE 10   /* a walk is followed by a pause so many times as long as it kept a CPU busy, */
#define SETTLING_LEAST_MS 5 /* but at least this */
#define SETTLING_STACK 65536
#define SETTLING_END (1ULL << 32) /* added to the counter: the thread ends */

/* What the thread has: it may be in a walk that does not end, so nobody waits for it. */
struct walker {
	int link;
	int wake; /* eventfd: notes since the last walk began */
};

struct settling {
	struct walker *walker; /* until the thread has it */
	int wake;
	struct event *timer;
};

static void walker_free(struct walker *walker)
{
	close_fd(&walker->link);
	close_fd(&walker->wake);
	free(walker);
}

/* The program writes nothing, so that one read is a whole walk. */
static void walker_walk(const struct walker *walker)
{
	_cleanup_close_ int fd = bpf_iter_create(walker->link);
	char none;

	while (fd >= 0 && read(fd, &none, sizeof(none)) < 0 && (errno == EAGAIN || errno == EINTR))
		;
}

static void *walker_run(void *arg)
{
	struct walker *walker = arg;
	int64_t before, pause;
	eventfd_t notes;

	while (!eventfd_read(walker->wake, &notes) && notes < SETTLING_END) {
		before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		walker_walk(walker);
		pause = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) * SETTLING_SHARE;
		if (pause < SETTLING_LEAST_MS * NSEC_PER_MSEC)
			pause = SETTLING_LEAST_MS * NSEC_PER_MSEC;
		nanosleep(&(struct timespec){ .tv_sec = pause / NSEC_PER_SEC, .tv_nsec = pause % NSEC_PER_SEC }, NULL);
	}
	walker_free(walker);
	return NULL;
}

/* The thread has the rights that this one has now, and takes no signals. */
static int walker_start(struct walker *walker)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!r)
		r = pthread_attr_setstacksize(&attr, SETTLING_STACK);
	if (!r)
		r = pthread_create(&thread, &attr, walker_run, walker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* Within the loop, that is when the agent has given up what it does not need. What fails is tried again with the next note. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct settling *settling = arg;

	(void)fd;
	(void)what;
	if (settling->walker && walker_start(settling->walker) == 0)
		settling->walker = NULL;
	eventfd_write(settling->wake, 1);
}

static int settling_start(struct settling *settling, int link_fd, struct event_base *base)
{
	struct walker *walker = settling->walker;

	walker->link = fcntl(link_fd, F_DUPFD_CLOEXEC, 0);
	walker->wake = eventfd(0, EFD_CLOEXEC);
	if (walker->link < 0 || walker->wake < 0)
		return -errno;
	settling->wake = fcntl(walker->wake, F_DUPFD_CLOEXEC, 0);
	if (settling->wake < 0)
		return -errno;
	settling->timer = evtimer_new(base, on_timer, settling);
	return settling->timer ? 0 : -ENOMEM;
}

int settling_open(int link_fd, struct event_base *base, struct settling **ret)
{
	struct settling *settling;
	int r;

	*ret = NULL;
	if (link_fd < 0)
		return 0;
	settling = calloc(1, sizeof(*settling));
	if (!settling)
		return -ENOMEM;
	settling->wake = -1;
	settling->walker = malloc(sizeof(*settling->walker));
	if (!settling->walker) {
		free(settling);
		return -ENOMEM;
	}
	*settling->walker = (struct walker){ .link = -1, .wake = -1 };
	r = settling_start(settling, link_fd, base);
	if (r < 0) {
		settling_close(settling);
		return r;
	}
	*ret = settling;
	return 0;
}

void settling_note(struct settling *settling, bool soon)
{
	struct timeval delay = {};

	if (!settling)
		return;
	if (!soon) {
		if (event_pending(settling->timer, EV_TIMEOUT, NULL))
			return;
		delay = (struct timeval){ .tv_sec = SETTLING_LATER_MS / 1000 };
	}
	evtimer_add(settling->timer, &delay);
}

void settling_close(struct settling *settling)
{
	if (!settling)
		return;
	if (settling->walker)
		walker_free(settling->walker);
	else
		eventfd_write(settling->wake, SETTLING_END);
	if (settling->timer)
		event_free(settling->timer);
	close_fd(&settling->wake);
	free(settling);
}

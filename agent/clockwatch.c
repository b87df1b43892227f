// SPDX-License-Identifier: MIT
/*
 * Floor 5: a timer that never fires but is cancelled when CLOCK_REALTIME jumps: then programs are told the new
 * offset.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <event2/event.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "agent/clockwatch.h"
#include "core/clock.h"
#include "core/util.h"
#include "mpbpf/abi.h"

struct clockwatch {
	int fd;
	struct event *event;
	struct control *control;
};

/* Armed before the offset is read: a jump in between cancels the timer again. */
static int arm(struct clockwatch *watch)
{
	struct itimerspec never = { .it_value.tv_sec = INT64_MAX / NSEC_PER_SEC };

	if (timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 &&
	    errno != ECANCELED)
		return -errno;
	__atomic_store_n(&watch->control->wall_offset_ns, clock_wall_offset(), __ATOMIC_RELAXED);
	return 0;
}

static void on_jump(evutil_socket_t fd, short what, void *data)
{
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
		return;
	arm(data);
}

int clockwatch_open(struct event_base *base, struct control *control, struct clockwatch **ret)
{
	struct clockwatch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->control = control;
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	r = watch->fd < 0 ? -errno : arm(watch);
	if (r == 0) {
		watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_jump, watch);
		r = watch->event && event_add(watch->event, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0) {
		clockwatch_close(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void clockwatch_close(struct clockwatch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	close_fd(&watch->fd);
	free(watch);
}

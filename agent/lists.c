// SPDX-License-Identifier: MIT
/*
 * Floor 5: the agent deletes networks that have expired from the lists of `mpbpf block` and `mpbpf allow`: a list may have a
 * million, so it reads them a batch at a time, and nothing while none has expired. Programs do not need it: they look at the
 * end themselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <event2/event.h>

#include "agent/lists.h"
#include "core/clock.h"
#include "core/lists.h"
#include "core/pins.h"
#include "core/util.h"

/* Between two looks whether something has expired, and between two batches while it is deleted. */
static const struct timeval idle = { .tv_sec = 1 }, busy = { .tv_usec = 10000 };

struct list_watch {
	const char *pin_root;
	const struct maps *maps;
	struct event *timer;
	struct list_purge purges[CIDR_LIST_MAX];
};

/* A command that holds the lock deletes what has expired itself. */
static bool step(struct list_watch *watch)
{
	_cleanup_close_ int lock = pins_lists_lock(watch->pin_root, false);
	bool more = false;

	for (enum cidr_list list = 0; lock >= 0 && list < CIDR_LIST_MAX; list++) {
		struct lists lists = { .maps = watch->maps, .pin_root = watch->pin_root, .list = list };

		more |= list_purge(&lists, &watch->purges[list], clock_ns(CLOCK_BOOTTIME)) > 0;
	}
	return more;
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct list_watch *watch = data;

	(void)fd;
	(void)what;
	event_add(watch->timer, step(watch) ? &busy : &idle);
}

int list_watch_open(struct event_base *base, const char *pin_root, const struct maps *maps, struct list_watch **ret)
{
	struct list_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct list_watch){ .pin_root = pin_root, .maps = maps };
	for (enum cidr_list list = 0; list < CIDR_LIST_MAX; list++)
		watch->purges[list] = (struct list_purge)LIST_PURGE_WHOLE;
	watch->timer = evtimer_new(base, on_timer, watch);
	if (!watch->timer || event_add(watch->timer, &busy) < 0) {
		list_watch_close(watch);
		return -ENOMEM;
	}
	*ret = watch;
	return 0;
}

void list_watch_close(struct list_watch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	free(watch);
}

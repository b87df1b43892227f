// SPDX-License-Identifier: MIT
/* Floor 4: event loops of the gateway's threads. */
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/util.h"
#include "gateway/loop.h"

/* After so much work in the relays' priority a loop looks whether another thread calls. */
#define DISPATCH_MS 5
#define DISPATCH_CALLBACKS 64

struct event_base *loop_new(void)
{
	const struct timeval interval = { .tv_usec = DISPATCH_MS * 1000 };
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	/* Its sockets and its thread alone: no locks. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_max_dispatch_interval(config, &interval, DISPATCH_CALLBACKS, PRIORITY_RELAY) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (base && event_base_priority_init(base, PRIORITY_MAX) < 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

int loop_event(struct event_base *base, struct event *event, int fd, short what, event_callback_fn function, void *data)
{
	if (event_assign(event, base, fd, what, function, data) < 0)
		return -ENOMEM;
	event_priority_set(event, PRIORITY_RELAY);
	return 0;
}

int wakeup_open(struct wakeup *wakeup, struct event_base *base, int priority, event_callback_fn function, void *data)
{
	wakeup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wakeup->fd < 0)
		return -errno;
	if (loop_event(base, &wakeup->event, wakeup->fd, EV_READ | EV_PERSIST, function, data) < 0)
		return -ENOMEM;
	event_priority_set(&wakeup->event, priority);
	return event_add(&wakeup->event, NULL) < 0 ? -ENOMEM : 0;
}

void wakeup_close(struct wakeup *wakeup)
{
	if (wakeup->fd >= 0 && event_initialized(&wakeup->event))
		event_del(&wakeup->event);
	close_fd(&wakeup->fd);
}

/* An eventfd that is not near its end takes it. */
void wakeup_ring(const struct wakeup *wakeup)
{
	const uint64_t one = 1;

	while (write(wakeup->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void wakeup_take(const struct wakeup *wakeup)
{
	uint64_t count;

	while (read(wakeup->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

// SPDX-License-Identifier: MIT
/*
 * Floor 5: the agent protects interfaces again that went away and came back under the same name. Their links stay pinned,
 * attached to nothing; a change of any interface (rtnetlink) makes it look at all of them.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "agent/ifwatch.h"
#include "core/pins.h"
#include "core/runtime.h"
#include "core/util.h"
#include "loader/log.h"
#include "loader/relink.h"

/* When another holds the lock. */
static const struct timeval retry = { .tv_usec = 100000 };

/* What was said of an interface. */
struct watched {
	char name[RUNTIME_IFNAME_MAX];
	bool gone;
	unsigned int failed; /* index of the one that could not be protected: it is not tried again */
};

struct ifwatch {
	const char *pin_root;
	const struct runtime *runtime;
	int fd;
	struct event *event, *timer;
	struct watched ifaces[RUNTIME_IFACES_MAX];
	size_t n;
};

static struct watched *watched_of(struct ifwatch *watch, const char *name)
{
	for (size_t i = 0; i < watch->n; i++)
		if (!strcmp(watch->ifaces[i].name, name))
			return &watch->ifaces[i];
	if (watch->n == RUNTIME_IFACES_MAX || strlen(name) >= RUNTIME_IFNAME_MAX)
		return NULL;
	strcpy(watch->ifaces[watch->n].name, name);
	return &watch->ifaces[watch->n++];
}

static void protect(struct ifwatch *watch, struct watched *iface, unsigned int ifindex)
{
	bool native;
	int r;

	if (iface->failed == ifindex)
		return;
	r = relink_xdp(watch->pin_root, watch->runtime, iface->name, &native);
	iface->failed = r < 0 ? ifindex : 0;
	if (r < 0) {
		log_line("%s: it is back, and NOT protected", iface->name);
		return;
	}
	log_line("%s: it is back, and protected again in %s mode", iface->name, xdp_mode_name(native));
	iface->gone = false;
}

static int look_at(const char *link, void *data)
{
	struct ifwatch *watch = data;
	char name[NAME_MAX + 1];
	struct watched *iface;
	unsigned int ifindex;

	if (pins_xdp_name(link, name, sizeof(name)) < 0 || relink_attached(watch->pin_root, link))
		return 0;
	iface = watched_of(watch, name);
	if (!iface)
		return 0;
	if (!iface->gone)
		log_line("%s: it is gone; when it comes back it is protected again", name);
	iface->gone = true;
	ifindex = if_nametoindex(name);
	if (ifindex)
		protect(watch, iface, ifindex);
	return 0;
}

/* `mpbpf unload --iface` holds the lock, for what it detaches must stay so. */
static void look(struct ifwatch *watch)
{
	_cleanup_close_ int lock = pins_links_lock(watch->pin_root, false);

	if (lock >= 0)
		pins_links(watch->pin_root, look_at, watch);
	else if (lock == -EAGAIN)
		event_add(watch->timer, &retry);
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	look(data);
}

/* What the messages say does not matter, nor does it that some were lost (ENOBUFS): something has changed. */
static void on_message(evutil_socket_t fd, short what, void *data)
{
	char buffer[8192];

	(void)what;
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	look(data);
}

static int listen_links(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int ifwatch_open(struct event_base *base, const char *pin_root, const struct runtime *runtime, struct ifwatch **ret)
{
	struct ifwatch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct ifwatch){ .pin_root = pin_root, .runtime = runtime };
	r = watch->fd = listen_links();
	if (r >= 0) {
		watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_message, watch);
		watch->timer = evtimer_new(base, on_timer, watch);
		r = watch->event && watch->timer && event_add(watch->event, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0) {
		ifwatch_close(watch);
		return r;
	}
	/* What came and went while no agent looked. */
	look(watch);
	*ret = watch;
	return 0;
}

void ifwatch_close(struct ifwatch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	if (watch->timer)
		event_free(watch->timer);
	close_fd(&watch->fd);
	free(watch);
}

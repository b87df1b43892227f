/* SPDX-License-Identifier: MIT */
/* Floor 4: sockets of sock_diag, one for each network namespace in use. */
#include "userspace-auth/doors.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "core/util.h"

#define DOORS_IDLE_MS 3000 /* how long an open one, or a failure, is kept */
#define DOORS_TERM_MS 1000 /* how long it is its namespace's at least, however many others wait */
#define DOORS_TICK_MS 500

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum door_state { DOOR_ASKED, DOOR_OPEN, DOOR_SHUT };

struct door {
	TAILQ_ENTRY(door) link;
	uint64_t netns;
	enum door_state state;
	bool told;		/* whoever waits for it has been told */
	int fd;			/* when open */
	int error;		/* when shut */
	int64_t answered, used; /* CLOCK_MONOTONIC, ns */
};

struct doors {
	TAILQ_HEAD(, door) list; /* in the order in which they were used; the last is at the end */
	size_t n;
	int own;
	uint64_t own_netns; /* 0: not known */
	int porter;	    /* -1: there is none (any more) */
	struct event *answers, *timer;
};

static void door_free(struct doors *doors, struct door *door)
{
	TAILQ_REMOVE(&doors->list, door, link);
	doors->n--;
	close_fd(&door->fd);
	free(door);
}

static void door_use(struct doors *doors, struct door *door)
{
	door->used = clock_ns(CLOCK_MONOTONIC);
	TAILQ_REMOVE(&doors->list, door, link);
	TAILQ_INSERT_TAIL(&doors->list, door, link);
}

static void door_settle(struct doors *doors, struct door *door, enum door_state state)
{
	door->state = state;
	door_use(doors, door);
	door->answered = door->used;
}

static struct door *door_find(struct doors *doors, uint64_t netns)
{
	struct door *door;

	TAILQ_FOREACH(door, &doors->list, link)
	if (door->netns == netns)
		return door;
	return NULL;
}

static void doors_arm(struct doors *doors)
{
	static const struct timeval tick = { .tv_usec = DOORS_TICK_MS * 1000 };

	if (!event_pending(doors->timer, EV_TIMEOUT, NULL))
		evtimer_add(doors->timer, &tick);
}

/* The porter answers all that it was asked for as long as it lives, so those wait as long as it takes. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct doors *doors = arg;
	struct door *door, *next;

	(void)fd;
	(void)what;
	for (door = TAILQ_FIRST(&doors->list); door; door = next) {
		next = TAILQ_NEXT(door, link);
		if (door->state != DOOR_ASKED && now - door->used >= DOORS_IDLE_MS * NSEC_PER_MSEC)
			door_free(doors, door);
	}
	if (doors->n)
		doors_arm(doors);
}

/* Nobody answers any more. */
static void porter_lost(struct doors *doors)
{
	struct door *door, *next;

	doors->porter = -1;
	event_del(doors->answers);
	for (door = TAILQ_FIRST(&doors->list); door; door = next) {
		next = TAILQ_NEXT(door, link);
		if (door->state == DOOR_ASKED)
			door_free(doors, door);
	}
}

int door_answer_send(int socket, const struct door_answer *answer, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] __attribute__((aligned(sizeof(size_t)))) = {};
	struct iovec iov = { (void *)answer, sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void door_answered(struct doors *doors, const struct door_answer *answer, int *fd)
{
	struct door *door = door_find(doors, answer->netns);

	if (!door || door->state != DOOR_ASKED)
		return;
	if (answer->error || *fd < 0) {
		door->error = answer->error ?: -EMFILE; /* the kernel drops what finds no descriptor */
		door_settle(doors, door, DOOR_SHUT);
		return;
	}
	door->fd = TAKE_FD(*fd);
	door_settle(doors, door, DOOR_OPEN);
}

/* 1: one was dealt with, 0: none is there, or -errno. */
static int answer_read(struct doors *doors)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t))));
	struct door_answer answer;
	struct iovec iov = { &answer, sizeof(answer) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	_cleanup_close_ int fd = -1;
	struct cmsghdr *cmsg;
	ssize_t n;

	n = recvmsg(doors->porter, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (n != sizeof(answer))
		return -EPIPE;
	door_answered(doors, &answer, &fd);
	return 1;
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct doors *doors = arg;
	int r;

	(void)fd;
	(void)what;
	do
		r = answer_read(doors);
	while (r > 0);
	if (r < 0)
		porter_lost(doors);
}

static int own_open(struct doors *doors)
{
	socklen_t len = sizeof(doors->own_netns);
	int r;

	r = sock_diag_open(&doors->own);
	if (r == 0 && getsockopt(doors->own, SOL_SOCKET, SO_NETNS_COOKIE, &doors->own_netns, &len))
		doors->own_netns = 0;
	return r;
}

int doors_open(int porter, struct event_base *base, struct doors **ret)
{
	struct doors *doors = calloc(1, sizeof(*doors));
	int r;

	if (!doors)
		return -ENOMEM;
	TAILQ_INIT(&doors->list);
	doors->own = -1;
	doors->porter = porter;
	r = own_open(doors);
	if (r == 0) {
		doors->timer = evtimer_new(base, on_timer, doors);
		doors->answers = event_new(base, porter, EV_READ | EV_PERSIST, on_answer, doors);
		if (!doors->timer || !doors->answers || (porter >= 0 && event_add(doors->answers, NULL)))
			r = -ENOMEM;
	}
	if (r < 0) {
		doors_close(doors);
		return r;
	}
	*ret = doors;
	return 0;
}

void doors_close(struct doors *doors)
{
	struct door *door;

	if (!doors)
		return;
	while ((door = TAILQ_FIRST(&doors->list)))
		door_free(doors, door);
	if (doors->timer)
		event_free(doors->timer);
	if (doors->answers)
		event_free(doors->answers);
	close_fd(&doors->own);
	free(doors);
}

/*
 * Sees to it that one more has room. What is being opened cannot be given up, nor is what was opened just now or for nobody yet: with
 * more namespaces in use than doors, each would be opened for nothing. So they take turns.
 */
static int room_make(struct doors *doors)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	struct door *door;

	if (doors->n < DOORS_MAX)
		return 0;
	TAILQ_FOREACH(door, &doors->list, link)
	if (door->told && now - door->answered >= DOORS_TERM_MS * NSEC_PER_MSEC) {
		door_free(doors, door);
		return 0;
	}
	return -EAGAIN;
}

static int door_ask(struct doors *doors, uint64_t netns)
{
	struct door_request request = { .netns = netns };
	_cleanup_free_ struct door *door = NULL;
	int r;

	if (doors->porter < 0)
		return -EPIPE;
	r = room_make(doors);
	if (r < 0)
		return r;
	door = malloc(sizeof(*door));
	if (!door)
		return -ENOMEM;
	if (send(doors->porter, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS)
			return -EAGAIN;
		porter_lost(doors);
		return -EPIPE;
	}
	*door = (struct door){ .netns = netns, .fd = -1, .used = clock_ns(CLOCK_MONOTONIC) };
	TAILQ_INSERT_TAIL(&doors->list, door, link);
	door = NULL;
	doors->n++;
	doors_arm(doors);
	return -EAGAIN;
}

int doors_get(struct doors *doors, uint64_t netns)
{
	struct door *door;

	/* Without cookies there is no telling: it is tried. */
	if (!netns || !doors->own_netns || netns == doors->own_netns)
		return doors->own;
	door = door_find(doors, netns);
	if (!door)
		return door_ask(doors, netns);
	door->told = door->state != DOOR_ASKED;
	switch (door->state) {
	case DOOR_OPEN: door_use(doors, door); return door->fd;
	case DOOR_SHUT: return door->error;
	default: return -EAGAIN;
	}
}

/* SPDX-License-Identifier: MIT */
/* Floor 4: ending connections. */
#include "userspace-auth/closing.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "core/util.h"

#define CLOSING_TICK_MS 50
#define CLOSING_EARLIEST_MS 100 /* a client that closes by itself needs no reset */
#define CLOSING_LATEST_MS 800	/* even if it has not taken the answer */
#define CLOSING_TURN_MS 5	/* work in one turn of the loop */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

struct closing_entry {
	TAILQ_ENTRY(closing_entry) link;
	uint64_t cookie;
	int64_t since, due; /* CLOCK_MONOTONIC, ns: when it came, when it is looked at */
};

static void closing_arm(struct closing *closing, int ms)
{
	struct timeval tick = { .tv_usec = ms * 1000 };

	if (!event_pending(closing->timer, EV_TIMEOUT, NULL))
		evtimer_add(closing->timer, &tick);
}

/* A socket in another network namespace cannot be found from here, and to look for it in vain costs a walk of all there are. */
bool closing_reaches(const struct closing *closing, const struct conn *conn)
{
	return !closing->netns || closing->netns == conn->netns;
}

/* Whether the entry is dealt with. */
static bool closing_try(struct closing *closing, const struct closing_entry *entry)
{
	int64_t age_ms = (clock_ns(CLOCK_MONOTONIC) - entry->since) / NSEC_PER_MSEC;
	struct conn conn;

	if (bpf_map_lookup_elem(closing->maps->fd[MAP_CONNS], &entry->cookie, &conn) ||
	    !closing_reaches(closing, &conn))
		return true;
	if (age_ms < CLOSING_LATEST_MS && sock_diag_unacked(closing->diag, &conn.local, conn.local_port, &conn.remote,
							    conn.remote_port, entry->cookie) > 0)
		return false;
	sock_diag_destroy(closing->diag, &conn.local, conn.local_port, &conn.remote, conn.remote_port, entry->cookie);
	return true;
}

/* What is due of a list, as long as the turn lasts. */
static void closing_work(struct closing *closing, struct closing_list *list, int64_t end)
{
	struct closing_entry *entry;
	int64_t now;

	while ((entry = TAILQ_FIRST(list))) {
		now = clock_ns(CLOCK_MONOTONIC);
		if (entry->due > now || now > end)
			break;
		TAILQ_REMOVE(list, entry, link);
		if (closing_try(closing, entry)) {
			free(entry);
			continue;
		}
		entry->due = now + CLOSING_TICK_MS * NSEC_PER_MSEC;
		TAILQ_INSERT_TAIL(&closing->again, entry, link);
	}
}

static void closing_tick(evutil_socket_t fd, short what, void *arg)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + CLOSING_TURN_MS * NSEC_PER_MSEC;
	struct closing *closing = arg;

	(void)fd;
	(void)what;
	closing_work(closing, &closing->again, end);
	closing_work(closing, &closing->list, end);
	if (clock_ns(CLOCK_MONOTONIC) > end)
		closing_arm(closing, 0);
	else if (!TAILQ_EMPTY(&closing->list) || !TAILQ_EMPTY(&closing->again))
		closing_arm(closing, CLOSING_TICK_MS);
}

void closing_init(struct closing *closing)
{
	*closing = (struct closing){ .diag = -1 };
	TAILQ_INIT(&closing->list);
	TAILQ_INIT(&closing->again);
}

int closing_open(struct closing *closing, const struct maps *maps, struct event_base *base)
{
	socklen_t len = sizeof(closing->netns);
	int r;

	closing->maps = maps;
	r = sock_diag_open(&closing->diag);
	if (r < 0)
		return r;
	if (getsockopt(closing->diag, SOL_SOCKET, SO_NETNS_COOKIE, &closing->netns, &len))
		closing->netns = 0;
	closing->timer = evtimer_new(base, closing_tick, closing);
	return closing->timer ? 0 : -ENOMEM;
}

static void entries_free(struct closing_list *list)
{
	struct closing_entry *entry;

	while ((entry = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, entry, link);
		free(entry);
	}
}

void closing_close(struct closing *closing)
{
	entries_free(&closing->list);
	entries_free(&closing->again);
	if (closing->timer)
		event_free(closing->timer);
	close_fd(&closing->diag);
}

void closing_add(struct closing *closing, uint64_t cookie)
{
	struct closing_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return; /* stays in CONN_CLOSED, where nothing passes; the next agent's sweep finds it */
	entry->cookie = cookie;
	entry->since = clock_ns(CLOCK_MONOTONIC);
	entry->due = entry->since + CLOSING_EARLIEST_MS * NSEC_PER_MSEC;
	TAILQ_INSERT_TAIL(&closing->list, entry, link);
	closing_arm(closing, CLOSING_TICK_MS);
}

void closing_sweep(struct closing *closing, uint32_t helper_epoch)
{
	uint64_t *key = NULL, cookie, next;
	struct conn conn;

	while (!bpf_map_get_next_key(closing->maps->fd[MAP_CONNS], key, &next)) {
		cookie = next;
		key = &cookie;
		if (bpf_map_lookup_elem(closing->maps->fd[MAP_CONNS], &cookie, &conn))
			continue;
		if (conn.state == CONN_CLOSED || (conn.state == CONN_HELPER && conn.helper_epoch != helper_epoch))
			closing_add(closing, cookie);
	}
}

/* SPDX-License-Identifier: MIT */
/* Floor 4: ending connections. */
#include "userspace-auth/closing.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "userspace-auth/doors.h"

#define CLOSING_TICK_MS 50
#define CLOSING_EARLIEST_MS 100 /* a client that closes by itself needs no reset */
#define CLOSING_STALL_MS 5000	/* a client that takes nothing for so long is not waited for, */
#define CLOSING_LATEST_MS 60000 /* nor one that takes longer than that for what lies before the answer */
#define CLOSING_SLOW_MS 1000	/* a client that needs longer is looked at again after as long */
#define CLOSING_TURN_MS 5	/* work in one turn of the loop */

struct closing_entry {
	TAILQ_ENTRY(closing_entry) link;
	uint64_t cookie;
	int64_t since, due; /* CLOCK_MONOTONIC, ns: when it came, when it is looked at */
	int64_t moved;	    /* when `unacked` was last seen to change */
	int unacked;	    /* bytes that the client has yet to take */
};

static void closing_arm(struct closing *closing, int ms)
{
	struct timeval tick = { .tv_usec = ms * 1000 };

	if (!event_pending(closing->timer, EV_TIMEOUT, NULL))
		evtimer_add(closing->timer, &tick);
}

/*
 * Whether the client is still taking what was sent: a reset would throw the rest away, and with it responses of the service that
 * lie before the answer.
 */
static bool closing_waits(struct closing_entry *entry, int64_t now, int unacked)
{
	if (unacked != entry->unacked)
		entry->moved = now;
	entry->unacked = unacked;
	return unacked > 0 && now - entry->moved < CLOSING_STALL_MS * NSEC_PER_MSEC &&
	       now - entry->since < CLOSING_LATEST_MS * NSEC_PER_MSEC;
}

/* It stays in CONN_CLOSED, where nothing passes, until the client or the service closes. */
static void closing_failed(struct closing *closing)
{
	__atomic_fetch_add(&closing->maps->control->unclosed, 1, __ATOMIC_RELAXED);
}

/* By the socket that sees the connection. Whether the entry is dealt with. */
static bool closing_end(struct closing *closing, int diag, struct closing_entry *entry, const struct conn *conn,
			int64_t now)
{
	int r;

	/* One that has reset it takes nothing any more. */
	if (!(conn->flags & CONN_RESET) &&
	    closing_waits(entry, now,
			  sock_diag_unacked(diag, &conn->local, conn->local_port, &conn->remote, conn->remote_port,
					    entry->cookie)))
		return false;
	r = sock_diag_destroy(diag, &conn->local, conn->local_port, &conn->remote, conn->remote_port, entry->cookie);
	if (r < 0 && r != -ENOENT)
		closing_failed(closing);
	return true;
}

/* Whether the entry is dealt with. */
static bool closing_try(struct closing *closing, struct closing_entry *entry, int64_t now)
{
	struct conn conn;
	int diag;

	if (bpf_map_lookup_elem(closing->maps->fd[MAP_CONNS], &entry->cookie, &conn))
		return true;
	diag = doors_get(closing->doors, conn.netns);
	if (diag >= 0)
		return closing_end(closing, diag, entry, &conn, now);
	/* Also what cannot be had just now may be had later, descriptors for one. */
	if (diag != -EPIPE && now - entry->since < CLOSING_LATEST_MS * NSEC_PER_MSEC)
		return false;
	closing_failed(closing);
	return true;
}

/* What is due of a list, as long as the turn lasts. */
static void closing_work(struct closing *closing, struct closing_list *list, int64_t end)
{
	struct closing_entry *entry;
	int64_t now;
	bool slow;

	while ((entry = TAILQ_FIRST(list))) {
		now = clock_ns(CLOCK_MONOTONIC);
		if (entry->due > now || now > end)
			break;
		TAILQ_REMOVE(list, entry, link);
		if (closing_try(closing, entry, now)) {
			free(entry);
			continue;
		}
		slow = now - entry->since >= CLOSING_SLOW_MS * NSEC_PER_MSEC;
		entry->due = now + (slow ? CLOSING_SLOW_MS : CLOSING_TICK_MS) * NSEC_PER_MSEC;
		TAILQ_INSERT_TAIL(slow ? &closing->slow : &closing->again, entry, link);
	}
}

static void closing_tick(evutil_socket_t fd, short what, void *arg)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + CLOSING_TURN_MS * NSEC_PER_MSEC;
	struct closing *closing = arg;

	(void)fd;
	(void)what;
	closing_work(closing, &closing->slow, end);
	closing_work(closing, &closing->again, end);
	closing_work(closing, &closing->list, end);
	if (clock_ns(CLOCK_MONOTONIC) > end)
		closing_arm(closing, 0);
	else if (!TAILQ_EMPTY(&closing->list) || !TAILQ_EMPTY(&closing->again) || !TAILQ_EMPTY(&closing->slow))
		closing_arm(closing, CLOSING_TICK_MS);
}

void closing_init(struct closing *closing)
{
	*closing = (struct closing){};
	TAILQ_INIT(&closing->list);
	TAILQ_INIT(&closing->again);
	TAILQ_INIT(&closing->slow);
}

int closing_open(struct closing *closing, const struct maps *maps, int porter, struct event_base *base)
{
	int r;

	closing->maps = maps;
	r = doors_open(porter, base, &closing->doors);
	if (r < 0)
		return r;
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
	entries_free(&closing->slow);
	if (closing->timer)
		event_free(closing->timer);
	doors_close(closing->doors);
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

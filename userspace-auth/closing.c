/* SPDX-License-Identifier: MIT */
/* Floor 4: ending connections. */
#include "userspace-auth/closing.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "core/util.h"

#define CLOSING_TICK_MS 50
#define CLOSING_EARLIEST_MS 100 /* a client that closes by itself needs no reset */
#define CLOSING_LATEST_MS 800	/* even if it has not taken the answer */

struct closing_entry {
	TAILQ_ENTRY(closing_entry) link;
	uint64_t cookie;
	int64_t since; /* CLOCK_MONOTONIC, ns */
};

static void closing_arm(struct closing *closing)
{
	struct timeval tick = { .tv_usec = CLOSING_TICK_MS * 1000 };

	if (!event_pending(closing->timer, EV_TIMEOUT, NULL))
		evtimer_add(closing->timer, &tick);
}

/* Whether the entry is dealt with. */
static bool closing_try(struct closing *closing, const struct closing_entry *entry)
{
	int64_t age_ms = (clock_ns(CLOCK_MONOTONIC) - entry->since) / 1000000;
	struct conn conn;

	if (bpf_map_lookup_elem(closing->maps->fd[MAP_CONNS], &entry->cookie, &conn))
		return true;
	if (age_ms < CLOSING_EARLIEST_MS)
		return false;
	if (age_ms < CLOSING_LATEST_MS && sock_diag_unacked(closing->diag, &conn.local, conn.local_port, &conn.remote,
							    conn.remote_port, entry->cookie) > 0)
		return false;
	sock_diag_destroy(closing->diag, &conn.local, conn.local_port, &conn.remote, conn.remote_port, entry->cookie);
	return true;
}

static void closing_tick(evutil_socket_t fd, short what, void *arg)
{
	struct closing *closing = arg;
	struct closing_entry *entry, *next;

	(void)fd;
	(void)what;
	for (entry = TAILQ_FIRST(&closing->list); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		if (!closing_try(closing, entry))
			continue;
		TAILQ_REMOVE(&closing->list, entry, link);
		free(entry);
	}
	if (!TAILQ_EMPTY(&closing->list))
		closing_arm(closing);
}

int closing_open(struct closing *closing, const struct maps *maps, struct event_base *base)
{
	int r;

	closing->maps = maps;
	TAILQ_INIT(&closing->list);
	r = sock_diag_open(&closing->diag);
	if (r < 0)
		return r;
	closing->timer = evtimer_new(base, closing_tick, closing);
	return closing->timer ? 0 : -ENOMEM;
}

void closing_close(struct closing *closing)
{
	struct closing_entry *entry;

	while ((entry = TAILQ_FIRST(&closing->list))) {
		TAILQ_REMOVE(&closing->list, entry, link);
		free(entry);
	}
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
	TAILQ_INSERT_TAIL(&closing->list, entry, link);
	closing_arm(closing);
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

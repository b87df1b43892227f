/* SPDX-License-Identifier: MIT */
/* Floor 4: request bodies that stand still are found and their connections closed; records that nobody else forgets. */
#include "userspace-auth/stalled.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "userspace-auth/closing.h"
#include "userspace-auth/doors.h"
#include "userspace-auth/stream.h"

#define STALLED_BATCH 512     /* records at a time: about a millisecond, and ten if all of them are to be closed */
#define STALLED_GAP_MS 10     /* from one batch to the next */
#define STALLED_TRIES 400     /* of a batch, while what it takes to look at its connections is being opened */
#define STALLED_SHARE 8	      /* all are looked at so many times in body_timeout_s, */
#define STALLED_LEAST_MS 1000 /* but not more often than this, */
#define STALLED_MOST_MS 10000 /* nor less often than this */

struct stalled {
	struct stream_env *env;
	struct closing *closing;
	struct event *timer;
	int64_t begun;	   /* CLOCK_MONOTONIC, ns: when this pass began */
	uint32_t position; /* in `conns`, as the kernel counts */
	uint32_t tries;	   /* of the next batch, before this one */
	bool under_way;
	bool first; /* the next batch is the first of its pass */
	bool waits; /* for what it takes to look at a connection of the batch */
	uint64_t cookies[STALLED_BATCH];
	struct conn conns[STALLED_BATCH];
};

/* Bytes are there that the service has not read: it is not the client who is slow. 0, 1, or -EAGAIN: not known yet. */
static int service_is_slow(const struct stalled *stalled, uint64_t cookie, const struct conn *conn)
{
	int diag;

	if (conn->state != CONN_BODY)
		return 0;
	diag = doors_get(stalled->closing->doors, conn->netns);
	if (diag < 0)
		return diag == -EAGAIN && stalled->tries < STALLED_TRIES ? -EAGAIN : 0;
	return sock_diag_unread(diag, &conn->local, conn->local_port, &conn->remote, conn->remote_port, cookie) > 0;
}

/* Both are compared with the record again, under its lock: a piece may come at this moment. */
static void stalled_end(struct stalled *stalled, uint64_t cookie, const struct conn *conn)
{
	struct conn_op op = { .op = CONN_OP_EXPIRE, .moved_at = conn->moved_at };
	struct listener listener;
	int r, slow = 0;

	r = judge_listener(&stalled->env->judge, conn, &listener);
	if (r < 0 && r != -ENOENT)
		return;
	if (r == 0)
		slow = service_is_slow(stalled, cookie, conn);
	if (slow < 0) {
		stalled->waits = true;
		return;
	}
	/* Under no policy any more, or not to blame. */
	if (r == -ENOENT || slow)
		op.op = CONN_OP_SPARE;
	else
		op.dry = !!(listener.flags & LISTENER_DRY_RUN);
	r = conn_op(stalled->env, cookie, &op);
	if (r == 0 && op.op == CONN_OP_EXPIRE && !op.dry)
		closing_add(stalled->closing, cookie);
}

static void stalled_try(struct stalled *stalled, uint64_t cookie, const struct conn *conn, int64_t now)
{
	int64_t limit = stalled->env->judge.config->clients.body_timeout_s * NSEC_PER_SEC;

	if (conn->flags & CONN_ENDED)
		conn_op(stalled->env, cookie, &(struct conn_op){ .op = CONN_OP_FORGET });
	if (conn->state != CONN_BODY && conn->state != CONN_DISCARD)
		return;
	if (conn->moved_at && now - (int64_t)conn->moved_at >= limit)
		stalled_end(stalled, cookie, conn);
}

/*
 * The next records, or once more the last ones. Whether there may be more. A bucket that holds more than a batch ends the pass;
 * chance makes none.
 */
static bool stalled_batch(struct stalled *stalled)
{
	int fd = stalled->env->judge.maps->fd[MAP_CONNS], r;
	__u32 n = STALLED_BATCH, next;
	int64_t now;

	r = bpf_map_lookup_batch(fd, stalled->first ? NULL : &stalled->position, &next, stalled->cookies,
				 stalled->conns, &n, NULL);
	if (r < 0 && r != -ENOENT)
		return false;
	now = clock_ns(CLOCK_MONOTONIC_COARSE);
	stalled->waits = false;
	for (__u32 i = 0; i < n; i++)
		stalled_try(stalled, stalled->cookies[i], &stalled->conns[i], now);
	if (stalled->waits) {
		stalled->tries++;
		return true;
	}
	stalled->tries = 0;
	stalled->first = false;
	stalled->position = next;
	return r == 0;
}

/* How long a pass may take, and is waited for when it took less. */
static int64_t stalled_interval_ms(const struct stalled *stalled)
{
	int64_t ms = stalled->env->judge.config->clients.body_timeout_s * 1000LL / STALLED_SHARE;

	return ms < STALLED_LEAST_MS ? STALLED_LEAST_MS : ms > STALLED_MOST_MS ? STALLED_MOST_MS : ms;
}

static void stalled_arm(struct stalled *stalled)
{
	int64_t ms = STALLED_GAP_MS, past;
	struct timeval tick;

	if (!stalled->under_way) {
		past = (clock_ns(CLOCK_MONOTONIC) - stalled->begun) / NSEC_PER_MSEC;
		ms = stalled_interval_ms(stalled) - past;
		if (ms < STALLED_GAP_MS)
			ms = STALLED_GAP_MS;
	}
	tick = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	evtimer_add(stalled->timer, &tick);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct stalled *stalled = arg;

	(void)fd;
	(void)what;
	if (!stalled->under_way) {
		stalled->begun = clock_ns(CLOCK_MONOTONIC);
		stalled->first = true;
	}
	stalled->under_way = stalled_batch(stalled);
	stalled_arm(stalled);
}

int stalled_open(struct stream_env *env, struct closing *closing, struct event_base *base, struct stalled **ret)
{
	struct stalled *stalled = calloc(1, sizeof(*stalled));

	if (!stalled)
		return -ENOMEM;
	stalled->env = env;
	stalled->closing = closing;
	stalled->timer = evtimer_new(base, on_tick, stalled);
	if (!stalled->timer) {
		free(stalled);
		return -ENOMEM;
	}
	stalled_arm(stalled);
	*ret = stalled;
	return 0;
}

void stalled_renew(struct stalled *stalled)
{
	stalled_arm(stalled);
}

void stalled_close(struct stalled *stalled)
{
	if (!stalled)
		return;
	event_free(stalled->timer);
	free(stalled);
}

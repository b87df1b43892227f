/* SPDX-License-Identifier: MIT */
/* Floor 4: the helper's loop: records from the ring, streams by cookie, time. */
#include "userspace-auth/helper.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include <bpf/libbpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "userspace-auth/closing.h"
#include "userspace-auth/stream.h"

#define HELPER_TICK_MS 5 /* how soon a waiting stream is looked at again */
#define HELPER_TURN 256	 /* records in one turn of the loop */

TAILQ_HEAD(stream_list, stream);

struct helper {
	struct stream_env env;
	struct closing closing;
	struct ring_buffer *ring;
	struct event *ring_event, *peer_event, *timer;
	unsigned int turn;	    /* records so far */
	void *streams;		    /* tsearch tree by cookie */
	struct stream_list reading; /* they need more bytes; the oldest first */
	struct stream_list waiting; /* they need time */
};

static int stream_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct stream *)a)->cookie, y = ((const struct stream *)b)->cookie;

	return x < y ? -1 : x > y;
}

static struct stream *stream_find(struct helper *helper, uint64_t cookie)
{
	struct stream key = { .cookie = cookie };
	struct stream **node = tfind(&key, &helper->streams, stream_compare);

	return node ? *node : NULL;
}

static struct stream *stream_new(struct helper *helper, const struct ask *ask)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->cookie = ask->cookie;
	stream->taken = ask->offset;
	stream->body = ask->request;
	stream->discard = ask->discard;
	if (!tsearch(stream, &helper->streams, stream_compare)) {
		free(stream);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&helper->reading, stream, link);
	return stream;
}

static void helper_arm(struct helper *helper)
{
	struct timeval tick = { .tv_usec = HELPER_TICK_MS * 1000 };

	if (TAILQ_EMPTY(&helper->waiting)) {
		/* Only the time-out of heads is left to watch. */
		tick.tv_sec = 1;
		tick.tv_usec = 0;
	}
	evtimer_add(helper->timer, &tick);
}

static struct stream_list *stream_list_of(struct helper *helper, const struct stream *stream)
{
	return stream->waiting ? &helper->waiting : &helper->reading;
}

static void stream_put(struct helper *helper, struct stream *stream, bool waiting)
{
	stream->waiting = waiting;
	TAILQ_INSERT_TAIL(stream_list_of(helper, stream), stream, link);
}

static void stream_end(struct helper *helper, struct stream *stream, enum request_reason reason)
{
	stream_mark_closed(&helper->env, stream->cookie, reason);
	closing_add(&helper->closing, stream->cookie);
	tdelete(stream, &helper->streams, stream_compare);
	stream_free(&helper->env, stream);
}

/* Runs a stream that stands in no list, and puts it where it belongs then. */
static void helper_run(struct helper *helper, struct stream *stream)
{
	switch (stream_run(&helper->env, stream)) {
	case STREAM_CLOSE: stream_end(helper, stream, REQUEST_ALLOWED); break;
	case STREAM_RETURNED:
		tdelete(stream, &helper->streams, stream_compare);
		stream_free(&helper->env, stream);
		break;
	case STREAM_WAIT:
		stream_put(helper, stream, true);
		helper_arm(helper);
		break;
	case STREAM_MORE: stream_put(helper, stream, false); break;
	}
}

static void helper_bytes(struct helper *helper, const struct ask *ask)
{
	struct stream *stream = stream_find(helper, ask->cookie);

	if (!stream && !ask->len)
		return; /* the end of what went back in the meantime */
	if (!stream && ask->first)
		stream = stream_new(helper, ask);
	if (!stream) {
		/* Ended here while these bytes were under way, or memory is short: they cannot be judged any more. */
		stream_mark_closed(&helper->env, ask->cookie, REQUEST_ALLOWED);
		closing_add(&helper->closing, ask->cookie);
		return;
	}
	stream->ended = stream->ended || ask->end;
	if (stream_append(&helper->env, stream, ask + 1, ask->len) < 0) {
		TAILQ_REMOVE(stream_list_of(helper, stream), stream, link);
		stream_end(helper, stream, REQUEST_HELPER_DOWN);
	} else if (!stream->waiting) {
		TAILQ_REMOVE(&helper->reading, stream, link);
		helper_run(helper, stream);
	}
}

static int on_ask(void *arg, void *data, size_t size)
{
	struct helper *helper = arg;
	const struct ask *ask = data;

	if (size < sizeof(*ask) || ask->len > size - sizeof(*ask))
		return 0;
	if (ask->kind == ASK_CLOSE)
		closing_add(&helper->closing, ask->cookie);
	else if (ask->helper_epoch == helper->env.helper_epoch)
		helper_bytes(helper, ask);
	/* An error ends this turn, the record being consumed: timers and the control socket must have theirs too. */
	return ++helper->turn % HELPER_TURN ? 0 : -EAGAIN;
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;

	(void)fd;
	(void)what;
	ring_buffer__consume(helper->ring);
}

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;

	(void)fd;
	(void)what;
	channel_drain(&helper->env.channel);
}

static bool stream_is_late(const struct stream *stream, int64_t limit_ms)
{
	return clock_ns(CLOCK_MONOTONIC) - stream->since >= limit_ms * 1000000;
}

/* Heads that are not complete in time: as if their clients had ended there. */
static void helper_expire_heads(struct helper *helper)
{
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&helper->reading); stream; stream = next) {
		next = TAILQ_NEXT(stream, link);
		if (!stream->len || !stream_is_late(stream, STREAM_HEAD_MS))
			continue;
		TAILQ_REMOVE(&helper->reading, stream, link);
		stream->ended = true;
		helper_run(helper, stream);
	}
}

static void helper_expire_waits(struct helper *helper)
{
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&helper->waiting); stream; stream = next) {
		next = TAILQ_NEXT(stream, link);
		if (!stream_is_late(stream, STREAM_WAIT_MS))
			continue;
		TAILQ_REMOVE(&helper->waiting, stream, link);
		stream_expire(&helper->env, stream);
		stream_end(helper, stream, REQUEST_ALLOWED);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;
	struct stream_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct stream *stream;

	(void)fd;
	(void)what;
	TAILQ_CONCAT(&waiting, &helper->waiting, link);
	while ((stream = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, stream, link);
		helper_run(helper, stream);
	}
	helper_expire_waits(helper);
	helper_expire_heads(helper);
	helper_arm(helper);
}

static int helper_events(struct helper *helper, struct event_base *base)
{
	helper->ring_event =
		event_new(base, ring_buffer__epoll_fd(helper->ring), EV_READ | EV_PERSIST, on_ring, helper);
	helper->peer_event = event_new(base, helper->env.channel.peer, EV_READ | EV_PERSIST, on_peer, helper);
	helper->timer = evtimer_new(base, on_tick, helper);
	if (!helper->ring_event || !helper->peer_event || !helper->timer)
		return -ENOMEM;
	if (event_add(helper->ring_event, NULL) || event_add(helper->peer_event, NULL))
		return -ENOMEM;
	helper_arm(helper);
	return 0;
}

static int helper_start(struct helper *helper, struct event_base *base)
{
	const struct maps *maps = helper->env.judge.maps;
	int r;

	r = closing_open(&helper->closing, maps, base);
	if (r < 0)
		return r;
	helper->ring = ring_buffer__new(maps->fd[MAP_ASKS], on_ask, helper, NULL);
	if (!helper->ring)
		return -errno;
	/* First the epoch, then the socket: what the kernel asks from now on bears our number. */
	helper->env.helper_epoch = __atomic_add_fetch(&maps->control->helper_epoch, 1, __ATOMIC_SEQ_CST);
	r = channel_open(maps, &helper->env.channel);
	if (r < 0)
		return r;
	r = helper_events(helper, base);
	if (r < 0)
		return r;
	closing_sweep(&helper->closing, helper->env.helper_epoch);
	ring_buffer__consume(helper->ring);
	return 0;
}

int helper_open(const struct maps *maps, int conn_update_fd, struct event_base *base, const struct config *config,
		struct helper **ret)
{
	struct helper *helper = calloc(1, sizeof(*helper));
	int r;

	if (!helper)
		return -ENOMEM;
	helper->env.channel = (struct channel)CHANNEL_EMPTY;
	helper->env.judge = (struct judge){ .maps = maps, .config = config };
	helper->env.conn_update = conn_update_fd;
	helper->closing.diag = -1;
	TAILQ_INIT(&helper->closing.list);
	TAILQ_INIT(&helper->reading);
	TAILQ_INIT(&helper->waiting);
	r = helper_start(helper, base);
	if (r < 0) {
		helper_close(helper);
		return r;
	}
	*ret = helper;
	return 0;
}

void helper_set_config(struct helper *helper, const struct config *config)
{
	helper->env.judge.config = config;
}

static void streams_free(struct helper *helper, struct stream_list *list)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, stream, link);
		tdelete(stream, &helper->streams, stream_compare);
		stream_free(&helper->env, stream);
	}
}

void helper_close(struct helper *helper)
{
	if (!helper)
		return;
	/* The socket leaves the map first: nothing more is asked of us. What we still hold is lost, its connections end. */
	channel_close(&helper->env.channel);
	streams_free(helper, &helper->reading);
	streams_free(helper, &helper->waiting);
	if (helper->ring_event)
		event_free(helper->ring_event);
	if (helper->peer_event)
		event_free(helper->peer_event);
	if (helper->timer)
		event_free(helper->timer);
	ring_buffer__free(helper->ring);
	closing_close(&helper->closing);
	free(helper);
}

/* SPDX-License-Identifier: MIT */
/* Floor 4: the helper's loop: records from the ring, streams by cookie, time. */
#include "userspace-auth/helper.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/libbpf.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "userspace-auth/closing.h"
#include "userspace-auth/settling.h"
#include "userspace-auth/stalled.h"
#include "userspace-auth/streams.h"

#define HELPER_TICK_MS 5    /* how soon a waiting stream is looked at again */
#define HELPER_IDLE_MS 1000 /* how soon time-outs are, when none waits */
#define HELPER_TURN_MS 5    /* work in one turn of the loop: then others have theirs */

struct helper {
	struct stream_env env;
	struct closing closing;
	struct ring_buffer *ring;
	struct stalled *stalled;
	struct settling *settling; /* NULL where the kernel has no iter_settle */
	struct event *ring_event, *peer_event, *timer, *ready_timer;
	int64_t turn; /* CLOCK_MONOTONIC, ns: when this turn of the loop began */
	int64_t tick; /* the same: when `timer` is due */
	struct streams streams;
};

static void turn_begin(struct helper *helper)
{
	helper->turn = clock_ns(CLOCK_MONOTONIC);
}

static bool turn_over(const struct helper *helper)
{
	return clock_ns(CLOCK_MONOTONIC) - helper->turn > HELPER_TURN_MS * NSEC_PER_MSEC;
}

/* Sees to it that the timer is due in `ms` at the latest. */
static void helper_arm(struct helper *helper, int ms)
{
	struct timeval tick = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	int64_t due = clock_ns(CLOCK_MONOTONIC) + ms * NSEC_PER_MSEC;

	if (helper->tick && helper->tick <= due)
		return;
	helper->tick = due;
	evtimer_add(helper->timer, &tick);
}

static void stream_end(struct helper *helper, struct stream *stream, enum request_reason reason)
{
	stream_mark_closed(&helper->env, stream->cookie, reason);
	closing_add(&helper->closing, stream->cookie);
	streams_forget(&helper->streams, &helper->env, stream);
}

/* Into the list where a stream belongs after its turn. since: stream->since when it was placed before. */
static void helper_place(struct helper *helper, struct stream *stream, int64_t since, enum stream_result result)
{
	static const struct timeval at_once = {};
	struct streams *streams = &helper->streams;

	if (stream->lags)
		settling_note(helper->settling, result != STREAM_CLOSE && result != STREAM_RETURNED);
	stream->lags = false;
	switch (result) {
	case STREAM_CLOSE: stream_end(helper, stream, REQUEST_ALLOWED); break;
	case STREAM_RETURNED: streams_forget(streams, &helper->env, stream); break;
	case STREAM_WAIT:
		streams_place(streams, stream, &streams->waiting, since);
		helper_arm(helper, HELPER_TICK_MS);
		break;
	case STREAM_AGAIN:
		streams_place(streams, stream, &streams->ready, since);
		evtimer_add(helper->ready_timer, &at_once);
		break;
	case STREAM_MORE: streams_place(streams, stream, &streams->reading, since); break;
	}
}

static void helper_run(struct helper *helper, struct stream *stream, int64_t since)
{
	helper_place(helper, stream, since, stream_run(&helper->env, stream));
}

/* The connection ends, unless nobody may end it: then it goes on without being judged. `len` bytes came and found no room. */
static void helper_give_up(struct helper *helper, struct stream *stream, int64_t since, enum request_reason reason,
			   const void *data, size_t len)
{
	enum stream_result result = stream_spare(&helper->env, stream, reason, data, len);

	if (result == STREAM_CLOSE)
		stream_end(helper, stream, reason);
	else
		helper_place(helper, stream, since, result);
}

/* Tells the kernel, by one store, when it should give us no more connections, and when again. */
static void helper_weigh(struct helper *helper)
{
	struct control *control = helper->env.judge.maps->control;
	uint64_t most = helper->env.judge.config->clients.max_held_bytes, held = helper->env.held;
	uint32_t overfull = held > most / 4 * 3 || (control->overfull && held >= most / 2);

	if (overfull != control->overfull)
		__atomic_store_n(&control->overfull, overfull, __ATOMIC_RELAXED);
}

static void helper_bytes(struct helper *helper, const struct ask *ask)
{
	struct stream *stream = streams_find(&helper->streams, ask->cookie);
	int64_t since;
	int r;

	if (!stream && !ask->len)
		return; /* the end of what went back in the meantime */
	if (!stream && ask->first)
		stream = streams_add(&helper->streams, ask);
	if (!stream) {
		/* Ended here while these bytes were under way, or memory is short: they cannot be judged any more. */
		stream_mark_closed(&helper->env, ask->cookie, REQUEST_ALLOWED);
		closing_add(&helper->closing, ask->cookie);
		return;
	}
	stream->ended = stream->ended || ask->end;
	stream->lags = stream->lags || ask->lags;
	since = stream->since;
	r = stream_append(&helper->env, stream, ask + 1, ask->len);
	if (r < 0)
		helper_give_up(helper, stream, since, r == -ENOBUFS ? REQUEST_BUSY : REQUEST_HELPER_DOWN, ask + 1,
			       ask->len);
	else if (stream->list == &helper->streams.reading)
		helper_run(helper, stream, since);
	else
		stream->since = since; /* it waits on */
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
	helper_weigh(helper);
	/* An error ends this turn, the record being consumed: timers and the control socket must have theirs too. */
	return turn_over(helper) ? -EAGAIN : 0;
}

static void on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;

	(void)fd;
	(void)what;
	turn_begin(helper);
	ring_buffer__consume(helper->ring);
}

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;

	(void)fd;
	(void)what;
	channel_drain(&helper->env.channel);
}

/* It has waited long enough for what is due before, or for bytes that are lost. */
static void helper_expired(struct helper *helper, struct stream *stream, int64_t since)
{
	enum stream_result result = STREAM_CLOSE;

	if (stream->list == &helper->streams.waiting)
		result = stream_spare(&helper->env, stream, REQUEST_TIMEOUT, NULL, 0);
	if (result != STREAM_CLOSE) {
		helper_place(helper, stream, since, result);
		return;
	}
	stream_expire(&helper->env, stream);
	stream_end(helper, stream, REQUEST_ALLOWED);
}

/* Of a list in the order of `since`. */
static void helper_expire(struct helper *helper, struct stream_list *list, int64_t limit_ms)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC), since;
	struct stream *stream;

	while ((stream = TAILQ_FIRST(list)) && now - stream->since >= limit_ms * NSEC_PER_MSEC && !turn_over(helper)) {
		since = stream->since;
		if (list == &helper->streams.reading && stream->len) {
			/* As if the client had ended there. */
			stream->ended = true;
			helper_run(helper, stream, since);
		} else {
			helper_expired(helper, stream, since);
		}
	}
}

/* As many as the turn allows; the next turn goes on behind them. */
static void helper_wait(struct helper *helper)
{
	struct streams *streams = &helper->streams;
	struct stream *stream = streams->next ?: TAILQ_FIRST(&streams->waiting);

	for (; stream && !turn_over(helper); stream = streams->next) {
		streams->next = TAILQ_NEXT(stream, link);
		helper_run(helper, stream, stream->since);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct helper *helper = arg;

	(void)fd;
	(void)what;
	turn_begin(helper);
	helper->tick = 0;
	helper_expire(helper, &helper->streams.reading, helper->env.judge.config->clients.head_timeout_s * 1000LL);
	helper_expire(helper, &helper->streams.waiting, STREAM_WAIT_MS);
	helper_wait(helper);
	helper_weigh(helper);
	helper_arm(helper, turn_over(helper)			   ? 0
			   : TAILQ_EMPTY(&helper->streams.waiting) ? HELPER_IDLE_MS
								   : HELPER_TICK_MS);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {};
	struct helper *helper = arg;
	struct stream *stream;

	(void)fd;
	(void)what;
	turn_begin(helper);
	while ((stream = TAILQ_FIRST(&helper->streams.ready)) && !turn_over(helper))
		helper_run(helper, stream, stream->since);
	helper_weigh(helper);
	if (!TAILQ_EMPTY(&helper->streams.ready))
		evtimer_add(helper->ready_timer, &at_once);
}

static int helper_events(struct helper *helper, struct event_base *base)
{
	helper->ring_event =
		event_new(base, ring_buffer__epoll_fd(helper->ring), EV_READ | EV_PERSIST, on_ring, helper);
	helper->peer_event = event_new(base, helper->env.channel.peer, EV_READ | EV_PERSIST, on_peer, helper);
	helper->timer = evtimer_new(base, on_tick, helper);
	helper->ready_timer = evtimer_new(base, on_ready, helper);
	if (!helper->ring_event || !helper->peer_event || !helper->timer || !helper->ready_timer)
		return -ENOMEM;
	if (event_add(helper->ring_event, NULL) || event_add(helper->peer_event, NULL))
		return -ENOMEM;
	helper_arm(helper, HELPER_IDLE_MS);
	return 0;
}

static int helper_start(struct helper *helper, const struct helper_fds *fds, struct event_base *base)
{
	const struct maps *maps = helper->env.judge.maps;
	int r;

	r = closing_open(&helper->closing, maps, fds->porter, base);
	if (r < 0)
		return r;
	helper->ring = ring_buffer__new(maps->fd[MAP_ASKS], on_ask, helper, NULL);
	if (!helper->ring)
		return -errno;
	/* Of what an earlier agent held, nothing is left. */
	__atomic_store_n(&maps->control->overfull, 0, __ATOMIC_RELAXED);
	/* First the epoch, then the socket: what the kernel asks from now on bears our number. */
	helper->env.helper_epoch = __atomic_add_fetch(&maps->control->helper_epoch, 1, __ATOMIC_SEQ_CST);
	r = channel_open(maps, &helper->env.channel);
	if (r < 0)
		return r;
	r = helper_events(helper, base);
	if (r < 0)
		return r;
	r = stalled_open(&helper->env, &helper->closing, base, &helper->stalled);
	if (r < 0)
		return r;
	r = settling_open(fds->iter_settle, base, &helper->settling);
	if (r < 0)
		return r;
	closing_sweep(&helper->closing, helper->env.helper_epoch);
	turn_begin(helper);
	ring_buffer__consume(helper->ring);
	return 0;
}

int helper_open(const struct maps *maps, const struct helper_fds *fds, struct event_base *base,
		const struct config *config, struct helper **ret)
{
	struct helper *helper = calloc(1, sizeof(*helper));
	int r;

	if (!helper)
		return -ENOMEM;
	helper->env.channel = (struct channel)CHANNEL_EMPTY;
	helper->env.judge = (struct judge){ .maps = maps, .config = config };
	helper->env.conn_update = fds->conn_update;
	closing_init(&helper->closing);
	streams_init(&helper->streams);
	r = helper_start(helper, fds, base);
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
	helper_weigh(helper);
	stalled_renew(helper->stalled);
}

void helper_close(struct helper *helper)
{
	if (!helper)
		return;
	/* The socket leaves the map first: nothing more is asked of us. What we still hold is lost, its connections end. */
	channel_close(&helper->env.channel);
	streams_free(&helper->streams, &helper->env);
	stalled_close(helper->stalled);
	settling_close(helper->settling);
	if (helper->ring_event)
		event_free(helper->ring_event);
	if (helper->peer_event)
		event_free(helper->peer_event);
	if (helper->timer)
		event_free(helper->timer);
	if (helper->ready_timer)
		event_free(helper->ready_timer);
	ring_buffer__free(helper->ring);
	closing_close(&helper->closing);
	free(helper);
}

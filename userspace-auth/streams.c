/* SPDX-License-Identifier: MIT */
/* Floor 4: finding, placing and forgetting the helper's streams. */
#include "userspace-auth/streams.h"

#include <search.h>
#include <stdlib.h>

#include "core/clock.h"

static int stream_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct stream *)a)->cookie, y = ((const struct stream *)b)->cookie;

	return x < y ? -1 : x > y;
}

void streams_init(struct streams *streams)
{
	*streams = (struct streams){};
	TAILQ_INIT(&streams->reading);
	TAILQ_INIT(&streams->waiting);
	TAILQ_INIT(&streams->ready);
}

struct stream *streams_find(struct streams *streams, uint64_t cookie)
{
	struct stream key = { .cookie = cookie };
	struct stream **node = tfind(&key, &streams->tree, stream_compare);

	return node ? *node : NULL;
}

struct stream *streams_add(struct streams *streams, const struct ask *ask)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->cookie = ask->cookie;
	stream->taken = ask->offset;
	stream->body = ask->request;
	stream->discard = ask->discard;
	stream->counted = 1;
	if (!tsearch(stream, &streams->tree, stream_compare)) {
		free(stream);
		return NULL;
	}
	stream->list = &streams->reading;
	TAILQ_INSERT_TAIL(stream->list, stream, link);
	return stream;
}

static void stream_leave(struct streams *streams, struct stream *stream)
{
	if (streams->next == stream)
		streams->next = TAILQ_NEXT(stream, link);
	TAILQ_REMOVE(stream->list, stream, link);
}

void streams_place(struct streams *streams, struct stream *stream, struct stream_list *list, int64_t since)
{
	if (list == stream->list && stream->since == since)
		return;
	stream_leave(streams, stream);
	if (list != stream->list)
		stream->since = clock_ns(CLOCK_MONOTONIC);
	stream->list = list;
	TAILQ_INSERT_TAIL(list, stream, link);
}

void streams_forget(struct streams *streams, struct stream_env *env, struct stream *stream)
{
	stream_leave(streams, stream);
	tdelete(stream, &streams->tree, stream_compare);
	stream_free(env, stream);
}

static void list_free(struct streams *streams, struct stream_env *env, struct stream_list *list)
{
	struct stream *stream;

	while ((stream = TAILQ_FIRST(list)))
		streams_forget(streams, env, stream);
}

void streams_free(struct streams *streams, struct stream_env *env)
{
	list_free(streams, env, &streams->reading);
	list_free(streams, env, &streams->waiting);
	list_free(streams, env, &streams->ready);
}

/* SPDX-License-Identifier: MIT */
/* Floor 4: the bytes of a stream: taken in, done with, handed on. */
#include "userspace-auth/stream_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static void stream_empty(struct stream_env *env, struct stream *stream)
{
	env->held -= stream->cap;
	free(stream->buf);
	stream->buf = NULL;
	stream->len = stream->cap = 0;
}

void stream_free(struct stream_env *env, struct stream *stream)
{
	stream_empty(env, stream);
	free(stream);
}

int stream_append(struct stream_env *env, struct stream *stream, const void *data, size_t len)
{
	size_t need = stream->len + len, cap = stream->cap ? stream->cap : 2048;
	uint8_t *buf;

	while (cap < need)
		cap *= 2;
	if (cap != stream->cap) {
		if (env->held + cap - stream->cap > env->judge.config->clients.max_held_bytes)
			return -ENOBUFS;
		buf = realloc(stream->buf, cap);
		if (!buf)
			return -ENOMEM;
		env->held += cap - stream->cap;
		stream->buf = buf;
		stream->cap = cap;
	}
	if (!stream->len)
		stream->since = clock_ns(CLOCK_MONOTONIC);
	memcpy(stream->buf + stream->len, data, len);
	stream->len += len;
	return 0;
}

void stream_take(struct stream_env *env, struct stream *stream, size_t n)
{
	memmove(stream->buf, stream->buf + n, stream->len - n);
	stream->len -= n;
	if (!stream->len)
		stream_empty(env, stream);
	stream->taken += n;
	stream->since = clock_ns(CLOCK_MONOTONIC);
	stream->scanned = 0;
}

int stream_hand(struct stream_env *env, struct stream *stream, size_t n)
{
	int r = channel_hand(&env->channel, stream->cookie, stream->buf, n);

	if (r < 0)
		return r;
	stream->handed += n;
	stream->passed += n;
	stream_take(env, stream, n);
	return 0;
}

int stream_pass(struct stream_env *env, struct stream *stream, const void *data, size_t len)
{
	int r = stream->len ? stream_hand(env, stream, stream->len) : 0;

	if (r == 0 && len)
		r = channel_hand(&env->channel, stream->cookie, data, len);
	if (r < 0)
		return r;
	stream->handed += len;
	stream->taken += len;
	stream->passed = 0; /* it is of no request */
	return 0;
}

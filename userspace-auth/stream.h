/* SPDX-License-Identifier: MIT */
/* Floor 4: one connection while the helper has it: bytes not yet dealt with, and how far HTTP is read. */
#ifndef MPBPF_AUTH_STREAM_H
#define MPBPF_AUTH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http1_body.h"
#include "userspace-auth/channel.h"
#include "userspace-auth/judge.h"

/* What all streams share. */
struct stream_env {
	struct channel channel;
	struct judge judge;
	int conn_update; /* the program that changes a connection; not owned */
	uint32_t helper_epoch;
	size_t held; /* bytes in all streams' buffers */
};

struct stream {
	TAILQ_ENTRY(stream) link;
	uint64_t cookie;
	uint64_t taken; /* bytes dealt with, of all that was ever asked of this connection */
	uint8_t *buf;	/* bytes asked and not dealt with */
	size_t len, cap;
	struct http1_body body; /* of the request under way */
	bool discard;		/* that body belongs to a denied request */
	bool waiting;		/* which list it stands in */
	bool ended;		/* nothing comes behind these bytes, or not in time */
	struct http1 head;	/* the head at the front, as far as it is read */
	size_t scanned;		/* bytes of it that were read */
	uint32_t denied;	/* enum request_reason of the front, while that answer is under way; or 0 */
	size_t answered;	/* bytes of that answer that are out */
	size_t handed;		/* bytes handed back at a stretch */
	uint32_t passed;	/* of those, bytes that the kernel was not told of yet */
	uint32_t retry_s;	/* over a limit: when there is room again */
	int64_t since;		/* CLOCK_MONOTONIC ns when the bytes at the front came */
};

enum stream_result {
	STREAM_RETURNED, /* the kernel has the connection back: free the stream */
	STREAM_MORE,	 /* needs more bytes from the client */
	STREAM_WAIT,	 /* needs time: for a response that is due first, for the client to read, for the service */
	STREAM_CLOSE,	 /* end the connection, then free the stream */
};

#define STREAM_HELD_MAX (64u << 20) /* bytes in all streams; above it a connection that wants more is closed */
#define STREAM_HEAD_MS 10000	    /* a head must be complete by then: 408 */
#define STREAM_WAIT_MS 60000	    /* a response that is due must be complete by then */

void stream_free(struct stream_env *env, struct stream *stream);
/* Takes bytes in. Returns 0, or -ENOMEM/-ENOBUFS: end the connection. */
int stream_append(struct stream_env *env, struct stream *stream, const void *data, size_t len);
/* Deals with as many bytes as can be dealt with now. */
enum stream_result stream_run(struct stream_env *env, struct stream *stream);
/* The time is up: answers what is owed where that is possible. The connection ends. */
void stream_expire(struct stream_env *env, struct stream *stream);
/* Marks a connection closed, counting `reason` unless it is REQUEST_ALLOWED. */
void stream_mark_closed(struct stream_env *env, uint64_t cookie, enum request_reason reason);

#endif

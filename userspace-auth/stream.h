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
	size_t held; /* bytes of all streams' buffers */
};

struct stream {
	TAILQ_ENTRY(stream) link;
	struct stream_list *list; /* of the helper, that it stands in */
	uint64_t cookie;
	uint64_t taken; /* bytes dealt with, of all that was ever asked of this connection */
	uint8_t *buf;	/* bytes asked and not dealt with */
	size_t len, cap;
	struct http1_body body; /* of the request under way */
	bool discard;		/* that body belongs to a denied request */
	bool ended;		/* nothing comes behind these bytes, or not in time */
	bool tunnel;		/* nothing is judged any more: HTTP has ended, or its framing is lost on a dry run */
	struct http1 head;	/* the head at the front, as far as it is read */
	size_t scanned;		/* bytes of it that were read */
	uint32_t denied;	/* enum request_reason of the front, while that answer is under way; or 0 */
	size_t answered;	/* bytes of that answer that are out */
	size_t handed;		/* bytes handed back at a stretch */
	uint32_t passed;	/* of those, bytes that the kernel was not told of yet */
	uint32_t retry_s;	/* over a limit: when there is room again */
	uint32_t heads;		/* heads that were begun */
	uint32_t counted;	/* of those, how many counted against what the source may ask */
	bool over_asks;		/* the last of them was one too many */
	uint32_t acked;		/* while it waits: up to where the client had acknowledged the responses */
	bool lags;		/* its poll() may announce bytes that were taken away, see settling.h */
	int64_t since;		/* CLOCK_MONOTONIC, ns: when the bytes at the front came, or from when on it waits */
};

enum stream_result {
	STREAM_RETURNED, /* the kernel has the connection back: free the stream */
	STREAM_MORE,	 /* needs more bytes from the client */
	STREAM_WAIT,	 /* needs time: for a response that is due first, for the client to read, for the service */
	STREAM_AGAIN,	 /* more could be done at once, when others have had their turn */
	STREAM_CLOSE,	 /* end the connection, then free the stream */
};

#define STREAM_STEPS 32	     /* heads and pieces of bodies at a time */
#define STREAM_WAIT_MS 60000 /* so long may a response stand still that is due first */

/* Runs conn_update on a connection. Returns op->result, or -errno of the call. */
int conn_op(struct stream_env *env, uint64_t cookie, struct conn_op *op);

void stream_free(struct stream_env *env, struct stream *stream);
/* Takes bytes in. Returns 0, or -ENOMEM, or -ENOBUFS: over clients.max_held_bytes; then see stream_spare(). */
int stream_append(struct stream_env *env, struct stream *stream, const void *data, size_t len);
/* Deals with as many bytes as can be dealt with now, but for STREAM_AGAIN. */
enum stream_result stream_run(struct stream_env *env, struct stream *stream);
/*
 * The stream must go on without being judged, for `reason`; `len` bytes behind what it has were not taken in. As stream_run(), with
 * everything handed on, if that may be, as on a dry run; else STREAM_CLOSE.
 */
enum stream_result stream_spare(struct stream_env *env, struct stream *stream, enum request_reason reason,
				const void *data, size_t len);
/* The time is up: answers what is owed where that is possible. The connection ends. */
void stream_expire(struct stream_env *env, struct stream *stream);
/* Marks a connection closed, counting `reason` unless it is REQUEST_ALLOWED. */
void stream_mark_closed(struct stream_env *env, uint64_t cookie, enum request_reason reason);

#endif

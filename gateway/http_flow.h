/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: one direction of an HTTP connection through the gateway: what was read and has not gone on, up to where the message
 * reaches in it, and a head that goes before. Buffers are there only while they hold something.
 *
 * The owner reads only when nothing is pending, but for what he may have to look at (a head, the next request); so a side that
 * does not read stops the other one from sending.
 */
#ifndef MPBPF_GATEWAY_HTTP_FLOW_H
#define MPBPF_GATEWAY_HTTP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "http1_body.h"

#define HTTP_BUFFER (16 << 10)
#define HTTP_BUFFER_LARGE (64 << 10) /* for long bodies, and heads that do not fit into the other */
#define HTTP_BUFFERS_IDLE 256	     /* kept for reuse, of each size, by all workers */

struct http_buffer {
	size_t size;
	SLIST_ENTRY(http_buffer) link;
	uint8_t data[]; /* and the slack that http1.h asks for */
};

struct http_buffers {
	size_t most; /* kept, of each size */
	struct {
		SLIST_HEAD(, http_buffer) idle;
		size_t n_idle;
	} of[2]; /* HTTP_BUFFER, HTTP_BUFFER_LARGE */
};

void http_buffers_init(struct http_buffers *buffers, size_t most);
void http_buffers_close(struct http_buffers *buffers);

/* A connection's end: what the kernel said of it last. */
struct http_peer {
	int fd;
	bool readable, writable; /* until the kernel said otherwise */
	bool closed;		 /* it sends no more: what it sent before may wait still */
};

struct http_flow {
	struct http_buffer *in, *out;
	size_t start, end; /* in `in`: what was read and has not gone on */
	size_t raw;	   /* of that, so many bytes go on as they are */
	size_t sent, head; /* in `out`: of `head` bytes so many have gone on, before all of `raw` */
	bool bulk;	   /* a large buffer was worth its memory */
	struct http1_body body;
};

/*
 * flow_read - reads what is there, as far as there is room
 *
 * Returns bytes; 0: the end; -EAGAIN: nothing is there; -ENOBUFS: the buffer is full; -ENOMEM; -errno of the socket.
 */
ssize_t flow_read(struct http_flow *flow, struct http_buffers *buffers, struct http_peer *from);

/* Makes the full buffer a larger one. 0, -ENOBUFS: it is as large as it gets; -ENOMEM. */
int flow_grow(struct http_flow *flow, struct http_buffers *buffers);

/* Room for a head of `len` bytes behind what `out` holds; NULL: out of memory. flow_head() says how many were written. */
uint8_t *flow_head_room(struct http_flow *flow, struct http_buffers *buffers, size_t len);
static inline void flow_head(struct http_flow *flow, size_t len)
{
	flow->head += len;
}

/* Makes the body's bytes that were read go on. 1: the body ends there; 0: more of it is to come; -1: it is malformed. */
int flow_body(struct http_flow *flow);

/* What was read and belongs to nothing yet. */
static inline uint8_t *flow_data(const struct http_flow *flow)
{
	return flow->in->data + flow->start + flow->raw;
}

static inline size_t flow_len(const struct http_flow *flow)
{
	return flow->end - flow->start - flow->raw;
}

/* It does not go on. raw must be 0. */
static inline void flow_skip(struct http_flow *flow, size_t n)
{
	flow->start += n;
}

static inline size_t flow_pending(const struct http_flow *flow)
{
	return flow->head - flow->sent + flow->raw;
}

/* Sends what is pending, or a part. Returns bytes, or -errno; -EAGAIN: there is no room. */
ssize_t flow_send(struct http_flow *flow, struct http_peer *to);

/* Gives back what holds nothing. `out` is kept until flow_forget(): the head may have to be sent again. */
void flow_settle(struct http_flow *flow, struct http_buffers *buffers);
void flow_forget(struct http_flow *flow, struct http_buffers *buffers);
/* Throws all away. */
void flow_clear(struct http_flow *flow, struct http_buffers *buffers);

#endif

// SPDX-License-Identifier: MIT
/* Floor 4: one direction of an HTTP connection through the gateway. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/util.h"
#include "gateway/http_flow.h"

#define SLACK (sizeof(((struct http1_buf *)0)->slack))

/* ---- buffers ---- */

static const size_t sizes[] = { HTTP_BUFFER, HTTP_BUFFER_LARGE };

void http_buffers_init(struct http_buffers *buffers, size_t most)
{
	memset(buffers, 0, sizeof(*buffers));
	buffers->most = most;
}

void http_buffers_close(struct http_buffers *buffers)
{
	for (size_t i = 0; i < ARRAY_SIZE(buffers->of); i++) {
		while (!SLIST_EMPTY(&buffers->of[i].idle)) {
			struct http_buffer *buffer = SLIST_FIRST(&buffers->of[i].idle);

			SLIST_REMOVE_HEAD(&buffers->of[i].idle, link);
			free(buffer);
		}
		buffers->of[i].n_idle = 0;
	}
}

static struct http_buffer *buffer_take(struct http_buffers *buffers, bool large)
{
	struct http_buffer *buffer = SLIST_FIRST(&buffers->of[large].idle);

	if (buffer) {
		SLIST_REMOVE_HEAD(&buffers->of[large].idle, link);
		buffers->of[large].n_idle--;
		return buffer;
	}
	buffer = malloc(sizeof(*buffer) + sizes[large] + SLACK);
	if (buffer)
		buffer->size = sizes[large];
	return buffer;
}

static void buffer_give(struct http_buffers *buffers, struct http_buffer *buffer)
{
	bool large = buffer && buffer->size == HTTP_BUFFER_LARGE;

	if (!buffer)
		return;
	if (buffers->of[large].n_idle >= buffers->most) {
		free(buffer);
		return;
	}
	SLIST_INSERT_HEAD(&buffers->of[large].idle, buffer, link);
	buffers->of[large].n_idle++;
}

/* ---- reading ---- */

/* What is left moves to the front when it is at the end, so that there is room behind it. */
static int flow_room(struct http_flow *flow, struct http_buffers *buffers)
{
	if (flow->start == flow->end) {
		if (flow->in && flow->bulk && flow->in->size < HTTP_BUFFER_LARGE)
			buffer_give(buffers, TAKE_PTR(flow->in));
		if (!flow->in)
			flow->in = buffer_take(buffers, flow->bulk);
		flow->start = flow->end = 0;
		return flow->in ? 0 : -ENOMEM;
	}
	if (flow->end < flow->in->size)
		return 0;
	if (!flow->start)
		return -ENOBUFS;
	memmove(flow->in->data, flow->in->data + flow->start, flow->end - flow->start);
	flow->end -= flow->start;
	flow->start = 0;
	return 0;
}

ssize_t flow_read(struct http_flow *flow, struct http_buffers *buffers, struct http_peer *from)
{
	int r = flow_room(flow, buffers);
	size_t room;
	ssize_t n;

	if (r < 0)
		return r;
	room = flow->in->size - flow->end;
	do
		n = recv(from->fd, flow->in->data + flow->end, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			from->readable = false;
		return -errno;
	}
	flow->end += n;
	/* That is all there was; of what comes then, and of an end that was not told yet, the kernel tells. */
	if ((size_t)n < room && !from->closed)
		from->readable = false;
	flow->bulk |= (size_t)n == room && room >= HTTP_BUFFER;
	return n;
}

int flow_grow(struct http_flow *flow, struct http_buffers *buffers)
{
	struct http_buffer *larger;

	if (flow->in->size == HTTP_BUFFER_LARGE)
		return -ENOBUFS;
	larger = buffer_take(buffers, true);
	if (!larger)
		return -ENOMEM;
	flow->end -= flow->start;
	memcpy(larger->data, flow->in->data + flow->start, flow->end);
	flow->start = 0;
	buffer_give(buffers, flow->in);
	flow->in = larger;
	return 0;
}

/* ---- what goes on ---- */

uint8_t *flow_head_room(struct http_flow *flow, struct http_buffers *buffers, size_t len)
{
	struct http_buffer *out = flow->out;

	if (out && out->size - flow->head >= len)
		return out->data + flow->head;
	out = buffer_take(buffers, (out ? flow->head : 0) + len > HTTP_BUFFER);
	if (!out || out->size < flow->head + len) {
		buffer_give(buffers, out);
		return NULL;
	}
	if (flow->out)
		memcpy(out->data, flow->out->data, flow->head);
	buffer_give(buffers, flow->out);
	flow->out = out;
	return out->data + flow->head;
}

static int body_chunked(struct http_flow *flow)
{
	struct http1_body *body = &flow->body;
	int r;

	while (flow_len(flow)) {
		if (http1_body_plain(body)) {
			size_t n = flow_len(flow) < body->left ? flow_len(flow) : body->left;

			http1_body_skip(body, n);
			flow->raw += n;
			continue;
		}
		r = http1_chunk_byte(body, *flow_data(flow));
		if (r < 0)
			return r;
		flow->raw++;
		if (r)
			return 1;
	}
	return 0;
}

int flow_body(struct http_flow *flow)
{
	size_t n = flow_len(flow);

	switch (flow->body.kind) {
	case BODY_NONE: return 1;
	case BODY_CHUNKED: return body_chunked(flow);
	case BODY_LENGTH:
		if (n > flow->body.left)
			n = flow->body.left;
		flow->raw += n;
		http1_body_skip(&flow->body, n);
		return flow->body.kind == BODY_NONE;
	default: flow->raw += n; return 0;
	}
}

static void flow_sent(struct http_flow *flow, size_t n)
{
	size_t head = flow->head - flow->sent;

	if (n < head)
		head = n;
	flow->sent += head;
	flow->raw -= n - head;
	flow->start += n - head;
}

ssize_t flow_send(struct http_flow *flow, struct http_peer *to)
{
	struct iovec parts[2];
	struct msghdr message = { .msg_iov = parts };
	ssize_t n;

	if (flow->head > flow->sent)
		parts[message.msg_iovlen++] = (struct iovec){ flow->out->data + flow->sent, flow->head - flow->sent };
	if (flow->raw)
		parts[message.msg_iovlen++] = (struct iovec){ flow->in->data + flow->start, flow->raw };
	do
		n = sendmsg(to->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			to->writable = false;
		return -errno;
	}
	flow_sent(flow, n);
	return n;
}

/* ---- the end ---- */

void flow_settle(struct http_flow *flow, struct http_buffers *buffers)
{
	if (!flow->in || flow->start < flow->end)
		return;
	buffer_give(buffers, TAKE_PTR(flow->in));
	flow->start = flow->end = 0;
}

void flow_forget(struct http_flow *flow, struct http_buffers *buffers)
{
	buffer_give(buffers, TAKE_PTR(flow->out));
	flow->sent = flow->head = 0;
}

void flow_clear(struct http_flow *flow, struct http_buffers *buffers)
{
	flow_forget(flow, buffers);
	flow->start = flow->end;
	flow->raw = 0;
	flow->bulk = false;
	flow_settle(flow, buffers);
	flow->body = (struct http1_body){};
}

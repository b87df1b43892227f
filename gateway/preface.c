// SPDX-License-Identifier: MIT
/* Floor 4: PROXY headers of relayed connections: the one that the client begins with, and the one that the endpoint gets. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <event2/event.h>

#include "gateway/session.h"
#include "gateway/unique_id.h"

/* ---- from the client ---- */

static void value_keep(struct proxy_value *value, uint8_t *to, size_t max)
{
	if (value->len > max)
		value->len = 0;
	memcpy(to, value->data ?: to, value->len);
	value->data = to;
}

/* The values lie in `data`, which what follows the header takes next. */
static void header_keep(struct session *session, const struct proxy_header *header)
{
	struct session_opening *opening = session->opening;

	opening->header = *header;
	value_keep(&opening->header.authority, opening->values, PROXY_AUTHORITY_MAX);
	value_keep(&opening->header.unique_id, opening->values + PROXY_AUTHORITY_MAX, PROXY_UNIQUE_ID_MAX);
	if (!header->known)
		return;
	session->source = (struct place){ .addr = header->source, .port = header->source_port };
	session->destination = (struct place){ .addr = header->destination, .port = header->destination_port };
}

/* Returns 0: the header is there and behind us; -EAGAIN; -EBADMSG. */
static int preface_take(struct session *session)
{
	struct session_opening *opening = session->opening;
	struct proxy_header header;
	size_t len, head;
	int r;

	r = proxy_decode(opening->data, opening->len, &header, &len);
	if (r < 0)
		return r;
	header_keep(session, &header);
	head = len < opening->len ? len : opening->len;
	opening->skip = len - head;
	opening->len -= head;
	memmove(opening->data, opening->data + head, opening->len);
	return opening->skip ? -EAGAIN : 0;
}

/* As proxy_decode() does, with what came just now. */
static int preface_more(struct session *session)
{
	struct session_opening *opening = session->opening;
	size_t room = opening->skip && opening->skip < PROXY_READ_MAX ? opening->skip : PROXY_READ_MAX - opening->len;
	ssize_t n = recv(session->client, opening->data + opening->len, room, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EBADMSG;
	if (n == 0)
		return -EBADMSG;
	if (opening->skip) {
		opening->skip -= n;
		return opening->skip ? -EAGAIN : 0;
	}
	opening->len += n;
	return preface_take(session);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct session *session = data;
	int r;

	(void)fd;
	(void)what;
	r = preface_more(session);
	if (r == -EAGAIN)
		return;
	event_del(&session->opening->event);
	event_del(&session->opening->timer);
	if (r < 0)
		session_refuse(session, REFUSED_BAD_PROXY);
	else
		session_connect(session);
}

static void on_timeout(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	session_refuse(data, REFUSED_BAD_PROXY);
}

void preface_await(struct session *session)
{
	const struct gateway *gateway = session->worker->gateway;
	const struct timeval timeout = { .tv_sec = gateway->config->clients.head_timeout_s };
	struct session_opening *opening = session->opening;

	loop_event(session->worker->base, &opening->event, session->client, EV_READ | EV_PERSIST, on_readable, session);
	loop_event(session->worker->base, &opening->timer, -1, 0, on_timeout, session);
	if (event_add(&opening->event, NULL) < 0 || event_add(&opening->timer, &timeout) < 0)
		session_refuse(session, REFUSED_RESOURCES);
}

/* ---- to the endpoint ---- */

/* One that came with the client's header stays: it names the connection all the way. Returns the length or -errno. */
static ssize_t header_write(const struct session *session, uint8_t *out)
{
	const struct service_config *service = session->upstream->backend->service;
	struct proxy_header header = session->opening->header;
	char id[UNIQUE_ID_LEN];
	int r;

	if (service->proxy_protocol == PROXY_OFF)
		return 0;
	header.version = service->proxy_protocol == PROXY_V1 ? 1 : 2;
	header.known = true;
	header.source = session->source.addr;
	header.source_port = session->source.port;
	header.destination = session->destination.addr;
	header.destination_port = session->destination.port;
	if (service->proxy_unique_id && !header.unique_id.len) {
		r = unique_id_make(id);
		if (r < 0)
			return r;
		header.unique_id = (struct proxy_value){ .data = (uint8_t *)id, .len = sizeof(id) };
	}
	return proxy_encode(&header, out);
}

/* At once: a connection that has just been made has room for more than this. */
int preface_send(const struct session *session)
{
	const struct session_opening *opening = session->opening;
	uint8_t header[PROXY_READ_MAX];
	struct iovec parts[2] = { { .iov_base = header },
				  { .iov_base = (void *)opening->data, .iov_len = opening->len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;

	/* A reload took the service away meanwhile: nobody knows any more which header it wants. */
	if (!session->upstream->backend->service)
		return -ESTALE;
	n = header_write(session, header);
	if (n < 0)
		return n;
	parts[0].iov_len = n;
	if (!parts[0].iov_len && !parts[1].iov_len)
		return 0;
	n = sendmsg(session->server, &message, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == parts[0].iov_len + parts[1].iov_len ? 0 : -EIO;
}

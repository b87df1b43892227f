// SPDX-License-Identifier: MIT
/* Floor 4: health checks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/backend.h"
#include "gateway/probe.h"
#include "gateway/proxy_protocol.h"

#define STATUS_LINE 13 /* "HTTP/1.1 200 " */

struct probe {
	struct upstream *upstream;
	struct event timer; /* the next try, or the time-out of this one */
	struct event event; /* of the socket */
	int fd;		    /* -1: no try is under way */
	char answer[STATUS_LINE];
	size_t len;
};

static const struct health_config *health_of(const struct probe *probe)
{
	return &probe->upstream->backend->service->health;
}

static struct timeval from_ms(uint32_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static void probe_end(struct probe *probe, bool ok, const char *why)
{
	const struct timeval interval = from_ms(health_of(probe)->interval_ms);

	if (probe->fd >= 0)
		event_del(&probe->event);
	close_fd(&probe->fd);
	event_add(&probe->timer, &interval);
	upstream_report(probe->upstream, ok, why);
}

/* Who asks is the gateway itself: version 1 has no other way to say so than the addresses of the connection. */
static size_t proxy_header(const struct probe *probe, uint8_t *out)
{
	enum proxy_protocol version = probe->upstream->backend->service->proxy_protocol;
	struct proxy_header header = { .version = version == PROXY_V1 ? 1 : 2, .known = version == PROXY_V1 };
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);
	struct place place;

	if (version == PROXY_OFF || getsockname(probe->fd, (struct sockaddr *)&self, &len) < 0)
		return 0;
	place_from(&self, &place);
	header.source = place.addr;
	header.source_port = place.port;
	header.destination = probe->upstream->place.addr;
	header.destination_port = probe->upstream->place.port;
	return proxy_encode(&header, out);
}

/* In one piece: a connection that has just been made has room for it. */
static int probe_ask(struct probe *probe)
{
	const struct health_config *health = health_of(probe);
	char text[PROXY_READ_MAX + 1400], place[PLACE_TEXT_MAX];
	size_t len = proxy_header(probe, (uint8_t *)text);

	if (health->type == HEALTH_HTTP) {
		place_text(&probe->upstream->place, place);
		len += snprintf(text + len, sizeof(text) - len,
				"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mpbpf\r\nConnection: close\r\n\r\n",
				health->path, place);
	}
	if (len && send(probe->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		return errno ? -errno : -EIO;
	return 0;
}

/* "HTTP/1." DIGIT SP STATUS SP: what it says behind does not matter. */
static bool answer_is_good(const char *answer)
{
	const char *s = answer + 9;

	return !memcmp(answer, "HTTP/1.", 7) && answer[7] >= '0' && answer[7] <= '9' && answer[8] == ' ' &&
	       (s[0] == '2' || s[0] == '3') && s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9' &&
	       (s[3] == ' ' || s[3] == '\r');
}

static void probe_read(struct probe *probe)
{
	ssize_t n = recv(probe->fd, probe->answer + probe->len, STATUS_LINE - probe->len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		probe_end(probe, false, n < 0 ? strerror(errno) : "it ends the connection without an answer");
		return;
	}
	probe->len += n;
	if (probe->len < STATUS_LINE)
		return;
	if (answer_is_good(probe->answer))
		probe_end(probe, true, NULL);
	else
		probe_end(probe, false, "its answer is no status from 200 to 399");
}

static int probe_await(struct probe *probe, short what, event_callback_fn function)
{
	if (loop_event(probe->upstream->backend->gateway->base, &probe->event, probe->fd, what, function, probe) < 0 ||
	    event_add(&probe->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	probe_read(data);
}

static void on_connected(evutil_socket_t fd, short what, void *data)
{
	struct probe *probe = data;
	int r;

	(void)what;
	r = -socket_error(fd);
	if (r == 0)
		r = probe_ask(probe);
	if (r == 0 && health_of(probe)->type == HEALTH_TCP) {
		probe_end(probe, true, NULL);
		return;
	}
	event_del(&probe->event);
	if (r == 0)
		r = probe_await(probe, EV_READ | EV_PERSIST, on_readable);
	if (r < 0)
		probe_end(probe, false, strerror(-r));
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	const struct timeval timeout = from_ms(health_of(data)->timeout_ms);
	struct probe *probe = data;
	int r;

	(void)fd;
	(void)what;
	if (probe->fd >= 0) {
		probe_end(probe, false, "it takes no connection, or does not answer, in time");
		return;
	}
	probe->len = 0;
	event_add(&probe->timer, &timeout);
	probe->fd = r = gateway_connect(probe->upstream->backend->gateway, &probe->upstream->place, true);
	if (r >= 0)
		r = probe_await(probe, EV_WRITE, on_connected);
	/* Descriptors and the like are ours to lack. */
	if (r < 0)
		probe_end(probe, r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS, strerror(-r));
}

struct probe *probe_open(struct upstream *upstream)
{
	const struct timeval at_once = {};
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->upstream = upstream;
	probe->fd = -1;
	loop_event(upstream->backend->gateway->base, &probe->timer, -1, 0, on_timer, probe);
	event_add(&probe->timer, &at_once);
	return probe;
}

void probe_close(struct probe *probe)
{
	if (!probe)
		return;
	event_del(&probe->timer);
	if (probe->fd >= 0)
		event_del(&probe->event);
	close_fd(&probe->fd);
	free(probe);
}

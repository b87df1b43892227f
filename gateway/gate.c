// SPDX-License-Identifier: MIT
/* Floor 4: a gateway's listener: accepts, or does not for a while. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/http.h"
#include "gateway/session.h"

#define ACCEPT_TURN 64 /* connections; then others have their turn */
#define PAUSE_MS 100   /* without descriptors, before it is tried again */

/* The queue keeps what comes meanwhile. */
static void gate_pause(struct gate *gate)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };

	gateway_note_limit(gate->gateway);
	event_del(&gate->event);
	event_add(&gate->resume, &pause);
}

/* Returns 0, or -errno: nothing can be accepted now. What failed before it was accepted (ECONNABORTED) is nobody's. */
static int gate_accept(struct gate *gate)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(gate->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR || errno == EPROTO ? 0 : -errno;
	gate->accepted++;
	if (gate->gateway->config->listeners[gate->index].protocol == LISTENER_HTTP)
		http_accept(gate, fd, &peer);
	else
		session_accept(gate, fd, &peer);
	return 0;
}

static void on_connection(evutil_socket_t fd, short what, void *data)
{
	struct gate *gate = data;
	int i, r = 0;

	(void)fd;
	(void)what;
	for (i = 0; i < ACCEPT_TURN && r == 0; i++)
		r = gate_accept(gate);
	if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM)
		gate_pause(gate);
}

static void on_resume(evutil_socket_t fd, short what, void *data)
{
	struct gate *gate = data;

	(void)fd;
	(void)what;
	event_add(&gate->event, NULL);
}

int gate_start(struct gate *gate)
{
	if (gateway_event(gate->gateway, &gate->event, gate->fd, EV_READ | EV_PERSIST, on_connection, gate) < 0 ||
	    gateway_event(gate->gateway, &gate->resume, -1, 0, on_resume, gate) < 0 ||
	    event_add(&gate->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Whoever has shaken hands is served still: closing the socket would reset them. Who comes meanwhile need not be. */
void gate_stop(struct gate *gate)
{
	int left = SOMAXCONN;

	if (gate->fd < 0)
		return;
	while (left-- > 0 && gate_accept(gate) == 0)
		;
	event_del(&gate->event);
	event_del(&gate->resume);
	close_fd(&gate->fd);
}

void gate_settle(struct gate *gate)
{
	if (!gate->gone || !TAILQ_EMPTY(&gate->sessions) || !TAILQ_EMPTY(&gate->clients))
		return;
	TAILQ_REMOVE(&gate->gateway->gates, gate, link);
	free(gate->name);
	free(gate);
}

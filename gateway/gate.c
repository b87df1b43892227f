// SPDX-License-Identifier: MIT
/* Floor 4: a gateway's listener: accepts, or does not for a while. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/gateway_internal.h"

#define ACCEPT_TURN 64 /* connections; then others have their turn */
#define PAUSE_MS 100   /* without descriptors, before it is tried again */

/* The queue keeps what comes meanwhile. */
static void gate_pause(struct gate *gate)
{
	static const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };

	gateway_note_limit(gate->gateway);
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		if (gate->fds[i] >= 0)
			event_del(&gate->events[i]);
	event_add(&gate->resume, &pause);
}

/*
 * Returns the socket, or -errno: -ECONNABORTED: it was over before it was accepted, and is nobody's; another: nothing can be
 * accepted now.
 */
static int gate_accept(struct gate *gate, int listening, struct sockaddr_storage *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);
	int fd = accept4(listening, (struct sockaddr *)ret_peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		gate_share(gate, gate->acceptor)->counts.accepted++;
		return fd;
	}
	return errno == EINTR || errno == EPROTO ? -ECONNABORTED : -errno;
}

static void on_connection(evutil_socket_t fd, short what, void *data)
{
	struct sockaddr_storage peer;
	struct gate *gate = data;
	int i, r = 0;

	(void)what;
	for (i = 0; i < ACCEPT_TURN && (r >= 0 || r == -ECONNABORTED); i++) {
		r = gate_accept(gate, fd, &peer);
		if (r >= 0)
			worker_share(gate->acceptor, gate, r, &peer);
	}
	if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM)
		gate_pause(gate);
}

static int gate_listen(struct gate *gate)
{
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		if (gate->fds[i] >= 0 && event_add(&gate->events[i], NULL) < 0)
			return -ENOMEM;
	return 0;
}

static void on_resume(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	gate_listen(data);
}

int gate_start(struct gate *gate)
{
	struct gateway *gateway = gate->gateway;
	struct event_base *base;

	gate->acceptor = &gateway->workers[gateway->n_gates++ % gateway->n_workers];
	base = gate->acceptor->base;
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		if (loop_event(base, &gate->events[i], gate->fds[i], EV_READ | EV_PERSIST, on_connection, gate) < 0)
			return -ENOMEM;
	if (loop_event(base, &gate->resume, -1, 0, on_resume, gate) < 0)
		return -ENOMEM;
	return gate_listen(gate);
}

void gate_close(struct gate *gate)
{
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++) {
		if (gate->fds[i] >= 0)
			event_del(&gate->events[i]);
		close_fd(&gate->fds[i]);
	}
	event_del(&gate->resume);
}

static void accept_rest(struct gate *gate, int listening)
{
	struct sockaddr_storage peer;
	int left = SOMAXCONN, r = 0;

	while (left-- > 0 && (r >= 0 || r == -ECONNABORTED)) {
		r = gate_accept(gate, listening, &peer);
		if (r >= 0)
			workers_take(gate->gateway, gate, r, &peer);
	}
}

/* Whoever has shaken hands is served still: closing the socket would reset them. Who comes meanwhile need not be. */
void gate_stop(struct gate *gate)
{
	if (gate->fds[0] < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(gate->fds); i++)
		if (gate->fds[i] >= 0)
			accept_rest(gate, gate->fds[i]);
	gate_close(gate);
}

static bool gate_is_used(const struct gate *gate)
{
	bool used = false;

	for (size_t i = 0; i < gate->gateway->n_workers; i++)
		used |= !TAILQ_EMPTY(&gate->shares[i].sessions) || !TAILQ_EMPTY(&gate->shares[i].clients);
	return used;
}

void gates_settle(struct gateway *gateway)
{
	struct gate *gate, *next;

	for (gate = TAILQ_FIRST(&gateway->gates); gate; gate = next) {
		next = TAILQ_NEXT(gate, link);
		if (!gate->gone || gate_is_used(gate))
			continue;
		TAILQ_REMOVE(&gateway->gates, gate, link);
		free(gate->name);
		free(gate);
	}
}

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
	event_del(&gate->event);
	event_add(&gate->resume, &pause);
}

/*
 * Returns the socket, or -errno: -ECONNABORTED: it was over before it was accepted, and is nobody's; another: nothing can be
 * accepted now.
 */
static int gate_accept(struct gate *gate, struct sockaddr_storage *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);
	int fd = accept4(gate->fd, (struct sockaddr *)ret_peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

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

	(void)fd;
	(void)what;
	for (i = 0; i < ACCEPT_TURN && (r >= 0 || r == -ECONNABORTED); i++) {
		r = gate_accept(gate, &peer);
		if (r >= 0)
			worker_share(gate->acceptor, gate, r, &peer);
	}
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
	struct gateway *gateway = gate->gateway;

	gate->acceptor = &gateway->workers[gateway->n_gates++ % gateway->n_workers];
	if (loop_event(gate->acceptor->base, &gate->event, gate->fd, EV_READ | EV_PERSIST, on_connection, gate) < 0 ||
	    loop_event(gate->acceptor->base, &gate->resume, -1, 0, on_resume, gate) < 0 ||
	    event_add(&gate->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Whoever has shaken hands is served still: closing the socket would reset them. Who comes meanwhile need not be. */
void gate_stop(struct gate *gate)
{
	struct sockaddr_storage peer;
	int left = SOMAXCONN, r = 0;

	if (gate->fd < 0)
		return;
	while (left-- > 0 && (r >= 0 || r == -ECONNABORTED)) {
		r = gate_accept(gate, &peer);
		if (r >= 0)
			workers_take(gate->gateway, gate, r, &peer);
	}
	event_del(&gate->event);
	event_del(&gate->resume);
	close_fd(&gate->fd);
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

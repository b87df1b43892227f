// SPDX-License-Identifier: MIT
/* Floor 4: the relay of one connection. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/relay.h"
#include "gateway/socket.h"

enum flow_result {
	FLOW_WAIT,  /* for one of the sockets, or for a pipe; or it is over */
	FLOW_AGAIN, /* its turn is over, it could do more */
	FLOW_RESET, /* one of the sockets is of no more use */
};

static bool flow_holds(const struct relay_flow *flow)
{
	return flow->pipe && flow->pipe->held;
}

static void flow_release(struct relay *relay, struct relay_flow *flow)
{
	if (flow->pipe)
		pipes_give(relay->pipes, TAKE_PTR(flow->pipe));
}

/* The pipe is empty, so that "try again" can only mean the socket. Returns what splice(2) does, or -EBUSY: no pipe. */
static ssize_t flow_fill(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];
	ssize_t n;

	if (!flow->pipe)
		flow->pipe = pipes_take(relay->pipes, &relay->waiter);
	if (!flow->pipe)
		return -EBUSY;
	n = splice(relay->side[from].fd, NULL, flow->pipe->in, NULL, PIPE_BYTES_MAX, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return -errno;
	flow->pipe->held = n;
	return n;
}

static ssize_t flow_empty(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];
	ssize_t n;

	n = splice(flow->pipe->out, NULL, relay->side[!from].fd, NULL, flow->pipe->held,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return -errno;
	flow->pipe->held -= n;
	relay->hooks->moved(relay, from, n);
	return n;
}

/* Passes the end on, once nothing is before it. */
static enum flow_result flow_end(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];

	flow_release(relay, flow);
	if (relay->broken)
		return FLOW_RESET;
	if (flow->shut)
		return FLOW_WAIT;
	flow->shut = true;
	return shutdown(relay->side[!from].fd, SHUT_WR) < 0 ? FLOW_RESET : FLOW_WAIT;
}

/* One splice(2), out of the pipe if it holds something, else into it. Returns bytes; 0 with *ret_result: it rests. */
static ssize_t flow_step(struct relay *relay, int from, enum flow_result *ret_result)
{
	struct relay_side *source = &relay->side[from], *target = &relay->side[!from];
	struct relay_flow *flow = &relay->flow[from];
	bool out = flow_holds(flow);
	ssize_t n;

	*ret_result = FLOW_WAIT;
	if (out ? !target->writable : !source->readable && !flow->ended)
		return 0;
	if (!out && flow->ended) {
		*ret_result = flow_end(relay, from);
		return 0;
	}
	do
		n = out ? flow_empty(relay, from) : flow_fill(relay, from);
	while (n == -EINTR);
	if (n == 0 && !out)
		flow->ended = true;
	if (n == -EAGAIN)
		*(out ? &target->writable : &source->readable) = false;
	else if (n < 0 && n != -EBUSY)
		*ret_result = FLOW_RESET;
	return n < 0 ? 0 : n ?: 1;
}

static enum flow_result flow_run(struct relay *relay, int from)
{
	enum flow_result result;
	size_t done = 0;
	ssize_t n;

	while (done < RELAY_TURN_BYTES) {
		n = flow_step(relay, from, &result);
		if (n == 0) {
			if (!flow_holds(&relay->flow[from]))
				flow_release(relay, &relay->flow[from]);
			relay->broken |= result == FLOW_RESET;
			return result;
		}
		done += n;
	}
	return FLOW_AGAIN;
}

/* A reset shows when a socket is read; one that is not read just now, because it has ended or must wait, is asked. */
static bool side_is_reset(const struct relay *relay, int i)
{
	const struct relay_flow *flow = &relay->flow[i];

	return (flow->ended || flow_holds(flow)) && socket_error(relay->side[i].fd);
}

/* What a side sent before its reset still goes to the other, as far as that takes it now. */
static void relay_break(struct relay *relay)
{
	int i;

	relay->broken = true;
	for (i = 0; i < 2; i++)
		relay->side[i].readable = true;
	for (i = 0; i < 2; i++)
		flow_run(relay, i);
	relay->hooks->over(relay, true);
}

static void on_side(evutil_socket_t fd, short what, void *data)
{
	struct relay *relay = data;
	int i = fd == relay->side[1].fd;
	enum flow_result a, b;

	relay->side[i].readable |= !!(what & EV_READ);
	relay->side[i].writable |= !!(what & EV_WRITE);
	a = flow_run(relay, 0);
	b = flow_run(relay, 1);
	if (a == FLOW_RESET || b == FLOW_RESET || side_is_reset(relay, i))
		relay_break(relay);
	else if (relay->flow[0].shut && relay->flow[1].shut)
		relay->hooks->over(relay, false);
	else if (a == FLOW_AGAIN || b == FLOW_AGAIN)
		event_active(&relay->side[i].event, EV_TIMEOUT, 0);
}

static void on_pipe(struct pipe_waiter *waiter)
{
	struct relay *relay = (struct relay *)((char *)waiter - offsetof(struct relay, waiter));

	event_active(&relay->side[0].event, EV_TIMEOUT, 0);
}

int relay_open(struct relay *relay, struct event_base *base, struct pipes *pipes, const struct relay_hooks *hooks,
	       int a, int b)
{
	const int fds[2] = { a, b };
	int i;

	*relay = (struct relay){ .hooks = hooks, .pipes = pipes, .waiter.wake = on_pipe };
	for (i = 0; i < 2; i++) {
		relay->side[i].fd = fds[i];
		if (event_assign(&relay->side[i].event, base, fds[i], EV_READ | EV_WRITE | EV_PERSIST | EV_ET, on_side,
				 relay) < 0 ||
		    event_add(&relay->side[i].event, NULL) < 0) {
			if (i)
				event_del(&relay->side[0].event);
			return -ENOMEM;
		}
	}
	return 0;
}

void relay_close(struct relay *relay, bool reset)
{
	int i;

	pipes_leave(relay->pipes, &relay->waiter);
	for (i = 0; i < 2; i++) {
		event_del(&relay->side[i].event);
		flow_release(relay, &relay->flow[i]);
		if (reset)
			socket_reset_on_close(relay->side[i].fd);
		close(relay->side[i].fd);
	}
}

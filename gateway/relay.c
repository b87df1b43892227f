// SPDX-License-Identifier: MIT
/* Floor 4: the relay of one connection. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/tcp.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/relay.h"
#include "gateway/socket.h"

enum flow_result {
	FLOW_WAIT,  /* for one of the sockets; or it is over */
	FLOW_AGAIN, /* its turn is over, it could do more */
	FLOW_RESET, /* one of the sockets is of no more use */
};

static bool flow_holds(const struct relay_flow *flow)
{
	return flow->rest || (flow->pipe && flow->pipe->held);
}

static void flow_release(struct relay *relay, struct relay_flow *flow)
{
	if (flow->pipe)
		pipes_give(relay->pipes, TAKE_PTR(flow->pipe));
}

/* ---- copied ---- */

/*
 * As recv(2). The kernel tells how much is left, or 1 at the end of the stream: a short read alone would not say that all was
 * read, for reading stops before an urgent byte as well.
 */
static ssize_t side_read(struct relay_side *side, uint8_t *data, size_t len)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = data, .iov_len = len };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(side->fd, &message, 0);
	const struct cmsghdr *head;
	int left;

	if (n < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == IPPROTO_TCP && head->cmsg_type == TCP_CM_INQ) {
		memcpy(&left, CMSG_DATA(head), sizeof(left));
		side->readable = left != 0;
	}
	return n;
}

/* Returns what the target has taken, or -errno, which is never -EAGAIN. */
static ssize_t side_write(struct relay_side *side, const uint8_t *data, size_t len)
{
	ssize_t n;

	do
		n = send(side->fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	if (n < (ssize_t)len)
		side->writable = false;
	return n < 0 ? 0 : n;
}

static int rest_keep(struct relay_flow *flow, const uint8_t *data, size_t len)
{
	flow->rest = malloc(sizeof(*flow->rest) + len);
	if (!flow->rest)
		return -ENOMEM;
	flow->rest->at = 0;
	flow->rest->len = len;
	memcpy(flow->rest->data, data, len);
	return 0;
}

static ssize_t flow_copy(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];
	uint8_t data[RELAY_COPY_BYTES];
	ssize_t n, sent;

	n = side_read(&relay->side[from], data, sizeof(data));
	if (n <= 0)
		return n;
	flow->bulk = n == sizeof(data);
	sent = side_write(&relay->side[!from], data, n);
	if (sent > 0)
		relay->hooks->moved(relay, from, sent);
	if (sent >= 0 && sent < n)
		sent = rest_keep(flow, data + sent, n - sent);
	return sent < 0 ? sent : n;
}

static ssize_t rest_empty(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];
	struct relay_rest *rest = flow->rest;
	ssize_t n = side_write(&relay->side[!from], rest->data + rest->at, rest->len - rest->at);

	if (n <= 0)
		return n ?: -EAGAIN;
	relay->hooks->moved(relay, from, n);
	rest->at += n;
	if (rest->at == rest->len) {
		free(rest);
		flow->rest = NULL;
	}
	return n;
}

/* ---- spliced ---- */

/*
 * -EAGAIN: there is no pipe, or nothing to be had by splice(2), which means the socket, for the pipe is empty. That need not
 * mean that there is nothing: splice(2) stops at an urgent byte for good, and calls it the end if the stream ends behind it.
 */
static ssize_t flow_splice(struct relay *relay, int from)
{
	struct relay_flow *flow = &relay->flow[from];
	ssize_t n;

	if (!flow->pipe)
		flow->pipe = pipes_take(relay->pipes);
	if (!flow->pipe)
		return -EAGAIN;
	n = splice(relay->side[from].fd, NULL, flow->pipe->in, NULL, PIPE_BYTES_MAX, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n <= 0)
		return n == 0 ? -EAGAIN : -errno;
	flow->pipe->held = n;
	flow->bulk = n >= RELAY_COPY_BYTES;
	return n;
}

static ssize_t pipe_empty(struct relay *relay, int from)
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

/* ---- either ---- */

/* Nothing is held. 0: the source has ended; -EAGAIN: it has nothing now. */
static ssize_t flow_fill(struct relay *relay, int from)
{
	ssize_t n = relay->flow[from].bulk ? flow_splice(relay, from) : -EAGAIN;

	return n == -EAGAIN ? flow_copy(relay, from) : n;
}

static ssize_t flow_empty(struct relay *relay, int from)
{
	return relay->flow[from].rest ? rest_empty(relay, from) : pipe_empty(relay, from);
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

/*
 * The kernel tells a reset once, and then an end. splice(2) keeps it to itself when it meets it behind the first bytes that it has
 * moved. But a socket that has an end from its peer alone is not closed by that.
 */
static bool end_is_reset(const struct relay *relay, int from)
{
	return !relay->flow[!from].shut && socket_is_closed(relay->side[from].fd);
}

/* Out of what is held, if something is, else on from the source. Returns bytes; 0 with *ret_result: it rests. */
static ssize_t flow_step(struct relay *relay, int from, enum flow_result *ret_result)
{
	struct relay_side *source = &relay->side[from], *target = &relay->side[!from];
	struct relay_flow *flow = &relay->flow[from];
	bool out = flow_holds(flow);
	ssize_t n;

	*ret_result = FLOW_WAIT;
	if (!out && flow->ended) {
		*ret_result = flow_end(relay, from);
		return 0;
	}
	if (!target->writable || (!out && !source->readable))
		return 0;
	do
		n = out ? flow_empty(relay, from) : flow_fill(relay, from);
	while (n == -EINTR);
	if (n == 0 && !out && end_is_reset(relay, from))
		n = -ECONNRESET;
	else if (n == 0 && !out)
		flow->ended = true;
	if (n == -EAGAIN)
		*(out ? &target->writable : &source->readable) = false;
	else if (n < 0)
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

/*
 * libevent tells an error as reading and writing, and one that was told already as EV_CLOSED beside. Who does not read or write
 * there just now does not meet it.
 */
static bool side_is_reset(const struct relay *relay, int i, short what)
{
	return ((what & EV_READ) && (what & EV_WRITE) && socket_is_reset(relay->side[i].fd)) ||
	       ((what & EV_CLOSED) && end_is_reset(relay, i));
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
	if (a == FLOW_RESET || b == FLOW_RESET || side_is_reset(relay, i, what))
		relay_break(relay);
	else if (relay->flow[0].shut && relay->flow[1].shut)
		relay->hooks->over(relay, false);
	else if (a == FLOW_AGAIN || b == FLOW_AGAIN)
		event_active(&relay->side[i].event, EV_TIMEOUT, 0);
}

int relay_open(struct relay *relay, struct event_base *base, struct pipes *pipes, const struct relay_hooks *hooks,
	       int a, int b)
{
	const int fds[2] = { a, b };
	int i;

	*relay = (struct relay){ .hooks = hooks, .pipes = pipes };
	for (i = 0; i < 2; i++) {
		relay->side[i].fd = fds[i];
		relay->side[i].writable = true;
		if (event_assign(&relay->side[i].event, base, fds[i],
				 EV_READ | EV_WRITE | EV_CLOSED | EV_PERSIST | EV_ET, on_side, relay) < 0 ||
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

	for (i = 0; i < 2; i++) {
		event_del(&relay->side[i].event);
		flow_release(relay, &relay->flow[i]);
		free(TAKE_PTR(relay->flow[i].rest));
		if (reset)
			socket_reset_on_close(relay->side[i].fd);
		close(relay->side[i].fd);
	}
}

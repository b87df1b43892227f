/* SPDX-License-Identifier: MIT */
/* Test tool: the connections of relay, either end: each reads and writes by its plan, in turns. */
#ifndef MPBPF_TESTS_RELAY_CONN_H
#define MPBPF_TESTS_RELAY_CONN_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay_plan.h"

#define CONNS_MAX 4096
#define STALL_MS 10000
/*
 * A reset is sent once, and counts only where it is at the next byte (RFC 5961, section 3.2): one that overtakes bytes on the way, as
 * veth pairs let it on several processors, is lost, as any packet may be. The keepalive of whom it was for finds that out: the
 * gateway asks after 60 s, these ends after KEEPALIVE_S.
 */
#define KEEPALIVE_S 20
#define LOST_RESET_MS 120000

struct conn {
	int fd;
	bool server, planned, in_done, out_done, lazy;
	struct plan plan;
	size_t plan_len, in, out;
	int64_t not_before, moved; /* ms */
	uint64_t random;
};

static struct conn conns[CONNS_MAX];
static int listeners[16], n_listeners, slow = 1;
static unsigned long started, ended, resets, faults;
static unsigned long long bytes, sent;
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void fault(const struct conn *c, const char *what)
{
	if (faults++ < 10)
		printf("fault: %s: %s at in=%zu out=%zu of up=%u down=%u how=%u: %s\n", c->server ? "server" : "client",
		       what, c->in, c->out, c->plan.up, c->plan.down, c->plan.how, strerror(errno));
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	ended++;
}

static bool peer_resets(const struct conn *c)
{
	return c->plan.how == (c->server ? CLIENT_RESETS : SERVER_RESETS);
}

static bool self_resets(const struct conn *c)
{
	return c->plan.how == (c->server ? SERVER_RESETS : CLIENT_RESETS);
}

static void conn_reset(struct conn *c)
{
	const struct linger linger = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	conn_close(c);
}

/* What recv() or send() failed with. */
static void conn_failed(struct conn *c, const char *what)
{
	if (peer_resets(c) && (errno == ECONNRESET || errno == EPIPE))
		resets++;
	else
		fault(c, what);
	conn_close(c);
}

static void conn_read(struct conn *c)
{
	static uint8_t data[65536], right[sizeof(data) + 16];
	size_t want = c->server ? c->plan.up : c->plan.down;
	uint64_t seed = c->server ? c->plan.seed : ~c->plan.seed;
	ssize_t n = recv(c->fd, data, 1 + rnd(&c->random) % sizeof(data), MSG_DONTWAIT);

	if (n < 0) {
		if (errno != EAGAIN)
			conn_failed(c, "recv");
		return;
	}
	c->moved = now_ms();
	if (n == 0) {
		errno = 0;
		if (c->in != want || peer_resets(c))
			fault(c, "end");
		c->in_done = true;
		return;
	}
	if (c->in + n > want || memcmp(data, stream(seed, c->in, right, n), n) != 0) {
		errno = 0;
		fault(c, "byte");
		conn_close(c);
		return;
	}
	c->in += n;
	bytes += n;
	if (c->lazy)
		c->not_before = now_ms() + rnd(&c->random) % 10;
}

static void conn_write(struct conn *c)
{
	static uint8_t data[65536 + 16];
	size_t want = c->server ? c->plan.down : c->plan.up, len;
	uint64_t seed = c->server ? ~c->plan.seed : c->plan.seed;
	ssize_t n;

	len = 1 + rnd(&c->random) % (rnd(&c->random) % 4 ? 65536 : 100);
	len = len < want - c->out ? len : want - c->out;
	n = len ? send(c->fd, stream(seed, c->out, data, len), len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n < 0) {
		if (errno != EAGAIN)
			conn_failed(c, "send");
		return;
	}
	c->moved = now_ms();
	c->out += n;
	sent += n;
	if (c->out < want)
		return;
	c->out_done = true;
	if (self_resets(c))
		conn_reset(c);
	else
		shutdown(c->fd, SHUT_WR);
}

static void plan_read(struct conn *c)
{
	ssize_t n = recv(c->fd, (char *)&c->plan + c->plan_len, sizeof(c->plan) - c->plan_len, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) { /* a health check, or a client that was quick to reset */
		conn_close(c);
		return;
	}
	c->plan_len += n;
	c->planned = c->plan_len == sizeof(c->plan);
	c->random = c->plan.seed;
	c->lazy = c->plan.slow == 1;
	c->not_before = now_ms() + c->plan.pause_ms;
}

static void conn_turn(struct conn *c, short events)
{
	if (!c->planned) {
		if (events)
			plan_read(c);
		return;
	}
	if ((events & (POLLIN | POLLHUP | POLLERR)) && !c->in_done)
		conn_read(c);
	if (c->fd >= 0 && (events & (POLLOUT | POLLHUP | POLLERR)) && !c->out_done)
		conn_write(c);
	if (c->fd >= 0 && c->in_done && c->out_done && !peer_resets(c))
		conn_close(c);
	if (c->fd >= 0 && rnd(&c->random) % 64 == 0)
		c->not_before = now_ms() + rnd(&c->random) % 20;
}

static struct conn *conn_new(int fd, bool server)
{
	const int on = 1, idle = KEEPALIVE_S, interval = 5;
	int i;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	for (i = 0; i < CONNS_MAX && conns[i].fd >= 0; i++)
		;
	if (i == CONNS_MAX)
		return NULL;
	conns[i] = (struct conn){ .fd = fd, .server = server, .moved = now_ms() };
	started++;
	return &conns[i];
}

static short wanted(const struct conn *c, int64_t now)
{
	if (!c->planned)
		return POLLIN;
	if (c->not_before > now)
		return 0;
	return (c->in_done ? 0 : POLLIN) | (c->out_done ? 0 : POLLOUT);
}

static int64_t stall_ms(const struct conn *c)
{
	return STALL_MS * slow + c->plan.pause_ms + (peer_resets(c) ? LOST_RESET_MS : 0);
}

/* All that wait: a turn may take long, and connections that nobody has accepted are stalled for their clients. */
static void accept_all(int listener)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		if (!conn_new(fd, true))
			close(fd);
}

/* One poll over all. */
static void turn(void)
{
	static struct pollfd polled[CONNS_MAX + 16];
	static struct conn *of[CONNS_MAX + 16];
	int64_t now = now_ms();
	int n = 0, i;

	for (i = 0; i < n_listeners; i++)
		polled[n++] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
	for (i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &conns[i];

		if (c->fd < 0)
			continue;
		if (c->planned && now - c->moved > stall_ms(c)) {
			errno = 0;
			fault(c, "stalled");
			conn_close(c);
			continue;
		}
		of[n] = c;
		/* One that pauses is not looked at: what has happened to it shows later. */
		polled[n++] = (struct pollfd){ .fd = wanted(c, now) ? c->fd : -1, .events = wanted(c, now) };
	}
	poll(polled, n, 10);
	for (i = 0; i < n_listeners; i++)
		if (polled[i].revents & POLLIN)
			accept_all(listeners[i]);
	for (; i < n; i++)
		if (of[i]->fd >= 0 && polled[i].revents)
			conn_turn(of[i], polled[i].revents);
}

#endif

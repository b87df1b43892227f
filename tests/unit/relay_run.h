/* SPDX-License-Identifier: MIT */
/* Tests: a relay between two pairs of TCP connections over loopback. */
#ifndef MPBPF_TESTS_RELAY_RUN_H
#define MPBPF_TESTS_RELAY_RUN_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <cmocka.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/relay.h"
#include "gateway/socket.h"

#define TURNS 2000 /* of a millisecond at most, for what has to come */

/* Client, relay, server: what the relay has of each is in relay.side. */
static struct {
	struct event_base *base;
	struct pipes pipes;
	struct relay relay;
	int client, server;
	bool over, reset;
	uint64_t moved[2];
} t;

static void on_moved(struct relay *relay, int from, size_t bytes)
{
	assert_ptr_equal(relay, &t.relay);
	t.moved[from] += bytes;
}

static void on_over(struct relay *relay, bool reset)
{
	t.over = true;
	t.reset = reset;
	relay_close(relay, reset);
}

static const struct relay_hooks hooks = { .moved = on_moved, .over = on_over };

static void tcp_pair(int *ret_far, int *ret_near)
{
	struct place place = { .addr.b = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	_cleanup_close_ int listener = socket_listen(&place, false, true);
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	assert_true(listener >= 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	place_from(&at, &place);
	*ret_far = socket_open(&place, true);
	assert_true(*ret_far >= 0);
	assert_int_equal(socket_connect(*ret_far, &place), 0);
	do
		*ret_near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (*ret_near < 0 && errno == EAGAIN);
	assert_true(*ret_near >= 0);
}

static int setup(void **state)
{
	int a, b;

	(void)state;
	memset(&t, 0, sizeof(t));
	t.base = event_base_new();
	pipes_init(&t.pipes);
	tcp_pair(&t.client, &a);
	tcp_pair(&t.server, &b);
	assert_int_equal(relay_open(&t.relay, t.base, &t.pipes, &hooks, a, b), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!t.over)
		relay_close(&t.relay, false);
	close_fd(&t.client);
	close_fd(&t.server);
	pipes_close(&t.pipes);
	assert_int_equal(t.pipes.n_open, 0);
	event_base_free(t.base);
	return 0;
}

static void turn(void)
{
	event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static void turns(int n)
{
	while (n--) {
		turn();
		poll(NULL, 0, 1);
	}
}

static uint8_t byte_at(size_t i)
{
	return i * 7 + i / 251 + i / 65521;
}

/* As much as there is; 0 or what recv() says. */
static int take(int fd, size_t *got, size_t most)
{
	uint8_t data[40000];
	ssize_t n;

	n = recv(fd, data, most < sizeof(data) ? most : sizeof(data), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	for (ssize_t i = 0; i < n; i++)
		if (data[i] != byte_at(*got + i))
			fail_msg("byte %zu is another", *got + i);
	*got += n;
	return 0;
}

static void give(int fd, size_t *sent, size_t most)
{
	uint8_t data[50000];
	size_t want = most < sizeof(data) ? most : sizeof(data);
	ssize_t n;

	for (size_t i = 0; i < want; i++)
		data[i] = byte_at(*sent + i);
	n = send(fd, data, want, MSG_DONTWAIT | MSG_NOSIGNAL);
	assert_true(n >= 0 || errno == EAGAIN);
	if (n > 0)
		*sent += n;
}

static void expect(int fd, int result, size_t *got)
{
	int i, r = -EAGAIN;

	for (i = 0; i < TURNS && r == -EAGAIN; i++) {
		turn();
		r = take(fd, got, SIZE_MAX);
		if (r == -EAGAIN)
			poll(NULL, 0, 1);
		else if (r == 0)
			r = -EAGAIN;
	}
	assert_int_equal(r, result);
}

#endif

// SPDX-License-Identifier: MIT
/* Unit tests of gateway/relay.c and gateway/pipes.c, between TCP connections over loopback. */
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
	_cleanup_close_ int listener = socket_listen(&place, false);
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	assert_true(listener >= 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	place_from(&at, &place);
	*ret_far = socket_connect(&place);
	assert_true(*ret_far >= 0);
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

/* Both ways at a time, in pieces of any size. */
static void test_bytes_arrive_in_their_order(void **state)
{
	size_t total = 5000000, sent[2] = {}, got[2] = {};
	int i;

	(void)state;
	srand(7);
	for (i = 0; i < 100000 && (got[0] < total || got[1] < total); i++) {
		if (sent[0] < total)
			give(t.client, &sent[0], total - sent[0] < 3000 ? total - sent[0] : (size_t)rand() % 50000 + 1);
		if (sent[1] < total)
			give(t.server, &sent[1],
			     total - sent[1] < 3000 ? total - sent[1] : (size_t)rand() % 20 + 50000);
		turn();
		take(t.server, &got[0], rand() % 40000 + 1);
		take(t.client, &got[1], rand() % 40000 + 1);
	}
	assert_true(got[0] == sent[0] && got[1] == sent[1]);
	assert_true(t.moved[0] == sent[0] && t.moved[1] == sent[1]);
	assert_false(t.over);
	assert_null(t.relay.flow[0].pipe);
	assert_null(t.relay.flow[1].pipe);
	assert_int_equal(t.pipes.n_open, t.pipes.n_idle);
}

static void test_an_idle_connection_has_no_pipe(void **state)
{
	(void)state;
	turns(3);
	assert_null(t.relay.flow[0].pipe);
	assert_null(t.relay.flow[1].pipe);
}

static void test_a_half_close_is_passed_on(void **state)
{
	size_t sent = 0, got = 0, back = 0, got_back = 0;

	(void)state;
	give(t.client, &sent, 1000);
	shutdown(t.client, SHUT_WR);
	expect(t.server, -EPIPE, &got);
	assert_int_equal(got, 1000);
	assert_false(t.over);
	give(t.server, &back, 2000);
	turns(5);
	assert_false(t.over);
	shutdown(t.server, SHUT_WR);
	expect(t.client, -EPIPE, &got_back);
	assert_int_equal(got_back, 2000);
	assert_true(t.over);
	assert_false(t.reset);
}

/* What is in the pipe when the end is read comes first. */
static void test_the_end_does_not_overtake(void **state)
{
	size_t sent = 0, got = 0, was;

	(void)state;
	do {
		was = sent;
		give(t.client, &sent, 50000);
		turns(2);
	} while (sent > was);
	shutdown(t.client, SHUT_WR);
	turns(5);
	expect(t.server, -EPIPE, &got);
	assert_int_equal(got, sent);
}

static void reset_by(int *fd)
{
	socket_reset_on_close(*fd);
	close_fd(fd);
}

static void test_a_reset_is_passed_on(void **state)
{
	size_t got = 0;

	(void)state;
	if (*state)
		reset_by(&t.server);
	else
		reset_by(&t.client);
	expect(*state ? t.client : t.server, -ECONNRESET, &got);
	assert_true(t.over && t.reset);
}

/* Neither of these sockets is being read when the reset comes. */
static void test_a_reset_behind_a_full_pipe_is_passed_on(void **state)
{
	size_t sent = 0, was;
	int i;

	(void)state;
	do {
		was = sent;
		give(t.client, &sent, 50000);
		turns(2);
	} while (sent > was);
	reset_by(&t.client);
	for (i = 0; i < TURNS && !t.over; i++)
		turns(1);
	assert_true(t.over && t.reset);
}

static void test_a_reset_behind_a_half_close_is_passed_on(void **state)
{
	size_t got = 0;

	(void)state;
	shutdown(t.client, SHUT_WR);
	expect(t.server, -EPIPE, &got);
	reset_by(&t.client);
	/* It is told when the other side has something for it, as without us; or at once. */
	for (int i = 0; i < TURNS && !t.over; i++)
		turns(1);
	assert_true(t.over && t.reset);
}

static void test_bytes_before_a_reset_arrive(void **state)
{
	size_t sent = 0, got = 0;

	(void)state;
	give(t.server, &sent, 3000);
	reset_by(&t.server);
	expect(t.client, -ECONNRESET, &got);
	assert_int_equal(got, 3000);
}

/* The error is told once: to who writes to that socket. Who reads it then sees an end, which is none. */
static void test_a_reset_that_is_met_while_writing_is_no_end(void **state)
{
	size_t sent = 0, got = 0, up = 0;

	(void)state;
	turns(2);
	give(t.client, &up, 1000);
	give(t.server, &sent, 3000);
	reset_by(&t.server);
	poll(NULL, 0, 20);
	expect(t.client, -ECONNRESET, &got);
	assert_int_equal(got, 3000);
}

static void test_a_slow_reader_stops_the_sender(void **state)
{
	size_t sent = 0, was = 0, got = 0;
	int still = 0, size = 65536, i;

	(void)state;
	setsockopt(t.server, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(t.relay.side[1].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (still < 20) {
		give(t.client, &sent, 50000);
		turns(1);
		still = sent == was ? still + 1 : 0;
		was = sent;
		assert_true(sent < 64 << 20);
	}
	assert_true(t.relay.flow[0].pipe && t.relay.flow[0].pipe->held <= PIPE_BYTES_MAX);
	for (i = 0; i < 100000 && got < sent; i++) {
		turn();
		take(t.server, &got, SIZE_MAX);
	}
	assert_int_equal(got, sent);
}

/* No descriptor is left for a pipe: it waits, and goes on when there is one. */
static void test_without_a_pipe_it_waits(void **state)
{
	struct rlimit limit, none;
	size_t sent = 0, got = 0;
	int fd = dup(0);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	give(t.client, &sent, 1000);
	turns(5);
	pipes_retry(&t.pipes);
	turns(5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(fd);
	assert_int_equal(take(t.server, &got, SIZE_MAX), -EAGAIN);
	assert_true(t.relay.waiter.waiting);
	pipes_retry(&t.pipes);
	turns(20);
	assert_int_equal(take(t.server, &got, SIZE_MAX), 0);
	assert_int_equal(got, 1000);
}

int main(void)
{
	/* As the agent does: splice() knows no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	static bool by_server = true;
	struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_idle_connection_has_no_pipe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_arrive_in_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_half_close_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_does_not_overtake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reset_is_passed_on, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(test_a_reset_is_passed_on, setup, teardown, &by_server),
		cmocka_unit_test_setup_teardown(test_a_reset_behind_a_full_pipe_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reset_behind_a_half_close_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_before_a_reset_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reset_that_is_met_while_writing_is_no_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_slow_reader_stops_the_sender, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_pipe_it_waits, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Unit tests of gateway/relay.c and gateway/pipes.c, between TCP connections over loopback. */
#include <pthread.h>

#include "icmp_error.h"
#include "relay_run.h"

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

/* So it is when splice(2) has met it, which then says how much it has moved, and no more. */
static void test_a_reset_that_nobody_told_is_no_end(void **state)
{
	size_t sent = 0, got = 0;

	(void)state;
	turns(2);
	give(t.server, &sent, 3000);
	reset_by(&t.server);
	poll(NULL, 0, 20);
	assert_int_equal(socket_error(t.relay.side[1].fd), ECONNRESET);
	expect(t.client, -ECONNRESET, &got);
	assert_int_equal(got, 3000);
	assert_true(t.over && t.reset);
}

static void *reset_soon(void *fd)
{
	reset_by(fd);
	return NULL;
}

/* The kernel sets the error of a socket a moment before its state. Who asks just then must not have lost both. */
static void test_a_reset_is_seen_by_who_asks_all_the_time(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		pthread_t thread;
		bool reset;
		int far, near;

		tcp_pair(&far, &near);
		pthread_create(&thread, NULL, reset_soon, &far);
		do
			reset = socket_is_reset(near);
		while (!reset && !socket_is_closed(near));
		/* A reset may have come between the two. */
		reset |= socket_is_reset(near);
		pthread_join(thread, NULL);
		close(near);
		assert_true(reset);
	}
}

/* Bytes that come tell of both reading and writing, as an error does. */
static void test_an_icmp_error_is_no_reset(void **state)
{
	size_t sent = 0, got = 0;

	(void)state;
	turns(3);
	for (int i = 0; i < 5; i++) {
		give(t.client, &sent, 100);
		icmp_error_send(t.relay.side[0].fd);
		turns(3);
		assert_false(t.over);
	}
	take(t.server, &got, SIZE_MAX);
	assert_int_equal(got, sent);
	/* It is there to be told. */
	icmp_error_send(t.relay.side[0].fd);
	assert_int_equal(socket_error(t.relay.side[0].fd), EHOSTUNREACH);
}

/* What the relay has of what side `from` sent. */
static size_t held(int from)
{
	const struct relay_flow *flow = &t.relay.flow[from];

	return (flow->pipe ? flow->pipe->held : 0) + (flow->rest ? flow->rest->len - flow->rest->at : 0);
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
	assert_true(held(0) > 0 && held(0) <= PIPE_BYTES_MAX + RELAY_COPY_BYTES);
	for (i = 0; i < 100000 && got < sent; i++) {
		turn();
		take(t.server, &got, SIZE_MAX);
	}
	assert_int_equal(got, sent);
}

/* No descriptor is left, or slow readers have all that there may be. */
static void test_without_a_pipe_bytes_go_all_the_same(void **state)
{
	size_t total = 2000000, sent = 0, got = 0;
	size_t n_open = t.pipes.n_open;

	(void)state;
	t.pipes.n_open = PIPES_MAX;
	for (int i = 0; i < 100000 && got < total; i++) {
		if (sent < total)
			give(t.client, &sent, total - sent);
		turn();
		take(t.server, &got, SIZE_MAX);
		assert_null(t.relay.flow[0].pipe);
	}
	t.pipes.n_open = n_open;
	assert_int_equal(got, total);
}

static void test_as_many_pipes_as_there_may_be(void **state)
{
	static struct pipe *taken[PIPES_MAX];
	struct rlimit limit, wide;
	int i;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	wide = limit;
	wide.rlim_cur = limit.rlim_max < 4 * PIPES_MAX ? limit.rlim_max : 4 * PIPES_MAX;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &wide), 0);
	for (i = 0; i < PIPES_MAX; i++) {
		taken[i] = pipes_take(&t.pipes);
		assert_non_null(taken[i]);
	}
	assert_null(pipes_take(&t.pipes));
	while (i--)
		pipes_give(&t.pipes, taken[i]);
	assert_int_equal(t.pipes.n_idle, PIPES_IDLE_MAX);
	assert_int_equal(t.pipes.n_open, PIPES_IDLE_MAX);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* splice(2) would stop there for good, and recv(2) skip the byte. */
static void test_an_urgent_byte_keeps_its_place(void **state)
{
	size_t before = *(size_t *)*state, sent = 0, got = 0;
	uint8_t urgent;

	while (sent < before) {
		give(t.client, &sent, before - sent);
		turns(1);
		take(t.server, &got, SIZE_MAX);
	}
	urgent = byte_at(sent);
	assert_int_equal(send(t.client, &urgent, 1, MSG_OOB), 1);
	sent++;
	give(t.client, &sent, 50000);
	shutdown(t.client, SHUT_WR);
	expect(t.server, -EPIPE, &got);
	assert_int_equal(got, sent);
}

/* All is there, the end included, before the relay looks for the first time. */
static void test_an_end_that_is_there_already_is_seen(void **state)
{
	size_t sent = 0, got = 0;

	(void)state;
	give(t.client, &sent, 100);
	shutdown(t.client, SHUT_WR);
	expect(t.server, -EPIPE, &got);
	assert_int_equal(got, 100);
}

/* The kernel says what is left, so that one call is enough for a message. */
static void test_a_message_leaves_nothing_to_ask(void **state)
{
	size_t sent = 0, got = 0;

	(void)state;
	turns(2);
	give(t.client, &sent, 100);
	for (int i = 0; i < TURNS && !t.moved[0]; i++)
		turns(1);
	assert_false(t.relay.side[0].readable);
	assert_null(t.relay.flow[0].pipe);
	turns(2);
	assert_int_equal(take(t.server, &got, SIZE_MAX), 0);
	assert_int_equal(got, 100);
}

int main(void)
{
	/* As the agent does: splice() knows no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	static bool by_server = true;
	static size_t little = 100, much = 300000, bound = RELAY_COPY_BYTES;
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
		cmocka_unit_test_setup_teardown(test_a_reset_that_nobody_told_is_no_end, setup, teardown),
		cmocka_unit_test(test_a_reset_is_seen_by_who_asks_all_the_time),
		cmocka_unit_test_setup_teardown(test_an_icmp_error_is_no_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_slow_reader_stops_the_sender, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_pipe_bytes_go_all_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_many_pipes_as_there_may_be, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(test_an_urgent_byte_keeps_its_place, setup, teardown, &little),
		cmocka_unit_test_prestate_setup_teardown(test_an_urgent_byte_keeps_its_place, setup, teardown, &bound),
		cmocka_unit_test_prestate_setup_teardown(test_an_urgent_byte_keeps_its_place, setup, teardown, &much),
		cmocka_unit_test_setup_teardown(test_an_end_that_is_there_already_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_message_leaves_nothing_to_ask, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Test: what a client may take of the helper: requests, turns, memory, time. No kernel is asked. */
#include "tests/unit/stream_kernel.h"

static void the_first_request_was_counted_by_the_kernel(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	assert_int_equal(asked(NO_TOKEN), STREAM_RETURNED);
	assert_int_equal(kernel.asks, 0);
	/* In pieces, and with empty hands between them. */
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	assert_int_equal(asked("Host: a\r\n\r\n" NO_TOKEN NO_TOKEN), STREAM_RETURNED);
	assert_int_equal(kernel.asks, 3);
	assert_int_equal(kernel.allowed, 4);
}

static void one_request_too_many_stays_that_until_it_is_answered(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	kernel.asks_max = 1;
	kernel.deny = -EAGAIN; /* responses are due */
	assert_int_equal(asked(NO_TOKEN NO_TOKEN NO_TOKEN NO_TOKEN), STREAM_WAIT);
	assert_int_equal(kernel.allowed, 2);
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_int_equal(kernel.asks, 2);
	kernel.deny = 0;
	assert_int_equal(again(1000), STREAM_CLOSE);
	assert_int_equal(kernel.last, REQUEST_ASK_RATE);
	assert_int_equal(kernel.asks, 2);
	assert_int_equal(kernel.allowed, 2);
	assert_non_null(memmem(kernel.client, kernel.client_len, "Retry-After:     7\r\n", 20));
}

static void nothing_is_asked_where_asks_are_not_limited(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	kernel.asks_max = 0;
	config.clients.asks.enabled = false;
	assert_int_equal(asked(NO_TOKEN NO_TOKEN NO_TOKEN), STREAM_RETURNED);
	assert_int_equal(kernel.allowed, 3);
}

static void many_requests_are_dealt_with_a_turn_at_a_time(void **state)
{
	char all[3 * STREAM_STEPS * sizeof(NO_TOKEN)] = "";
	uint32_t i;

	(void)state;
	kernel.listener.flags = 0;
	for (i = 0; i < 2 * STREAM_STEPS + 1; i++)
		strcat(all, NO_TOKEN);
	assert_int_equal(asked(all), STREAM_AGAIN);
	assert_int_equal(kernel.allowed, STREAM_STEPS);
	assert_int_equal(again(0), STREAM_AGAIN);
	assert_int_equal(again(0), STREAM_RETURNED);
	assert_int_equal(kernel.allowed, 2 * STREAM_STEPS + 1);
	assert_int_equal(kernel.service_len, strlen(all));
}

static void memory_is_bounded_and_given_back(void **state)
{
	static char block[300000];

	(void)state;
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), 0);
	assert_int_equal(env.held, 512 << 10);
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), 0);
	assert_int_equal(env.held, 1 << 20);
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), 0);
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), -ENOBUFS);
	teardown(state);
	assert_int_equal(env.held, 0);
	setup(state);
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	assert_int_equal(env.held, 2048);
	kernel.listener.flags = 0;
	assert_int_equal(asked("Host: a\r\n\r\n"), STREAM_RETURNED);
	assert_int_equal(env.held, 0);
}

static void a_dry_run_lets_pass_what_came_in_time(void **state)
{
	(void)state;
	kernel.listener.flags |= LISTENER_DRY_RUN;
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	stream->ended = true;
	assert_int_equal(again(0), STREAM_RETURNED);
	assert_int_equal(kernel.would, REQUEST_TIMEOUT);
	assert_int_equal(kernel.service_len, strlen("GET / HTTP/1.1\r\n"));
	assert_int_equal(kernel.client_len + kernel.denials, 0);
}
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_first_request_was_counted_by_the_kernel),
		TEST(one_request_too_many_stays_that_until_it_is_answered),
		TEST(nothing_is_asked_where_asks_are_not_limited),
		TEST(many_requests_are_dealt_with_a_turn_at_a_time),
		TEST(memory_is_bounded_and_given_back),
		TEST(a_dry_run_lets_pass_what_came_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

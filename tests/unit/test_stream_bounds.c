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
	/* What comes behind it is no head. */
	assert_int_equal(kernel.state, CONN_TUNNEL);
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void a_dry_run_lets_a_malformed_chunk_pass_and_all_behind_it(void **state)
{
	(void)state;
	kernel.listener.flags = LISTENER_DRY_RUN;
	assert_int_equal(asked(CHUNKED "3\r\nabc\r\n"), STREAM_RETURNED);
	assert_int_equal(kernel.state, CONN_BODY);
	assert_int_equal(asked("zz\r\nGET"), STREAM_RETURNED);
	assert_int_equal(kernel.state, CONN_TUNNEL);
	assert_int_equal(kernel.would, REQUEST_BAD);
	assert_int_equal(kernel.service_len, strlen(CHUNKED "3\r\nabc\r\nzz\r\nGET"));
	assert_int_equal(kernel.client_len + kernel.denials, 0);
}

static void a_malformed_chunk_ends_the_connection(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	assert_int_equal(asked(CHUNKED "zz\r\n"), STREAM_CLOSE);
	assert_int_equal(kernel.would, 0);
	assert_int_equal(kernel.service_len, strlen(CHUNKED));
}

static void what_finds_no_room_passes_on_a_dry_run(void **state)
{
	static char block[600000];

	(void)state;
	memset(block, 'x', sizeof(block));
	kernel.listener.flags |= LISTENER_DRY_RUN;
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), 0);
	assert_int_equal(stream_append(&env, stream, block, sizeof(block)), -ENOBUFS);
	kernel.give_back = -EAGAIN; /* more is under way */
	assert_int_equal(stream_spare(&env, stream, REQUEST_BUSY, block, sizeof(block)), STREAM_WAIT);
	assert_int_equal(kernel.service_len, 16 + 2 * sizeof(block));
	assert_int_equal(stream->taken, kernel.service_len);
	assert_int_equal(kernel.would, REQUEST_BUSY);
	assert_int_equal(env.held, 0);
	/* It is counted once. */
	kernel.would = 0;
	assert_int_equal(stream_spare(&env, stream, REQUEST_BUSY, block, 5), STREAM_MORE);
	assert_int_equal(kernel.would, 0);
	kernel.give_back = 0;
	assert_int_equal(asked("abc"), STREAM_RETURNED);
	assert_int_equal(kernel.service_len, 16 + 2 * sizeof(block) + 5 + 3);
	assert_int_equal(kernel.state, CONN_TUNNEL);
	assert_int_equal(kernel.client_len + kernel.denials, 0);
}

static void nobody_is_spared_where_policy_is_enforced(void **state)
{
	(void)state;
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	assert_int_equal(stream_spare(&env, stream, REQUEST_BUSY, "abc", 3), STREAM_CLOSE);
	assert_int_equal(kernel.service_len + kernel.would, 0);
	/* Nor on a dry run behind half an answer, or within what the service never saw the beginning of. */
	kernel.listener.flags |= LISTENER_DRY_RUN;
	stream->denied = REQUEST_NO_TOKEN;
	assert_int_equal(stream_spare(&env, stream, REQUEST_TIMEOUT, NULL, 0), STREAM_CLOSE);
	stream->denied = 0;
	stream->discard = true;
	stream->body.kind = BODY_LENGTH;
	assert_int_equal(stream_spare(&env, stream, REQUEST_TIMEOUT, NULL, 0), STREAM_CLOSE);
	assert_int_equal(kernel.service_len + kernel.would, 0);
}

static void time_runs_only_while_the_response_before_stands_still(void **state)
{
	int64_t since;

	(void)state;
	kernel.room = 1000;
	kernel.acked = 7;
	kernel.deny = -EAGAIN;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	stream->acked = 7;
	since = stream->since -= 10000000000;
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_int_equal(stream->since, since);
	kernel.acked = 8;
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_true(stream->since > since + 9000000000);
	/* Its place in the list of those that wait it gives up at most once a second. */
	since = stream->since;
	kernel.acked = 9;
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_int_equal(stream->since, since);
	kernel.deny = 0;
	assert_int_equal(again(1000), STREAM_RETURNED);
}

static void what_came_behind_a_101_is_not_judged(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	kernel.give_back = -EAGAIN; /* bytes are under way, that were sent behind it */
	kernel.switched = 1;
	assert_int_equal(asked(NO_TOKEN), STREAM_MORE);
	kernel.give_back = 0;
	assert_int_equal(asked("\x81\x05HELLO"), STREAM_RETURNED);
	assert_int_equal(kernel.state, CONN_TUNNEL);
	assert_int_equal(kernel.service_len, strlen(NO_TOKEN) + 7);
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
		TEST(a_dry_run_lets_a_malformed_chunk_pass_and_all_behind_it),
		TEST(a_malformed_chunk_ends_the_connection),
		TEST(what_finds_no_room_passes_on_a_dry_run),
		TEST(nobody_is_spared_where_policy_is_enforced),
		TEST(time_runs_only_while_the_response_before_stands_still),
		TEST(what_came_behind_a_101_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

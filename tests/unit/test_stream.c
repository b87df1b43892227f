// SPDX-License-Identifier: MIT
/* Test: an answer of the helper's that the send buffer takes in parts. No kernel is asked. */
#include "replies.h"
#include "tests/unit/stream_kernel.h"

#define MALFORMED "GET / HTTP/1.1\r\nHost : a\r\n\r\n"

/* That the client got so many answers for these reasons, whole, and nothing else. */
static void client_got(size_t n, const enum request_reason *reasons)
{
	char want[1024] = "";
	size_t i;

	for (i = 0; i < n; i++) {
		strncat(want, replies[reasons[i]].text, replies[reasons[i]].len);
		strcat(want, "0\r\n\r\n");
	}
	assert_int_equal(kernel.client_len, strlen(want));
	assert_memory_equal(kernel.client, want, strlen(want));
}

static void comes_in_any_number_of_parts(void **state)
{
	size_t len = replies[REQUEST_NO_TOKEN].len + 5, part, sent;

	for (part = 1; part <= len; part++) {
		teardown(state);
		assert_int_equal(setup(state), 0);
		kernel.room = part;
		for (sent = part; sent < len; sent += part) {
			assert_int_equal(sent == part ? asked(NO_TOKEN) : again(part), STREAM_WAIT);
			assert_int_equal(kernel.answering, 1);
			assert_int_equal(kernel.state, CONN_STATE_MAX);
		}
		assert_int_equal(part == len ? asked(NO_TOKEN) : again(part), STREAM_RETURNED);
		client_got(1, (enum request_reason[]){ REQUEST_NO_TOKEN });
		assert_int_equal(kernel.denials, 1);
		assert_int_equal(kernel.answering, 0);
		assert_int_equal(kernel.state, CONN_HEAD);
	}
}

static void keeps_its_place(void **state)
{
	(void)state;
	assert_int_equal(asked(NO_TOKEN MALFORMED), STREAM_WAIT);
	assert_int_equal(again(10), STREAM_WAIT);
	assert_int_equal(kernel.denials, 1);
	assert_int_equal(again(1000), STREAM_CLOSE);
	client_got(2, (enum request_reason[]){ REQUEST_NO_TOKEN, REQUEST_BAD });
	assert_int_equal(kernel.denials, 2);
}

static void that_ends_the_connection_is_finished_first(void **state)
{
	(void)state;
	assert_int_equal(asked(MALFORMED), STREAM_WAIT);
	assert_int_equal(again(1), STREAM_WAIT);
	assert_int_equal(again(1000), STREAM_CLOSE);
	client_got(1, (enum request_reason[]){ REQUEST_BAD });
}

static void stands_whatever_policy_comes(void **state)
{
	(void)state;
	kernel.room = 20;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	kernel.listener.flags = 0;
	assert_int_equal(again(20), STREAM_WAIT);
	kernel.guarded = false;
	assert_int_equal(again(1000), STREAM_RETURNED);
	client_got(1, (enum request_reason[]){ REQUEST_NO_TOKEN });
	assert_int_equal(kernel.service_len, 0);
	/* What comes behind it is under the new policy. */
	assert_int_equal(asked(NO_TOKEN), STREAM_RETURNED);
	assert_int_equal(kernel.service_len, strlen(NO_TOKEN));
}

static void is_not_begun_before_its_turn(void **state)
{
	(void)state;
	kernel.room = 1000;
	kernel.deny = -EAGAIN;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	assert_int_equal(kernel.client_len, 0);
	/* Nothing of it is out: the policy of now counts. */
	kernel.deny = 0;
	kernel.listener.flags = 0;
	assert_int_equal(again(1000), STREAM_RETURNED);
	assert_int_equal(kernel.client_len, 0);
	assert_int_equal(kernel.service_len, strlen(NO_TOKEN));
}

static void is_not_followed_by_another_when_time_is_up(void **state)
{
	(void)state;
	kernel.room = 20;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	kernel.room = 1000;
	stream_expire(&env, stream);
	assert_int_equal(kernel.client_len, 20);
	assert_int_equal(kernel.denials, 1);
}

static void comes_when_time_is_up_and_nothing_is_out(void **state)
{
	(void)state;
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	kernel.room = 1000;
	stream_expire(&env, stream);
	client_got(1, (enum request_reason[]){ REQUEST_TIMEOUT });
	assert_int_equal(kernel.last, REQUEST_TIMEOUT);
}

static void does_not_go_on_in_what_the_service_sent_unasked(void **state)
{
	(void)state;
	kernel.room = 20;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	kernel.conn.response.kind = BODY_UNTIL_CLOSE;
	assert_int_equal(again(1000), STREAM_CLOSE);
	assert_int_equal(kernel.client_len, 20);
}

static void says_when_there_is_room_in_one_number(void **state)
{
	size_t len = replies[REQUEST_RATE].len + REPLY_END_LEN, at = replies[REQUEST_RATE].retry - REPLY_RETRY_LEN;

	(void)state;
	kernel.listener.flags = 0;
	kernel.retry_s = 12345;
	kernel.room = at + 2;
	assert_int_equal(asked(NO_TOKEN), STREAM_WAIT);
	assert_int_equal(kernel.last, REQUEST_RATE);
	/* Half of the number is out. */
	kernel.retry_s = 67890;
	assert_int_equal(again(1000), STREAM_RETURNED);
	assert_int_equal(kernel.client_len, len);
	assert_memory_equal(kernel.client + at, "12345", REPLY_RETRY_LEN);
	assert_int_equal(kernel.denials, 1);
	assert_int_equal(kernel.service_len, 0);
}

static void says_that_nothing_comes_to_complete_a_head(void **state)
{
	(void)state;
	kernel.room = 1000;
	assert_int_equal(asked("GET / HTTP/1.1\r\n"), STREAM_MORE);
	stream->ended = true;
	kernel.deny = -EAGAIN; /* a response is due first */
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_int_equal(again(1000), STREAM_WAIT);
	assert_int_equal(kernel.client_len, 0);
	kernel.deny = 0;
	assert_int_equal(again(20), STREAM_WAIT);
	assert_int_equal(again(1000), STREAM_CLOSE);
	client_got(1, (enum request_reason[]){ REQUEST_TIMEOUT });
	assert_int_equal(kernel.denials, 1);
}

static void leaves_whole_requests_before_the_end_alone(void **state)
{
	(void)state;
	kernel.room = 1000;
	stream->ended = true;
	assert_int_equal(asked(NO_TOKEN), STREAM_RETURNED);
	client_got(1, (enum request_reason[]){ REQUEST_NO_TOKEN });
}
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(comes_in_any_number_of_parts),
		TEST(keeps_its_place),
		TEST(that_ends_the_connection_is_finished_first),
		TEST(stands_whatever_policy_comes),
		TEST(is_not_begun_before_its_turn),
		TEST(is_not_followed_by_another_when_time_is_up),
		TEST(comes_when_time_is_up_and_nothing_is_out),
		TEST(says_when_there_is_room_in_one_number),
		TEST(says_that_nothing_comes_to_complete_a_head),
		TEST(leaves_whole_requests_before_the_end_alone),
		TEST(does_not_go_on_in_what_the_service_sent_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

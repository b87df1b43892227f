// SPDX-License-Identifier: MIT
/* Test: an answer of the helper's that the send buffer takes in parts; what a client may take. No kernel is asked. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <bpf/bpf.h>

#include "core/util.h"
#include "replies.h"
#include "userspace-auth/stream.h"

#define NO_TOKEN "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define MALFORMED "GET / HTTP/1.1\r\nHost : a\r\n\r\n"

/* What stands for the kernel, and what came to it. */
static struct {
	struct conn conn;
	struct listener listener;
	bool guarded;	   /* the configuration has a listener for the connection */
	int deny;	   /* result of CONN_OP_DENY */
	uint32_t retry_s;  /* over a limit: CONN_OP_ALLOW says so and for how long */
	size_t room;	   /* bytes that the send buffer takes */
	char client[1024]; /* what the client got */
	size_t client_len;
	size_t service_len;	 /* bytes that the service got */
	uint32_t denials, last;	 /* CONN_OP_DENY that succeeded, and their last reason */
	uint32_t state;		 /* what the connection was returned to */
	uint8_t answering;	 /* what the last CONN_OP_TAKEN or CONN_OP_RETURN said */
	uint32_t asks, asks_max; /* CONN_OP_ASK, and how many of them are within the rate */
	uint32_t allowed, would; /* CONN_OP_ALLOW, and the last denial that a dry run let pass */
} kernel;

static struct control control = { .generation = 1 };
static struct config config;
static struct maps maps;
static struct stream_env env;
static struct stream *stream;

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	(void)key;
	if (fd == MAP_CONNS)
		memcpy(value, &kernel.conn, sizeof(kernel.conn));
	else if (fd == MAP_LISTENERS && kernel.guarded)
		memcpy(value, &kernel.listener, sizeof(kernel.listener));
	else
		return -(errno = ENOENT);
	return 0;
}

int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	struct conn_op *op = opts->data_out;

	(void)fd;
	op->result = 0;
	if (op->op == CONN_OP_ALLOW && kernel.retry_s) {
		op->result = -EDQUOT;
		op->retry_s = kernel.retry_s;
	} else if (op->op == CONN_OP_DENY) {
		op->result = kernel.deny;
		kernel.denials += !kernel.deny;
		kernel.last = op->reason;
	} else if (op->op == CONN_OP_ALLOW) {
		kernel.allowed++;
		kernel.would = op->would;
	} else if (op->op == CONN_OP_ASK && ++kernel.asks > kernel.asks_max) {
		op->result = -EDQUOT;
		op->retry_s = 7;
	} else if (op->op == CONN_OP_TAKEN || op->op == CONN_OP_RETURN) {
		kernel.answering = op->answering;
		if (op->op == CONN_OP_RETURN)
			kernel.state = op->state;
	}
	opts->retval = XDP_PASS;
	return 0;
}

ssize_t channel_answer(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	size_t n = len < kernel.room ? len : kernel.room;

	(void)channel;
	(void)cookie;
	if (!n)
		return -EAGAIN;
	assert_true(kernel.client_len + n < sizeof(kernel.client));
	memcpy(kernel.client + kernel.client_len, data, n);
	kernel.client_len += n;
	kernel.room -= n;
	return n;
}

int channel_hand(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	(void)channel;
	(void)cookie;
	(void)data;
	kernel.service_len += len;
	return 0;
}

static enum stream_result asked(const char *bytes)
{
	assert_int_equal(stream_append(&env, stream, bytes, strlen(bytes)), 0);
	return stream_run(&env, stream);
}

static enum stream_result again(size_t room)
{
	kernel.room = room;
	return stream_run(&env, stream);
}

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

static int setup(void **state)
{
	int i;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.guarded = true;
	kernel.listener.flags = LISTENER_REQUIRE_AUTH;
	kernel.state = CONN_STATE_MAX;
	for (i = 0; i < MAP_MAX; i++)
		maps.fd[i] = i;
	maps.control = &control;
	config = (struct config){ .clients = { .max_held_bytes = 1 << 20, .asks = { .enabled = true } } };
	kernel.asks_max = UINT32_MAX;
	env = (struct stream_env){ .judge = { .maps = &maps, .config = &config } };
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -1;
	stream->counted = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_free(&env, stream);
	return 0;
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

/* ---- what a client may take ---- */

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

#define ANSWER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ANSWER(comes_in_any_number_of_parts),
		ANSWER(keeps_its_place),
		ANSWER(that_ends_the_connection_is_finished_first),
		ANSWER(stands_whatever_policy_comes),
		ANSWER(is_not_begun_before_its_turn),
		ANSWER(is_not_followed_by_another_when_time_is_up),
		ANSWER(comes_when_time_is_up_and_nothing_is_out),
		ANSWER(says_when_there_is_room_in_one_number),
		ANSWER(says_that_nothing_comes_to_complete_a_head),
		ANSWER(leaves_whole_requests_before_the_end_alone),
		ANSWER(does_not_go_on_in_what_the_service_sent_unasked),
		ANSWER(the_first_request_was_counted_by_the_kernel),
		ANSWER(one_request_too_many_stays_that_until_it_is_answered),
		ANSWER(nothing_is_asked_where_asks_are_not_limited),
		ANSWER(many_requests_are_dealt_with_a_turn_at_a_time),
		ANSWER(memory_is_bounded_and_given_back),
		ANSWER(a_dry_run_lets_pass_what_came_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

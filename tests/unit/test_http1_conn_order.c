// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/conn.h: whether an answer given now would come after every response that is due. */
#include "tests/unit/conn_maps.h"

/* Positions all round the circle of 2^32, its seam included. */
static const uint32_t origins[] = { 0, 1, 1000, 0x7fffff00, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff };

static void sequence_numbers_go_round(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(origins); i++) {
		assert_false(seq_before(origins[i], origins[i]));
		assert_true(seq_before(origins[i], origins[i] + 1));
		assert_false(seq_before(origins[i] + 1, origins[i]));
		assert_true(seq_before(origins[i], origins[i] + 0x7fffffff));
		assert_false(seq_before(origins[i] + 0x7fffffff, origins[i]));
	}
}

/* One request allowed, its response of 100 bytes under way from `origin` on. */
static struct conn responding(uint32_t origin)
{
	return (struct conn){
		.allowed = 5,
		.answered = 4,
		.response = { .kind = BODY_LENGTH, .left = 100 },
		.response_seq = origin,
	};
}

static void idle_is_when_the_last_byte_is_written(void **state)
{
	struct conn conn;
	uint32_t n;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(origins); i++) {
		for (n = 0; n < 120; n++) {
			conn = responding(origins[i]);
			assert_int_equal(conn_response_over(&conn, origins[i] + n), n >= 100);
			assert_int_equal(conn_pending(&conn, origins[i] + n), n >= 100 ? 0 : 1);
			assert_int_equal(conn_idle(&conn, origins[i] + n), n >= 100);
			assert_false(conn_lost(&conn, origins[i] + n));
		}
		/* written before the response was seen to begin: no proof of anything */
		for (n = 1; n < 120; n++)
			assert_false(conn_idle(&conn, origins[i] - n));
	}
}

static void what_else_keeps_a_connection_busy(void **state)
{
	struct conn conn = {};

	(void)state;
	assert_true(conn_idle(&conn, 12345)); /* nothing was asked yet */
	conn = responding(1000);
	conn.response.kind = BODY_NONE; /* asked, and no response yet */
	assert_int_equal(conn_pending(&conn, 5000), 1);
	conn.answered = 5;
	assert_true(conn_idle(&conn, 5000));
	conn = responding(1000);
	conn.response.kind = BODY_CHUNKED; /* however much was written */
	assert_false(conn_idle(&conn, 5000));
	conn = responding(1000);
	conn.response.step = 1; /* 1xx */
	assert_int_equal(conn_pending(&conn, 5000), 1);
	conn = responding(1000);
	conn.allowed = 8;
	assert_int_equal(conn_pending(&conn, 5000), 3);
	assert_false(conn_idle(&conn, 5000));
	conn = responding(1000);
	conn.allowed = 2; /* modulo 2^32 */
	conn.answered = 0xffffffff;
	assert_int_equal(conn_pending(&conn, 1000), 3);
	assert_int_equal(conn_pending(&conn, 1100), 2);
	conn = responding(1000);
	conn.response.left = 1ULL << 32; /* more than sequence numbers can tell */
	assert_false(conn_idle(&conn, 999));
	assert_false(conn_idle(&conn, 0x80000000));
}

/* More than the response under way was written, though another is due: whose bytes those are, nobody knows. */
static void bytes_that_nobody_saw_are_noticed(void **state)
{
	struct conn conn;
	uint32_t n;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(origins); i++) {
		conn = responding(origins[i]);
		conn.allowed++;
		for (n = 0; n < 200; n++) {
			conn.response.kind = BODY_LENGTH;
			assert_int_equal(conn_unseen(&conn, origins[i] + n), n > 100);
			conn.response.kind = BODY_CHUNKED;
			conn.response.step = CHUNK_DATA;
			assert_int_equal(conn_unseen(&conn, origins[i] + n), n > 100);
			conn.response.step = CHUNK_DATA_CR;
			assert_int_equal(conn_unseen(&conn, origins[i] + n), n > 0);
			conn.response.step = 0;
			conn.response.kind = BODY_NONE;
			assert_int_equal(conn_unseen(&conn, origins[i] + n), n > 0);
			assert_int_equal(conn_lost(&conn, origins[i] + n), n > 0);
			assert_false(conn_idle(&conn, origins[i] + n));
			assert_false(conn_unseen(&conn, origins[i] - n));
		}
	}
}

/* However much is written in between: of the positions kept, none is older than the last request. */
static void positions_do_not_grow_old(void **state)
{
	struct conn conn = responding(1000);
	uint32_t seq = 1100;
	int i;

	(void)state;
	conn.flags = CONN_REPLIED;
	conn.reply_end = 900;
	for (i = 0; i < 20; i++) {
		conn_allow(&conn, seq, 1, false, false);
		assert_false(conn_reply_queued(&conn, seq));
		assert_int_equal(conn_pending(&conn, seq), 1);
		assert_int_equal(conn.response_seq, seq);
		conn.response = (struct http1_body){ .kind = BODY_LENGTH, .left = 0x60000000 };
		seq += 0x60000000;
		assert_false(conn_reply_queued(&conn, seq));
		assert_true(conn_idle(&conn, seq));
		conn_settle(&conn, seq);
		seq += 0x60000000; /* denials */
		assert_true(conn_idle(&conn, seq));
		conn_settle(&conn, seq);
		seq += 0x60000000;
		assert_true(conn_idle(&conn, seq));
	}
}

static void nothing_is_known_of_a_lost_connection(void **state)
{
	struct conn conn = { .response = { .kind = BODY_UNTIL_CLOSE }, .allowed = 3, .answered = 3 };

	(void)state;
	assert_true(conn_lost(&conn, 0));
	assert_false(conn_idle(&conn, 0));
	assert_false(conn_response_over(&conn, 1000));
	conn.response.kind = BODY_NONE;
	assert_false(conn_lost(&conn, 0));
}

static void the_kernels_answer_is_queued_until_written(void **state)
{
	struct conn conn;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(origins); i++) {
		conn = (struct conn){ .reply_end = origins[i] };
		assert_false(conn_reply_queued(&conn, origins[i] - 1));
		conn.flags = CONN_REPLIED;
		assert_true(conn_reply_queued(&conn, origins[i] - 1));
		assert_false(conn_reply_queued(&conn, origins[i]));
		assert_false(conn_reply_queued(&conn, origins[i] + 1));
	}
}

/* Each of the last 64 requests has its own bit, and the last one says whether an upgrade was asked for. */
static void allowed_requests_are_remembered(void **state)
{
	struct conn conn = { .allowed = 0xffffffe0, .answered = 0xffffff00 };
	uint32_t i, n;

	(void)state;
	for (i = 0; i < 200; i++) {
		n = conn.allowed;
		conn_allow(&conn, 0, 1, i % 3 == 0, i % 5 == 0);
		assert_int_equal(conn.allowed, n + 1);
		assert_int_equal(conn.no_body >> (n & 63) & 1, i % 3 == 0);
		if (i > 0)
			assert_int_equal(conn.no_body >> ((n - 1) & 63) & 1, (i - 1) % 3 == 0);
		if (i > 62)
			assert_int_equal(conn.no_body >> ((n - 63) & 63) & 1, (i - 63) % 3 == 0);
		assert_int_equal(conn.flags, i % 5 == 0 ? CONN_UPGRADE : 0);
	}
}

/* Of any request it can be told whether it was allowed under the generation that the last one was. */
static void who_judged_is_remembered(void **state)
{
	struct conn conn = { .allowed = 0xfffffffe, .answered = 0xfffffffe };
	static const uint32_t generations[] = { 7, 7, 7, 8, 8, 10 }, from[] = { -2, -2, -2, 1, 1, 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		conn_allow(&conn, 0, generations[i], false, false);
		assert_int_equal(conn.judged.generation, generations[i]);
		assert_int_equal(conn.judged.from, from[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers_go_round),
		cmocka_unit_test(idle_is_when_the_last_byte_is_written),
		cmocka_unit_test(what_else_keeps_a_connection_busy),
		cmocka_unit_test(bytes_that_nobody_saw_are_noticed),
		cmocka_unit_test(positions_do_not_grow_old),
		cmocka_unit_test(nothing_is_known_of_a_lost_connection),
		cmocka_unit_test(the_kernels_answer_is_queued_until_written),
		cmocka_unit_test(allowed_requests_are_remembered),
		cmocka_unit_test(who_judged_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

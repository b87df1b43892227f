// SPDX-License-Identifier: MIT
/*
 * Unit tests of bpf/include/conn.h, compiled natively over maps that the test answers for: which listener a connection
 * has, and whether an answer given now would come after every response that is due.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What maps.h and conn.h take from libbpf when they are compiled for BPF. */
#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define bpf_htonl(x) htonl(x)
static void *bpf_map_lookup_elem(void *map, const void *key);

#include "conn.h"
#include "core/util.h"

static struct {
	struct listener_key key;
	struct listener value;
} entries[16];
static size_t n_entries;
static struct request_stats counters;
static struct control state_of_control;
static void (*before_lookup)(void);

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	size_t i;

	if (map == (void *)&control)
		return &state_of_control;
	if (map == (void *)&request_stats)
		return &counters;
	assert_ptr_equal(map, &listeners);
	for (i = 0; i < n_entries; i++)
		if (!memcmp(key, &entries[i].key, sizeof(entries[i].key)))
			return &entries[i].value;
	if (before_lookup)
		before_lookup();
	return NULL;
}

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, addr.b), 1);
	return addr;
}

static void listen_on(uint32_t generation, const char *addr, uint16_t port, uint16_t index)
{
	assert_true(n_entries < ARRAY_SIZE(entries));
	entries[n_entries].key =
		(struct listener_key){ .generation = generation, .port = htons(port), .addr = address(addr) };
	entries[n_entries++].value = (struct listener){ .index = index, .flags = LISTENER_REQUIRE_AUTH };
}

static int reset(void **state)
{
	(void)state;
	n_entries = 0;
	before_lookup = NULL;
	memset(&counters, 0, sizeof(counters));
	memset(&state_of_control, 0, sizeof(state_of_control));
	return 0;
}

/* The index of the listener found, or -1. */
static int found(uint32_t generation, const char *addr, uint16_t port)
{
	struct addr a = address(addr);
	struct listener *l = listener_find(generation, &a, htons(port));

	return l ? l->index : -1;
}

static void the_most_exact_address_wins(void **state)
{
	(void)state;
	listen_on(3, "::", 80, 1);
	listen_on(3, "::ffff:0.0.0.0", 80, 2);
	listen_on(3, "::ffff:10.0.0.1", 80, 3);
	listen_on(3, "fd00::1", 80, 4);
	listen_on(3, "::ffff:0.0.0.0", 81, 5);
	listen_on(4, "::ffff:10.0.0.2", 80, 6);
	listen_on(3, "::1:ffff:0.0.0.0", 80, 7);
	listen_on(3, "1::ffff:0.0.0.0", 80, 8);
	listen_on(3, "::fffe:0.0.0.0", 80, 9);
	assert_int_equal(found(3, "::ffff:10.0.0.1", 80), 3);
	assert_int_equal(found(3, "::ffff:10.0.0.2", 80), 2);
	assert_int_equal(found(4, "::ffff:10.0.0.2", 80), 6);
	assert_int_equal(found(3, "fd00::1", 80), 4);
	assert_int_equal(found(3, "fd00::2", 80), 1);
	assert_int_equal(found(3, "::1", 80), 1);
	/* nearly mapped: only of a mapped address the last word is left out */
	assert_int_equal(found(3, "::1:ffff:10.0.0.1", 80), 1);
	assert_int_equal(found(3, "1::ffff:10.0.0.1", 80), 1);
	assert_int_equal(found(3, "::fffe:10.0.0.1", 80), 1);
	assert_int_equal(found(3, "::ffff:10.0.0.1", 81), 5);
	assert_int_equal(found(3, "fd00::1", 81), -1);
	assert_int_equal(found(3, "::ffff:10.0.0.1", 82), -1);
	assert_int_equal(found(5, "::ffff:10.0.0.1", 80), -1);
}

static void an_ipv4_address_is_mapped(void **state)
{
	struct addr expected = address("::ffff:192.0.2.7"), addr;

	(void)state;
	memset(&addr, 0xff, sizeof(addr));
	addr_set4(&addr, inet_addr("192.0.2.7"));
	assert_memory_equal(&addr, &expected, sizeof(addr));
}

static void a_reload_is_seen_once(void **state)
{
	struct conn conn = { .generation = 1, .local = address("::ffff:10.0.0.1"), .local_port = htons(80) };

	(void)state;
	listen_on(2, "::", 80, 7);
	conn.listener.index = 3;
	state_of_control.generation = 1;
	conn_refresh(&conn, &state_of_control);
	assert_int_equal(conn.listener.index, 3);
	state_of_control.generation = 2;
	conn_refresh(&conn, &state_of_control);
	assert_int_equal(conn.listener.index, 7);
	assert_int_equal(conn.listener.flags, LISTENER_REQUIRE_AUTH);
	assert_int_equal(conn.generation, 2);
	state_of_control.generation = 3;
	conn_refresh(&conn, &state_of_control);
	assert_int_equal(conn.listener.flags, LISTENER_GONE);
	assert_int_equal(conn.generation, 3);
}

static void next_generation(void)
{
	state_of_control.generation = 9;
}

/* The generation read is replaced, and its keys taken away, before the lookup: the listener is not gone. */
static void a_reload_during_the_lookup_is_not_the_end(void **state)
{
	struct conn conn = { .generation = 1, .local = address("::1"), .local_port = htons(80) };

	(void)state;
	listen_on(9, "::", 80, 7);
	state_of_control.generation = 8;
	before_lookup = next_generation;
	conn_refresh(&conn, &state_of_control);
	assert_int_equal(conn.generation, 9);
	assert_int_equal(conn.listener.index, 7);
	assert_int_equal(conn.listener.flags, LISTENER_REQUIRE_AUTH);
}

/* ---- responses ---- */

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
		conn_allow(&conn, seq, false, false);
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
		conn_allow(&conn, 0, i % 3 == 0, i % 5 == 0);
		assert_int_equal(conn.allowed, n + 1);
		assert_int_equal(conn.no_body >> (n & 63) & 1, i % 3 == 0);
		if (i > 0)
			assert_int_equal(conn.no_body >> ((n - 1) & 63) & 1, (i - 1) % 3 == 0);
		if (i > 62)
			assert_int_equal(conn.no_body >> ((n - 63) & 63) & 1, (i - 63) % 3 == 0);
		assert_int_equal(conn.flags, i % 5 == 0 ? CONN_UPGRADE : 0);
	}
}

/* What the gate has taken of a connection keeps it watched, until that is through or the connection is closed. */
static void connections_with_bytes_ahead_are_counted(void **state)
{
	struct conn conn = { .state = CONN_BODY };

	(void)state;
	conns_asking_add(conn_become(&conn, CONN_HELPER) + conn_set_front(&conn, front_make(0xffffffff, 7)));
	assert_int_equal(state_of_control.conns_asking, 1);
	conns_asking_add(conn_become(&conn, CONN_HEAD));
	assert_int_equal(state_of_control.conns_asking, 1);
	conns_asking_add(conn_set_front(&conn, front_make(9, 1) | FRONT_AT_WORK));
	assert_int_equal(state_of_control.conns_asking, 1);
	conns_asking_add(conn_set_front(&conn, front_make(9, 0) | FRONT_AT_WORK));
	assert_int_equal(state_of_control.conns_asking, 0);
	conns_asking_add(conn_set_front(&conn, front_make(9, 1) | FRONT_AT_WORK));
	conns_asking_add(conn_become(&conn, CONN_CLOSED));
	conns_asking_add(conn_set_front(&conn, front_make(9, 0) | FRONT_AT_WORK));
	assert_int_equal(state_of_control.conns_asking, 0);
}

/* conns_asking is the number of connections in CONN_HELPER, whatever they went through. */
static void connections_that_ask_are_counted(void **state)
{
	struct conn conns_in_test[3] = {};
	uint32_t i, from, to, asking;

	(void)state;
	for (from = 0; from < CONN_STATE_MAX; from++) {
		for (to = 0; to < CONN_STATE_MAX; to++) {
			for (i = 0; i < ARRAY_SIZE(conns_in_test); i++)
				conns_asking_add(conn_become(&conns_in_test[i], i % 2 ? from : to));
			asking = (from == CONN_HELPER) + 2 * (to == CONN_HELPER);
			assert_int_equal(state_of_control.conns_asking, asking);
			assert_int_equal(conns_in_test[0].state, to);
			assert_int_equal(conns_in_test[1].state, from);
		}
	}
}

static void reasons_are_counted(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < REQUEST_REASON_MAX + 3; i++)
		stats_reason(i);
	stats_reason(REQUEST_RATE);
	for (i = 0; i < REQUEST_REASON_MAX; i++)
		assert_int_equal(counters.reasons[i], i == REQUEST_RATE ? 2 : 1);
	assert_int_equal(counters.asked, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_most_exact_address_wins, reset),
		cmocka_unit_test(an_ipv4_address_is_mapped),
		cmocka_unit_test_setup(a_reload_is_seen_once, reset),
		cmocka_unit_test_setup(a_reload_during_the_lookup_is_not_the_end, reset),
		cmocka_unit_test(sequence_numbers_go_round),
		cmocka_unit_test(idle_is_when_the_last_byte_is_written),
		cmocka_unit_test(what_else_keeps_a_connection_busy),
		cmocka_unit_test(bytes_that_nobody_saw_are_noticed),
		cmocka_unit_test(positions_do_not_grow_old),
		cmocka_unit_test(nothing_is_known_of_a_lost_connection),
		cmocka_unit_test(the_kernels_answer_is_queued_until_written),
		cmocka_unit_test(allowed_requests_are_remembered),
		cmocka_unit_test_setup(connections_that_ask_are_counted, reset),
		cmocka_unit_test_setup(connections_with_bytes_ahead_are_counted, reset),
		cmocka_unit_test_setup(reasons_are_counted, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

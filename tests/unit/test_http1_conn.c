// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/conn.h: which listener a connection has, and how many there are of a kind. */
#include "tests/unit/conn_maps.h"

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

/* ---- counting ---- */

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
		cmocka_unit_test_setup(connections_that_ask_are_counted, reset),
		cmocka_unit_test_setup(connections_with_bytes_ahead_are_counted, reset),
		cmocka_unit_test_setup(reasons_are_counted, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

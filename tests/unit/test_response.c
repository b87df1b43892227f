// SPDX-License-Identifier: MIT
/*
 * Unit test of bpf/include/response.h, compiled natively: services that send responses of every kind in writes of every size
 * through a socket that takes what it likes. The kernel's way to run an sk_msg program is modelled: after a write that is cut
 * short it keeps the verdict, and asks again only when as many bytes went out as the verdict is for.
 *
 * Two sockets: one that keeps to the room that it shows, where the place in the responses is never lost; and one that refuses
 * at will, where it may be lost, but where a connection is never taken to be idle while a response is under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "response_socket.h"
#include "core/util.h"

/* ---- a service, and what is true of it ---- */

#define OUT_MAX (1 << 20)

static uint8_t out[OUT_MAX + 8];    /* what the service has to send */
static size_t out_len, out_pos;	    /* all told; of which the socket took so much */
static uint32_t allowed, responded; /* requests; those whose response is in `out` */
static bool no_body[64];

static void say(const char *text)
{
	size_t n = strlen(text);

	assert_true(out_len + n <= OUT_MAX);
	memcpy(out + out_len, text, n);
	out_len += n;
}

static void say_content(uint32_t n)
{
	uint32_t i;

	assert_true(out_len + n <= OUT_MAX);
	for (i = 0; i < n; i++)
		out[out_len++] = fake[i % (sizeof(fake) - 1)];
}

static void say_head(const char *status, const char *field)
{
	char head[256];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%s\r\n", status, field);
	say(head);
}

static void say_chunks(uint32_t n)
{
	char line[32];
	uint32_t m;

	for (; n; n -= m) {
		m = 1 + below(n < 3000 ? n : 3000);
		if (m > sizeof(fake) && below(2))
			m -= m % (sizeof(fake) - 1);
		snprintf(line, sizeof(line), "%x\r\n", m);
		say(line);
		say_content(m);
		say("\r\n");
	}
	say(below(2) ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\n");
}

/* The response to the next request that has none. */
static void respond(void)
{
	uint32_t n = below(4) ? below(300) : below(8000);
	bool headless = no_body[responded++ & 63];
	char field[64];

	if (!below(8))
		say_head("100 Continue", "");
	snprintf(field, sizeof(field), "Content-Length: %u\r\n", n);
	if (!below(8)) {
		say_head(below(2) ? "204 No Content" : "304 Not Modified", "");
	} else if (below(2)) {
		say_head("200 OK", field);
		say_content(headless ? 0 : n);
	} else {
		say_head("200 OK", "Transfer-Encoding: chunked\r\n");
		if (!headless)
			say_chunks(n);
	}
}

/* A write of the service: from where it is to anywhere. */
static void service_writes(void)
{
	size_t left = out_len - out_pos, most = below(2) ? left : sizeof(fake);
	size_t to = below(2) ? out_len : out_pos + cut(out + out_pos, 1 + below(left < most ? left : most), left);

	out_pos += transmit(out + out_pos, to - out_pos);
	if (out_pos == out_len)
		out_pos = out_len = 0;
}

/* The kernel's own answer, or, not seen by the program, the helper's. */
static void own_answer(void)
{
	static const uint8_t answer[600] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
	uint32_t n = 60 + below(500), sent = 0;

	conn_settle(&conn, tp.write_seq);
	if (below(2)) {
		tp.write_seq += n;
		return;
	}
	conn.reply_end = tp.write_seq + n;
	conn.flags |= CONN_REPLIED;
	while (sent < n) {
		sent += transmit(answer + sent, n - sent);
		drain();
	}
}

static void open_connection(uint32_t seed)
{
	static const uint32_t origins[] = { 0, 1000, 0x7fffff00, 0x80000000, 0xffffff00, 0xffffffff };

	random_state = seed + 1;
	out_len = out_pos = 0;
	allowed = responded = keeps = 0;
	kept = has_kept_piece = false;
	conn = (struct conn){};
	conn.listener.headers = !hostile && below(2);
	net.ipv4.sysctl_tcp_notsent_lowat = below(2) ? 0xffffffff : 1 + below(20000);
	tp = (struct tcp_sock){ .write_seq = origins[below(ARRAY_SIZE(origins))] };
	tp.snd_nxt = tp.write_seq;
	tp.mss_cache = below(2) ? 1428 : 536 + below(10000);
	tail = 0;
	tp.inet_conn.icsk_inet.sk.__sk_common.skc_net.net = &net;
	tp.inet_conn.icsk_inet.sk.sk_sndbuf = below(2) ? 4608 : 4608 + below(100000);
}

static bool truly_idle(void)
{
	return responded == allowed && out_pos == out_len;
}

static void allow(void)
{
	bool head = !below(5);

	no_body[allowed++ & 63] = head;
	conn_allow(&conn, tp.write_seq, 1, head, false);
}

/* One turn of whatever may happen. */
static void step(void)
{
	uint32_t what = below(10);

	if (what < 3 && allowed - responded < 3 && out_len < OUT_MAX / 4)
		allow();
	else if (what < 6 && responded != allowed)
		respond();
	else if (what < 9 && out_pos < out_len)
		service_writes();
	else if (conn_idle(&conn, tp.write_seq))
		own_answer();
	if (below(2))
		drain();
}

static void never_idle_within_a_response(void **state)
{
	uint32_t seed, i, lost = 0, idle = 0;

	(void)state;
	hostile = true;
	for (seed = 0; seed < 10000; seed++) {
		open_connection(seed);
		for (i = 0; i < 300 && !conn_lost(&conn, tp.write_seq); i++) {
			step();
			if (conn_idle(&conn, tp.write_seq) && !truly_idle())
				fail_msg("seed %u, step %u: idle within a response", seed, i);
			idle += truly_idle();
		}
		lost += conn_lost(&conn, tp.write_seq);
	}
	assert_true(lost > 1000 && idle > 10000); /* it is hostile, and not always */
}

static void never_lost_where_the_room_is_true(void **state)
{
	uint32_t seed, i, idle = 0;

	(void)state;
	hostile = false;
	for (seed = 0; seed < 600; seed++) {
		open_connection(seed);
		for (i = 0; i < 300; i++) {
			step();
			if (conn_lost(&conn, tp.write_seq))
				fail_msg("seed %u, step %u: lost", seed, i);
			if (conn_idle(&conn, tp.write_seq) != truly_idle())
				fail_msg("seed %u, step %u: idle and yet not, or the reverse", seed, i);
			idle += truly_idle();
		}
	}
	assert_true(idle > 3000);
}

/* Whether the end of a response of 1000 bytes is noticed when its bytes from `from` to `to` pass unseen. */
static bool followed(const char *field, bool chunked, uint32_t from, uint32_t to)
{
	open_connection(0);
	conn.listener.headers = 0;
	allow();
	conn.no_body = 0;
	say_head("200 OK", field);
	if (chunked)
		say("3e8\r\n");
	say_content(1000);
	if (chunked)
		say("\r\n0\r\n\r\n");
	message_begin(out, from);
	judge();
	tp.write_seq += to;
	message_begin(out + to, out_len - to);
	judge();
	tp.write_seq += out_len - to;
	return conn_idle(&conn, tp.write_seq);
}

static void content_need_not_be_seen(void **state)
{
	static const char length[] = "Content-Length: 1000\r\n", chunked[] = "Transfer-Encoding: chunked\r\n";
	uint32_t head = strlen("HTTP/1.1 200 OK\r\n\r\n"), body = head + strlen(length);

	(void)state;
	assert_true(followed(length, false, body, body + 500));
	assert_true(followed(length, false, body, body + 999));
	assert_false(followed(length, false, 0, body));
	body = head + strlen(chunked) + 5;
	assert_true(followed(chunked, true, body, body + 500));
	assert_true(followed(chunked, true, body + 10, body + 1000));
	assert_false(followed(chunked, true, body, body + 1001));
	assert_false(followed(chunked, true, body - 1, body));
	assert_false(followed(chunked, true, 0, body));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_need_not_be_seen),
		cmocka_unit_test(never_idle_within_a_response),
		cmocka_unit_test(never_lost_where_the_room_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

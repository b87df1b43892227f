/* SPDX-License-Identifier: MIT */
/* Test: connections of another network namespace are closed as soon as its door can be had; this file is the porter (needs root). */
#include "tcp_pair.h"

#include <bpf/bpf.h>
#include <event2/event.h>

#include "userspace-auth/closing.h"
#include "userspace-auth/doors.h"

#define ELSEWHERE (1ULL << 40) /* no namespace of this machine got so far */
#define PATIENCE_MS 10000      /* for what has to come within 5 s */

struct fixture {
	struct event_base *base;
	struct closing closing;
	struct control control;
	struct maps maps;
	struct pair pair;
	int porter, theirs;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct conn conn = { .netns = ELSEWHERE };
	int pair[2];

	assert_non_null(f);
	*f = (struct fixture){ .maps = MAPS_EMPTY, .base = event_base_new(), .pair = pair_open(IPV4, NULL) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	f->theirs = pair[0];
	f->porter = pair[1];
	f->maps.control = &f->control;
	f->maps.fd[MAP_CONNS] = bpf_map_create(BPF_MAP_TYPE_HASH, NULL, sizeof(uint64_t), sizeof(conn), 4, NULL);
	assert_true(f->maps.fd[MAP_CONNS] >= 0);
	conn.local = f->pair.server.addr;
	conn.local_port = f->pair.server.port;
	conn.remote = f->pair.client.addr;
	conn.remote_port = f->pair.client.port;
	assert_int_equal(bpf_map_update_elem(f->maps.fd[MAP_CONNS], &f->pair.server.cookie, &conn, BPF_ANY), 0);
	closing_init(&f->closing);
	assert_int_equal(closing_open(&f->closing, &f->maps, f->theirs, f->base), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	closing_close(&f->closing);
	event_base_free(f->base);
	pair_close(&f->pair);
	close_fd(&f->maps.fd[MAP_CONNS]);
	close_fd(&f->porter);
	close_fd(&f->theirs);
	free(f);
	return 0;
}

static void turn(const struct fixture *f)
{
	struct timeval end = { .tv_usec = 10000 };

	event_base_loopexit(f->base, &end);
	event_base_dispatch(f->base);
}

/* Waits until it is asked for the namespace. */
static void await_question(const struct fixture *f)
{
	struct door_request request = {};
	int i;

	for (i = 0; i < PATIENCE_MS / 10 && recv(f->porter, &request, sizeof(request), MSG_DONTWAIT) < 0; i++)
		turn(f);
	assert_true(request.netns == ELSEWHERE);
}

/* fd: it goes along; -1: none does. */
static void answer(const struct fixture *f, int error, int fd)
{
	const struct door_answer text = { .netns = ELSEWHERE, .error = error };

	assert_int_equal(door_answer_send(f->porter, &text, fd), 0);
}

static bool is_reset_soon(const struct fixture *f)
{
	bool open = true;
	char c;

	for (int i = 0; i < PATIENCE_MS / 10 && open; i++) {
		turn(f);
		open = recv(f->pair.client.fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
	}
	return !open && errno == ECONNRESET;
}

static void one_that_cannot_be_had_just_now_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	closing_add(&f->closing, f->pair.server.cookie);
	await_question(f);
	answer(f, -EMFILE, -1);
	await_question(f);
	is_alive(&f->pair);
	answer(f, 0, diag);
	assert_true(is_reset_soon(f));
	assert_int_equal(f->control.unclosed, 0);
}

static void without_a_porter_it_is_counted(void **state)
{
	struct fixture *f = *state;

	close_fd(&f->porter);
	closing_add(&f->closing, f->pair.server.cookie);
	for (int i = 0; i < PATIENCE_MS / 10 && !f->control.unclosed; i++)
		turn(f);
	assert_int_equal(f->control.unclosed, 1);
	is_alive(&f->pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_that_cannot_be_had_just_now_is_asked_for_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_porter_it_is_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: MIT
/* Test: sockets of sock_diag for other network namespaces: asked for once, bounded, let go when idle; this file is the porter. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/sock_diag.h"
#include "core/util.h"
#include "userspace-auth/doors.h"

#define ELSEWHERE (1ULL << 40) /* no namespace of this machine got so far */
#define IDLE_MS 3000	       /* as in doors.c, */
#define TERM_MS 1000	       /* likewise */

struct fixture {
	struct event_base *base;
	struct doors *doors;
	int porter;
	int theirs;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	f->theirs = pair[0];
	f->porter = pair[1];
	f->base = event_base_new();
	assert_int_equal(doors_open(f->theirs, f->base, &f->doors), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	doors_close(f->doors);
	event_base_free(f->base);
	close_fd(&f->porter);
	close_fd(&f->theirs);
	free(f);
	return 0;
}

/* The namespace that it was asked for, 0: none. */
static uint64_t asked(const struct fixture *f)
{
	struct door_request request = {};
	ssize_t n = recv(f->porter, &request, sizeof(request), MSG_DONTWAIT);

	assert_true(n == sizeof(request) || (n < 0 && errno == EAGAIN));
	return request.netns;
}

/* fd: it goes along and is closed here; -1: none does. */
static void answer(const struct fixture *f, uint64_t netns, int error, int fd)
{
	const struct door_answer text = { .netns = netns, .error = error };

	assert_int_equal(door_answer_send(f->porter, &text, fd), 0);
	if (fd >= 0)
		close(fd);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* A socket for the doors, and one that tells whether they still have it: the other end. */
static int handed_out(int *ret_other)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*ret_other = pair[1];
	return pair[0];
}

static bool is_held(int other)
{
	char c;

	return recv(other, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void pass_time(const struct fixture *f, int ms)
{
	struct timeval end = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(f->base, &end);
	event_base_dispatch(f->base);
}

static void own_namespace_needs_nobody(void **state)
{
	struct fixture *f = *state;
	uint64_t own = 0;
	socklen_t len = sizeof(own);
	int fd = doors_get(f->doors, 0);

	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &own, &len), 0);
	assert_int_equal(doors_get(f->doors, own), fd);
	assert_int_equal(asked(f), 0);
}

static void one_is_asked_for_once(void **state)
{
	struct fixture *f = *state;
	int other, fd;

	assert_int_equal(doors_get(f->doors, ELSEWHERE), -EAGAIN);
	assert_int_equal(doors_get(f->doors, ELSEWHERE), -EAGAIN);
	assert_true(asked(f) == ELSEWHERE);
	assert_int_equal(asked(f), 0);
	answer(f, ELSEWHERE, 0, handed_out(&other));
	fd = doors_get(f->doors, ELSEWHERE);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(doors_get(f->doors, ELSEWHERE), fd);
	assert_int_equal(asked(f), 0);
	assert_true(is_held(other));
	close(other);
}

static void an_answer_that_nobody_waits_for_is_closed(void **state)
{
	struct fixture *f = *state;
	int first, second;

	answer(f, ELSEWHERE + 1, 0, handed_out(&first));
	assert_false(is_held(first));
	assert_int_equal(doors_get(f->doors, ELSEWHERE), -EAGAIN);
	answer(f, ELSEWHERE, 0, handed_out(&second));
	close(first);
	answer(f, ELSEWHERE, 0, handed_out(&first));
	assert_false(is_held(first));
	assert_true(is_held(second));
	close(first);
	close(second);
}

static void failures_are_told_and_forgotten(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(doors_get(f->doors, ELSEWHERE), -EAGAIN);
	assert_true(asked(f) == ELSEWHERE);
	answer(f, ELSEWHERE, -ESRCH, -1);
	assert_int_equal(doors_get(f->doors, ELSEWHERE), -ESRCH);
	assert_int_equal(asked(f), 0);
	/* A socket that got lost, for want of descriptors, is a failure too. */
	assert_int_equal(doors_get(f->doors, ELSEWHERE + 1), -EAGAIN);
	assert_true(asked(f) == ELSEWHERE + 1);
	answer(f, ELSEWHERE + 1, 0, -1);
	assert_int_equal(doors_get(f->doors, ELSEWHERE + 1), -EMFILE);
	pass_time(f, IDLE_MS + 1000);
	assert_int_equal(doors_get(f->doors, ELSEWHERE), -EAGAIN);
	assert_true(asked(f) == ELSEWHERE);
}

static void idle_ones_are_let_go(void **state)
{
	struct fixture *f = *state;
	int idle, used;

	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(doors_get(f->doors, ELSEWHERE + i), -EAGAIN);
	answer(f, ELSEWHERE, 0, handed_out(&idle));
	answer(f, ELSEWHERE + 1, 0, handed_out(&used));
	for (int i = 0; i < 4; i++) {
		pass_time(f, IDLE_MS / 3);
		assert_true(doors_get(f->doors, ELSEWHERE + 1) >= 0);
	}
	assert_false(is_held(idle));
	assert_true(is_held(used));
	close(idle);
	close(used);
}

static void so_many_at_a_time(void **state)
{
	struct fixture *f = *state;
	int others[3];

	for (uint64_t i = 0; i < DOORS_MAX; i++)
		assert_int_equal(doors_get(f->doors, ELSEWHERE + i), -EAGAIN);
	for (uint64_t i = 0; i < DOORS_MAX; i++)
		assert_true(asked(f) == ELSEWHERE + i);
	/* All are being opened: no more is asked for. */
	assert_int_equal(doors_get(f->doors, ELSEWHERE + DOORS_MAX), -EAGAIN);
	assert_int_equal(asked(f), 0);
	for (uint64_t i = 0; i < ARRAY_SIZE(others); i++)
		answer(f, ELSEWHERE + i, 0, handed_out(&others[i]));
	/* Whose turn has just begun, or who does not know yet, makes no room for others. */
	for (uint64_t i = 0; i < ARRAY_SIZE(others) - 1; i++)
		assert_true(doors_get(f->doors, ELSEWHERE + i) >= 0);
	assert_int_equal(doors_get(f->doors, ELSEWHERE + DOORS_MAX), -EAGAIN);
	assert_int_equal(asked(f), 0);
	pass_time(f, TERM_MS + 200);
	assert_true(doors_get(f->doors, ELSEWHERE) >= 0);
	/* The one that was used longest ago does. */
	assert_int_equal(doors_get(f->doors, ELSEWHERE + DOORS_MAX), -EAGAIN);
	assert_true(asked(f) == ELSEWHERE + DOORS_MAX);
	assert_true(is_held(others[0]));
	assert_false(is_held(others[1]));
	assert_true(is_held(others[2]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i]);
}

/* More than there can be, all of them wanted all the time: they take turns, and the porter has not more to do than that takes. */
static void more_than_there_are_doors(void **state)
{
	enum { MANY = DOORS_MAX + 60, ROUNDS = 350, ROUND_MS = 10 };
	struct fixture *f = *state;
	unsigned int had[MANY] = {}, n_asked = 0;
	int64_t began = clock_ns(CLOCK_MONOTONIC);
	uint64_t netns;
	int other;

	for (int round = 0; round < ROUNDS; round++) {
		for (uint64_t i = 0; i < MANY; i++)
			had[i] += doors_get(f->doors, ELSEWHERE + i) >= 0;
		while ((netns = asked(f))) {
			n_asked++;
			answer(f, netns, 0, handed_out(&other));
			close(other);
		}
		pass_time(f, ROUND_MS);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_true(had[i] > 0);
	assert_true(n_asked >= MANY);
	/* As many in each second, and what is there from the start. */
	assert_true(n_asked <= DOORS_MAX * (2 + (clock_ns(CLOCK_MONOTONIC) - began) / NSEC_PER_SEC));
}

static void without_a_porter(void **state)
{
	struct fixture *f = *state;
	struct doors *none;
	int other;

	assert_int_equal(doors_open(-1, f->base, &none), 0);
	assert_true(doors_get(none, 0) >= 0);
	assert_int_equal(doors_get(none, ELSEWHERE), -EPIPE);
	doors_close(none);

	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(doors_get(f->doors, ELSEWHERE + i), -EAGAIN);
	answer(f, ELSEWHERE, 0, handed_out(&other));
	close_fd(&f->porter);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	/* What it opened is good; what it was asked for does not come. */
	assert_true(doors_get(f->doors, ELSEWHERE) >= 0);
	assert_int_equal(doors_get(f->doors, ELSEWHERE + 1), -EPIPE);
	assert_int_equal(doors_get(f->doors, ELSEWHERE + 2), -EPIPE);
	close(other);
}

#define DOORS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOORS_TEST(own_namespace_needs_nobody),
		DOORS_TEST(one_is_asked_for_once),
		DOORS_TEST(an_answer_that_nobody_waits_for_is_closed),
		DOORS_TEST(failures_are_told_and_forgotten),
		DOORS_TEST(idle_ones_are_let_go),
		DOORS_TEST(so_many_at_a_time),
		DOORS_TEST(more_than_there_are_doors),
		DOORS_TEST(without_a_porter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Test: SOCK_DESTROY of single connections, IPv4, IPv6 and mapped: the right one and no other. */
#include <sys/wait.h>

#include "tests/unit/tcp_pair.h"

static void is_cut_off(const struct pair *p)
{
	char c;

	assert_true(recv(p->server.fd, &c, 1, 0) == -1 && errno == ECONNABORTED);
	assert_true(recv(p->client.fd, &c, 1, 0) == -1 && errno == ECONNRESET);
}

static void destroys_each_family(void **state)
{
	enum kind kind;

	(void)state;
	for (kind = IPV4; kind < KINDS; kind++) {
		struct pair p = pair_open(kind, NULL), after = { .listener = p.listener };

		is_alive(&p);
		assert_int_equal(destroy(&p, p.server.cookie), 0);
		is_cut_off(&p);
		assert_int_equal(destroy(&p, p.server.cookie), -ENOENT);
		assert_int_equal(unacked(&p.server, &p.client, p.server.cookie), -ENOENT);
		/* The listener lives on. */
		pair_connect(&after, kind, 0, 0);
		is_alive(&after);
		close(p.server.fd);
		close(p.client.fd);
		pair_close(&after);
	}
}

/* SO_BINDTODEVICE, VRFs and link-local addresses tie a connection to a device, which a plain look-up does not see. */
static void destroys_what_is_tied_to_a_device(void **state)
{
	enum kind kind;

	(void)state;
	for (kind = IPV4; kind < KINDS; kind++) {
		struct pair p = pair_open(kind, "lo");

		assert_int_equal(destroy(&p, p.server.cookie + 1), -ENOENT);
		assert_int_equal(unacked(&p.server, &p.client, p.server.cookie), 0);
		is_alive(&p);
		assert_int_equal(destroy(&p, p.server.cookie), 0);
		is_cut_off(&p);
		pair_close(&p);
	}
}

static void wrong_cookie_harms_nobody(void **state)
{
	enum kind kind;
	size_t i;

	(void)state;
	for (kind = IPV4; kind < KINDS; kind++) {
		struct pair p = pair_open(kind, NULL), other = pair_open(kind, NULL);
		const uint64_t c = p.server.cookie;
		const uint64_t wrong[] = {
			0, c + 1, c - 1, c | 1ULL << 32, c << 32, p.client.cookie, other.server.cookie
		};

		for (i = 0; i < ARRAY_SIZE(wrong); i++) {
			assert_int_equal(destroy(&p, wrong[i]), -ENOENT);
			assert_int_equal(unacked(&p.server, &p.client, wrong[i]), -ENOENT);
		}
		/* To the kernel this one means "whoever has these addresses". */
		assert_int_equal(destroy(&p, UINT64_MAX), -EINVAL);
		assert_int_equal(unacked(&p.server, &p.client, UINT64_MAX), -EINVAL);
		/* The other end of the same connection is another socket. */
		assert_int_equal(
			sock_diag_destroy(diag, &p.client.addr, p.client.port, &p.server.addr, p.server.port, c),
			-ENOENT);
		is_alive(&p);
		is_alive(&other);
		pair_close(&p);
		pair_close(&other);
	}
}

static void successor_with_the_same_addresses_is_left_alone(void **state)
{
	struct linger reset = { .l_onoff = 1 };
	struct pair p = { .listener = listener_open(IPV4, NULL) }, next = { .listener = p.listener };

	(void)state;
	pair_connect(&p, IPV4, INADDR_LOOPBACK, htons(23456));
	assert_int_equal(setsockopt(p.client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(p.client.fd);
	close(p.server.fd);
	pair_connect(&next, IPV4, INADDR_LOOPBACK, htons(23456));
	assert_int_equal(next.client.port, p.client.port);
	assert_int_equal(next.server.port, p.server.port);
	assert_int_equal(destroy(&p, p.server.cookie), -ENOENT);
	is_alive(&next);
	assert_int_equal(destroy(&next, next.server.cookie), 0);
	is_cut_off(&next);
	pair_close(&next);
}

/* One pair of ports, many addresses: the dump that looks for the device takes several datagrams. */
static void finds_one_among_many(void **state)
{
	enum { MANY = 250 };
	struct pair p[MANY];
	int listener = listener_open(IPV4, "lo"), i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		p[i].listener = listener;
		pair_connect(&p[i], IPV4, INADDR_LOOPBACK + 1 + (uint32_t)i, htons(23457));
	}
	for (i = 0; i < MANY; i += 83) {
		assert_int_equal(unacked(&p[i].server, &p[i].client, p[i].server.cookie), 0);
		assert_int_equal(destroy(&p[i], p[i].server.cookie), 0);
		assert_int_equal(destroy(&p[i], p[i].server.cookie), -ENOENT);
	}
	for (i = 0; i < MANY; i++) {
		if (i % 83)
			is_alive(&p[i]);
		else
			is_cut_off(&p[i]);
		close(p[i].server.fd);
		close(p[i].client.fd);
	}
	close(listener);
}

static void needs_the_capability(void **state)
{
	struct pair p = pair_open(IPV4, NULL);
	int status;
	pid_t pid;

	(void)state;
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534))
			_exit(2);
		_exit(destroy(&p, p.server.cookie) != -EPERM || unacked(&p.server, &p.client, p.server.cookie) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	is_alive(&p);
	pair_close(&p);
}

static void failures_are_told(void **state)
{
	struct pair p = pair_open(IPV4, NULL);
	int fd = -1;

	(void)state;
	assert_int_equal(sock_diag_unacked(-1, &p.server.addr, p.server.port, &p.client.addr, p.client.port, 1),
			 -EBADF);
	/* Another namespace knows nothing of it. */
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(sock_diag_open(&fd), 0);
	assert_int_equal(
		sock_diag_destroy(fd, &p.server.addr, p.server.port, &p.client.addr, p.client.port, p.server.cookie),
		-ENOENT);
	is_alive(&p);
	assert_int_equal(destroy(&p, p.server.cookie), 0);
	close(fd);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destroys_each_family),
		cmocka_unit_test(destroys_what_is_tied_to_a_device),
		cmocka_unit_test(wrong_cookie_harms_nobody),
		cmocka_unit_test(successor_with_the_same_addresses_is_left_alone),
		cmocka_unit_test(finds_one_among_many),
		cmocka_unit_test(needs_the_capability),
		cmocka_unit_test(failures_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

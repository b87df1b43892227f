// SPDX-License-Identifier: MIT
/* Test: what is told of a connection's queues: what the peer has not taken, and what the owner has not read. */
#include <linux/sockios.h>

#include "tests/unit/tcp_pair.h"

static int outq(int fd)
{
	int n = -1;

	assert_int_equal(ioctl(fd, SIOCOUTQ, &n), 0);
	return n;
}

/* The kernel's other word for the same number, asked on both sides: acknowledgements may come between. */
static int unacked_checked(const struct pair *p)
{
	int before, n, after, tries;

	for (tries = 0; tries < 1000; tries++) {
		before = outq(p->server.fd);
		n = unacked(&p->server, &p->client, p->server.cookie);
		after = outq(p->server.fd);
		if (before == after) {
			assert_int_equal(n, before);
			return n;
		}
		usleep(1000);
	}
	fail_msg("the queue does not come to rest");
	return -1;
}

static void unacked_is_what_the_peer_has_not_taken(void **state)
{
	static char block[65536];
	enum kind kind;
	ssize_t n, sent;
	int i;

	(void)state;
	for (kind = IPV4; kind < KINDS; kind++) {
		struct pair p = pair_open(kind, NULL);

		assert_int_equal(unacked(&p.server, &p.client, p.server.cookie), 0);
		is_alive(&p);
		for (sent = 0; (n = send(p.server.fd, block, sizeof(block), MSG_DONTWAIT)) > 0;)
			sent += n;
		n = unacked_checked(&p);
		assert_true(n > 0 && n < sent);
		assert_int_equal(unacked(&p.client, &p.server, p.client.cookie), 0);
		while (sent > 0) {
			n = recv(p.client.fd, block, sizeof(block), 0);
			assert_true(n > 0);
			sent -= n;
		}
		for (i = 0; i < 1000 && unacked_checked(&p); i++)
			usleep(1000);
		assert_true(i < 1000);
		pair_close(&p);
	}
}

static int unread(const struct pair *p)
{
	return sock_diag_unread(diag, &p->server.addr, p->server.port, &p->client.addr, p->client.port,
				p->server.cookie);
}

static void unread_is_what_the_owner_has_not_taken(void **state)
{
	static char block[65536];
	enum kind kind;
	size_t left;
	int i;

	(void)state;
	for (kind = IPV4; kind < KINDS; kind++) {
		struct pair p = pair_open(kind, NULL);

		assert_int_equal(unread(&p), 0);
		assert_int_equal(send(p.client.fd, block, sizeof(block), 0), sizeof(block));
		for (i = 0; i < 1000 && unread(&p) < (int)sizeof(block); i++)
			usleep(1000);
		assert_true(i < 1000);
		for (left = sizeof(block); left; left -= 1024) {
			assert_true(unread(&p) > 0);
			assert_int_equal(recv(p.server.fd, block, 1024, MSG_WAITALL), 1024);
		}
		assert_int_equal(unread(&p), 0);
		assert_int_equal(destroy(&p, p.server.cookie), 0);
		assert_int_equal(unread(&p), -ENOENT);
		pair_close(&p);
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unacked_is_what_the_peer_has_not_taken),
		cmocka_unit_test(unread_is_what_the_owner_has_not_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

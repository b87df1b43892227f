// SPDX-License-Identifier: MIT
/*
 * Test: SOCK_DESTROY and the send queue of single connections, IPv4, IPv6 and mapped, in a network namespace of the
 * test's own (needs root).
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/sock_diag.h"
#include "core/util.h"

enum kind { IPV4, IPV6, MAPPED, KINDS };

struct end {
	int fd;
	uint64_t cookie;
	struct addr addr;
	__be16 port;
};

/* The server's end is the one that a guarded service would own. */
struct pair {
	int listener;
	struct end server, client;
};

static int diag = -1;

static int setup(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = -1;

	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return -1;
	return sock_diag_open(&diag);
}

static int teardown(void **state)
{
	(void)state;
	close_fd(&diag);
	return 0;
}

static void end_name(struct end *end)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss), cookie_len = sizeof(end->cookie);

	assert_int_equal(getsockname(end->fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(getsockopt(end->fd, SOL_SOCKET, SO_COOKIE, &end->cookie, &cookie_len), 0);
	if (ss.ss_family == AF_INET) {
		end->addr = (struct addr){ .w = { [2] = htonl(0xffff), ((struct sockaddr_in *)&ss)->sin_addr.s_addr } };
		end->port = ((struct sockaddr_in *)&ss)->sin_port;
	} else {
		memcpy(&end->addr, &((struct sockaddr_in6 *)&ss)->sin6_addr, sizeof(end->addr));
		end->port = ((struct sockaddr_in6 *)&ss)->sin6_port;
	}
}

static int listener_open(enum kind kind, const char *device)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd, one = 1;

	fd = socket(kind == IPV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (device)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device)), 0);
	assert_int_equal(bind(fd, kind == IPV4 ? (struct sockaddr *)&any : (struct sockaddr *)&any6,
			      kind == IPV4 ? sizeof(any) : sizeof(any6)),
			 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

/* from, from_port: the client's own address, or 0 */
static void pair_connect(struct pair *p, enum kind kind, uint32_t from, __be16 from_port)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in to = { .sin_family = AF_INET }, me = { .sin_family = AF_INET, .sin_port = from_port };
	struct end listener = { .fd = p->listener };
	int one = 1;

	end_name(&listener);
	p->client.fd = socket(kind == IPV6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->client.fd >= 0);
	if (from) {
		setsockopt(p->client.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		me.sin_addr.s_addr = htonl(from);
		assert_int_equal(bind(p->client.fd, (struct sockaddr *)&me, sizeof(me)), 0);
	}
	to.sin_port = to6.sin6_port = listener.port;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (kind == IPV6)
		assert_int_equal(connect(p->client.fd, (struct sockaddr *)&to6, sizeof(to6)), 0);
	else
		assert_int_equal(connect(p->client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	p->server.fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p->server.fd >= 0);
	end_name(&p->server);
	end_name(&p->client);
}

static struct pair pair_open(enum kind kind, const char *device)
{
	struct pair p = { .listener = listener_open(kind, device) };

	pair_connect(&p, kind, 0, 0);
	return p;
}

static void pair_close(struct pair *p)
{
	close(p->server.fd);
	close(p->client.fd);
	close(p->listener);
}

static int destroy(const struct pair *p, uint64_t cookie)
{
	return sock_diag_destroy(diag, &p->server.addr, p->server.port, &p->client.addr, p->client.port, cookie);
}

static int unacked(const struct end *own, const struct end *other, uint64_t cookie)
{
	return sock_diag_unacked(diag, &own->addr, own->port, &other->addr, other->port, cookie);
}

static void is_alive(const struct pair *p)
{
	char c = 0;

	assert_int_equal(send(p->client.fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_true(recv(p->server.fd, &c, 1, 0) == 1 && c == 'x');
}

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
		cmocka_unit_test(unacked_is_what_the_peer_has_not_taken),
		cmocka_unit_test(unread_is_what_the_owner_has_not_taken),
		cmocka_unit_test(needs_the_capability),
		cmocka_unit_test(failures_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

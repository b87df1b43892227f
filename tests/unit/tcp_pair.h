/* SPDX-License-Identifier: MIT */
/* What the tests of core/sock_diag share: TCP connections over loopback, in a network namespace of the test's own (needs root). */
#ifndef MPBPF_TESTS_TCP_PAIR_H
#define MPBPF_TESTS_TCP_PAIR_H

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
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	close_fd(&diag);
	return 0;
}

static inline void end_name(struct end *end)
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

static inline int listener_open(enum kind kind, const char *device)
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
static inline void pair_connect(struct pair *p, enum kind kind, uint32_t from, __be16 from_port)
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

static inline struct pair pair_open(enum kind kind, const char *device)
{
	struct pair p = { .listener = listener_open(kind, device) };

	pair_connect(&p, kind, 0, 0);
	return p;
}

static inline void pair_close(struct pair *p)
{
	close(p->server.fd);
	close(p->client.fd);
	close(p->listener);
}

static inline int destroy(const struct pair *p, uint64_t cookie)
{
	return sock_diag_destroy(diag, &p->server.addr, p->server.port, &p->client.addr, p->client.port, cookie);
}

static inline int unacked(const struct end *own, const struct end *other, uint64_t cookie)
{
	return sock_diag_unacked(diag, &own->addr, own->port, &other->addr, other->port, cookie);
}

static inline void is_alive(const struct pair *p)
{
	char c = 0;

	assert_int_equal(send(p->client.fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_true(recv(p->server.fd, &c, 1, 0) == 1 && c == 'x');
}

#endif

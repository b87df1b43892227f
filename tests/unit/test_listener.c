// SPDX-License-Identifier: MIT
/* Unit tests of sock_diag_listener() and core/local_addr.c: which socket a connection would come to, and what is this host. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/cidr.h"
#include "core/local_addr.h"
#include "core/sock_diag.h"
#include "core/util.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_true(cidr_parse_address(text, &addr, NULL));
	return addr;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

/* A socket of IPv6, for an IPv4 address too if it is not alone. *port: 0: any, which it is then. */
static int listen_at(const char *address, bool alone, uint16_t *port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(*port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), v6only = alone;
	struct addr addr = addr_of(address);
	socklen_t len = sizeof(at);

	memcpy(&at.sin6_addr, &addr, sizeof(addr));
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin6_port);
	return fd;
}

/* The cookie of who listens there, 0: nobody. */
static uint64_t who(int diag, const char *address, uint16_t port)
{
	struct addr addr = addr_of(address);
	uint64_t cookie = 0;
	int r = sock_diag_listener(diag, &addr, htons(port), &cookie);

	assert_true(r == 0 || r == -ENOENT);
	return r == 0 ? cookie : 0;
}

static void test_any_address(void **state)
{
	uint16_t port = 0;
	int diag, fd = listen_at("::", false, &port);

	(void)state;
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(who(diag, "127.0.0.1", port), cookie_of(fd));
	assert_int_equal(who(diag, "::1", port), cookie_of(fd));
	/* It is not asked whether the address is this host's. */
	assert_int_equal(who(diag, "192.0.2.1", port), cookie_of(fd));
	close(fd);
	assert_int_equal(who(diag, "127.0.0.1", port), 0);
	close(diag);
}

static void test_own_address(void **state)
{
	uint16_t port = 0;
	int diag, fd = listen_at("127.0.0.2", false, &port);

	(void)state;
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(who(diag, "127.0.0.2", port), cookie_of(fd));
	assert_int_equal(who(diag, "127.0.0.1", port), 0);
	assert_int_equal(who(diag, "::1", port), 0);
	close(fd);
	close(diag);
}

static void test_ipv6_alone(void **state)
{
	uint16_t port = 0;
	int diag, fd = listen_at("::", true, &port), client;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	(void)state;
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(who(diag, "::1", port), cookie_of(fd));
	assert_int_equal(who(diag, "127.0.0.1", port), 0);
	/* A connection is not what listens. */
	client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(who(diag, "::1", port), cookie_of(fd));
	close(fd);
	assert_int_equal(who(diag, "::1", port), 0);
	close(client);
	close(diag);
}

static void test_local_addresses(void **state)
{
	static const struct {
		const char *address;
		int local;
	} cases[] = {
		{ "127.0.0.1", 1 }, { "127.200.3.4", 1 }, { "::1", 1 }, { "192.0.2.1", 0 }, { "2001:db8::1", 0 }
	};
	int fd;

	(void)state;
	assert_int_equal(local_addr_open(&fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct addr addr = addr_of(cases[i].address);

		if (local_addr_is(fd, &addr) != cases[i].local)
			fail_msg("%s: not %d", cases[i].address, cases[i].local);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_address),
		cmocka_unit_test(test_own_address),
		cmocka_unit_test(test_ipv6_alone),
		cmocka_unit_test(test_local_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

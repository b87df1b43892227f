// SPDX-License-Identifier: MIT
/* Floor 4: TCP sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/tcp.h>

#include "core/config.h"
#include "core/util.h"
#include "gateway/socket.h"

#define STATE_CLOSE 7 /* TCP_CLOSE, include/net/tcp_states.h */

/* A peer that is gone without a word is noticed after 60 s and 6 more questions, 10 s apart. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_TRIES 6

void place_from(const struct sockaddr_storage *from, struct place *ret)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	*ret = (struct place){};
	if (from->ss_family == AF_INET) {
		ret->addr.b[10] = ret->addr.b[11] = 0xff;
		memcpy(ret->addr.b + 12, &v4->sin_addr, 4);
		ret->port = v4->sin_port;
	} else {
		memcpy(ret->addr.b, &v6->sin6_addr, 16);
		ret->port = v6->sin6_port;
	}
}

socklen_t place_to(const struct place *place, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (cidr_is_v4(&place->addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = place->port;
		memcpy(&v4->sin_addr, place->addr.b + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = place->port;
	memcpy(&v6->sin6_addr, place->addr.b, 16);
	return sizeof(*v6);
}

void place_text(const struct place *place, char ret[PLACE_TEXT_MAX])
{
	bool v4 = cidr_is_v4(&place->addr);
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, place->addr.b + (v4 ? 12 : 0), addr, sizeof(addr));
	snprintf(ret, PLACE_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", addr, ntohs(place->port));
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

bool socket_is_closed(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state == STATE_CLOSE;
}

/* In this order: tcp_reset() sets the error first, and asking takes it away. */
bool socket_is_reset(int fd)
{
	return socket_is_closed(fd) && socket_error(fd);
}

void socket_reset_on_close(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void option_set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

void socket_inline(int fd, bool in)
{
	option_set(fd, SOL_SOCKET, SO_OOBINLINE, in);
}

static void socket_tune(int fd, bool spliced)
{
	if (spliced)
		socket_inline(fd, true);
	option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	option_set(fd, IPPROTO_TCP, TCP_INQ, 1);
	option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES);
}

static int listen_at(const struct sockaddr_storage *at, socklen_t len, bool v6only, bool spliced)
{
	_cleanup_close_ int fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	socket_tune(fd, spliced); /* accepted sockets inherit it */
	if (at->ss_family == AF_INET6)
		option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	if (bind(fd, (const struct sockaddr *)at, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int socket_listen(const struct place *place, bool any, bool spliced)
{
	struct sockaddr_storage at = {};
	struct place v4 = { .addr.b = { [10] = 0xff, [11] = 0xff }, .port = place->port };
	int fd;

	if (!any)
		return listen_at(&at, place_to(place, &at), true, spliced);
	((struct sockaddr_in6 *)&at)->sin6_family = AF_INET6;
	((struct sockaddr_in6 *)&at)->sin6_port = place->port;
	fd = listen_at(&at, sizeof(struct sockaddr_in6), false, spliced);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	return listen_at(&at, place_to(&v4, &at), true, spliced);
}

int socket_open(const struct place *place, bool spliced)
{
	int fd = socket(cidr_is_v4(&place->addr) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	socket_tune(fd, spliced);
	return fd;
}

int socket_connect(int fd, const struct place *place)
{
	struct sockaddr_storage at;
	socklen_t len = place_to(place, &at);

	return connect(fd, (struct sockaddr *)&at, len) < 0 && errno != EINPROGRESS ? -errno : 0;
}

/* A datagram socket that connects sends nothing: the routes are asked. */
int socket_source(const struct place *to, struct addr *ret)
{
	struct sockaddr_storage at;
	socklen_t len = place_to(to, &at);
	_cleanup_close_ int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct place self;

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, len) < 0)
		return -errno;
	len = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -errno;
	place_from(&at, &self);
	*ret = self.addr;
	return 0;
}

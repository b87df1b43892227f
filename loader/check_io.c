// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, connections: made, written to, read from, each within its time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#include "core/clock.h"
#include "core/util.h"
#include "loader/check_io.h"
#include "replies.h"

int64_t io_now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

bool io_wait(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms < 0 ? 0 : ms) > 0;
}

void peers_close(struct peers *peers)
{
	close_fd(&peers->client);
	close_fd(&peers->server);
}

/* 0 leaves the kernel's default. */
static int set_buffer(int fd, int option, int size)
{
	return size && setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size)) < 0 ? -errno : 0;
}

/* The handshake ends in the kernel before accept(). */
static int connect_to(uint16_t port, const struct peers_buffers *b, int *ret)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0, one = 1, r;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -errno;
	r = set_buffer(fd, SO_SNDBUF, b->client_send);
	if (r == 0)
		r = set_buffer(fd, SO_RCVBUF, b->client_receive);
	if (r < 0)
		return r;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS)
		return -errno;
	if (!io_wait(fd, POLLOUT, CHECK_IO_MS))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
		return error ? -error : -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int accept_from(int listener, const struct peers_buffers *b, struct peers *peers)
{
	socklen_t len = sizeof(peers->cookie);
	int one = 1, r;

	if (!io_wait(listener, POLLIN, CHECK_IO_MS))
		return -ETIMEDOUT;
	peers->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peers->server < 0 || getsockopt(peers->server, SOL_SOCKET, SO_COOKIE, &peers->cookie, &len) < 0)
		return -errno;
	r = set_buffer(peers->server, SO_SNDBUF, b->server_send);
	if (r == 0)
		r = set_buffer(peers->server, SO_RCVBUF, b->server_receive);
	setsockopt(peers->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return r;
}

int peers_open(struct check *c, const struct peers_buffers *buffers, struct peers *ret)
{
	const struct peers_buffers defaults = {};
	struct conn conn;
	int r;

	r = connect_to(c->port, buffers ?: &defaults, &ret->client);
	if (r == 0)
		r = accept_from(c->listener, buffers ?: &defaults, ret);
	if (r < 0)
		return check_fail(c, "connecting over the loopback: %s", strerror(-r));
	if (peers_conn(c, ret, &conn) < 0)
		return check_fail(c, "a new connection to the guarded port was not put under guard");
	return 0;
}

int peers_conn(const struct check *c, const struct peers *peers, struct conn *ret)
{
	return bpf_map_lookup_elem(c->guard.maps.fd[MAP_CONNS], &peers->cookie, ret);
}

int peers_wait_state(struct check *c, const struct peers *peers, enum conn_state state, const char *what)
{
	int64_t end = io_now_ms() + CHECK_IO_MS;
	struct conn conn;

	while (peers_conn(c, peers, &conn) == 0) {
		if (conn.state == state)
			return 0;
		if (io_now_ms() >= end)
			return check_fail(c, "%s: the connection stays in state %u", what, conn.state);
		usleep(1000);
	}
	return check_fail(c, "%s: the connection is not under guard any more", what);
}

int io_say(struct check *c, int fd, const void *data, size_t len, const char *what)
{
	int64_t end = io_now_ms() + CHECK_IO_MS;
	size_t off = 0;
	ssize_t n;

	while (off < len) {
		n = send(fd, (const char *)data + off, len - off, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return check_fail(c, "%s: sending: %s", what, strerror(errno));
		off += n > 0 ? n : 0;
		if (n < 0 && !io_wait(fd, POLLOUT, end - io_now_ms()))
			return check_fail(c, "%s: only %zu of %zu bytes could be sent", what, off, len);
	}
	return 0;
}

/* Up to `size` bytes, until `want` are there, the stream ends or the time is up. Returns how many came, or -errno. */
static ssize_t receive(int fd, char *buf, size_t size, size_t want)
{
	int64_t end = io_now_ms() + CHECK_IO_MS;
	size_t off = 0;
	ssize_t n;

	while (off < want) {
		n = recv(fd, buf + off, size - off, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return n < 0 ? -errno : (ssize_t)off;
		off += n > 0 ? n : 0;
		if (n < 0 && !io_wait(fd, POLLIN, end - io_now_ms()))
			break;
	}
	return off;
}

/* Those bytes; `extra` = 1 reads one further, which must not be there. */
static int expect(struct check *c, int fd, const void *data, size_t len, size_t extra, const char *what)
{
	_cleanup_free_ char *buf = malloc(len + 1);
	ssize_t n;

	if (!buf)
		return check_fail(c, "out of memory");
	n = receive(fd, buf, len + extra, len);
	if (n < 0)
		return check_fail(c, "%s: receiving: %s", what, strerror(-n));
	if ((size_t)n != len)
		return check_fail(c, "%s: %zd bytes came instead of %zu", what, n, len);
	if (memcmp(buf, data, len))
		return check_fail(c, "%s: other bytes came", what);
	return 0;
}

int io_expect(struct check *c, int fd, const void *data, size_t len, const char *what)
{
	return expect(c, fd, data, len, 1, what);
}

int io_expect_first(struct check *c, int fd, const void *data, size_t len, const char *what)
{
	return expect(c, fd, data, len, 0, what);
}

/* A socket may be called readable for bytes that the program then keeps back: only recv() tells. */
int io_expect_silence(struct check *c, int fd, const char *what)
{
	int64_t end = io_now_ms() + CHECK_QUIET_MS;
	char byte;
	ssize_t n;

	do {
		n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
		if (n > 0)
			return check_fail(c, "%s: bytes came that should not", what);
		if (n == 0 || errno != EAGAIN)
			return check_fail(c, "%s: the connection ended%s%s", what, n ? ": " : "",
					  n ? strerror(errno) : "");
		usleep(1000);
	} while (io_now_ms() < end);
	return 0;
}

size_t io_reply_length(const char *buf, size_t n, enum request_reason reason)
{
	const struct reply *reply = &replies[reason];
	const char *head_end;
	size_t body;

	if (n < reply->len || memcmp(buf, reply->text, reply->len))
		return 0;
	body = strtoul(buf + reply->len, NULL, 10);
	head_end = strstr(buf + reply->len, "\r\n\r\n");
	if (!head_end || buf + n - (head_end + 4) < (ssize_t)body)
		return 0;
	/* Both the filling of the field and the body are spaces. */
	if (strspn(buf + reply->len, "0123456789 ") != (size_t)(head_end - buf) - reply->len ||
	    strspn(head_end + 4, " ") < body)
		return 0;
	return head_end + 4 + body - buf;
}

int io_expect_reply(struct check *c, int fd, enum request_reason reason, size_t len, const char *what)
{
	static char buf[128 << 10];
	const struct reply *reply = &replies[reason];
	ssize_t n;

	n = receive(fd, buf, sizeof(buf) - 1, len ?: reply->len + sizeof("0\r\n\r\n") - 1);
	if (n < 0)
		return check_fail(c, "%s: waiting for the answer: %s", what, strerror(-n));
	buf[n] = '\0';
	if (!n)
		return check_fail(c, "%s: no answer came", what);
	if (io_reply_length(buf, n, reason) != (size_t)n || (len && len != (size_t)n))
		return check_fail(c, "%s: not the answer that was to come, but %zd bytes, \"%.*s\"", what, n,
				  (int)strcspn(buf, "\r\n") > 40 ? 40 : (int)strcspn(buf, "\r\n"), buf);
	return io_expect_silence(c, fd, what);
}

size_t io_request(char *ret, size_t size, const char *method, const char *path, const char *fields)
{
	return snprintf(ret, size, "%s %s HTTP/1.1\r\nHost: check\r\n%s\r\n", method, path, fields);
}

void io_pattern(char *ret, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint32_t)i * 2654435761U >> 23;
}

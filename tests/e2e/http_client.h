/* SPDX-License-Identifier: MIT */
/* Test tool: a connection that sends exact bytes and reads HTTP/1.1 responses strictly. Blocking, with time-outs. */
#ifndef MPBPF_TESTS_HTTP_CLIENT_H
#define MPBPF_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CLIENT_BUFFER (256 << 10)
#define CLIENT_HEAD_MAX 16384

struct client {
	int fd;
	int timeout_ms;
	int rcvbuf;	   /* SO_RCVBUF of the next connection; 0: as the kernel has it */
	bool options;	   /* its packets, if over IPv6, have destination options (RFC 8200, section 4.6) */
	size_t start, end; /* unread bytes in buffer */
	int status;	   /* of the last response */
	size_t head_len;
	char head[CLIENT_HEAD_MAX + 1];
	char *body;
	size_t body_len;
	char buffer[CLIENT_BUFFER];
};

/* How many times slower than a real machine this one is: MPBPF_SLOW, which multiplies every time limit that a script or a case names. */
static inline int client_slow(void)
{
	const char *v = getenv("MPBPF_SLOW");
	int n = v ? atoi(v) : 1;

	return n > 0 ? n : 1;
}

/* What pauses are multiplied by: `pace` in lib.sh. */
static inline int client_pace(void)
{
	return (client_slow() + 2) / 3;
}

static inline int client_address(const char *host, int port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *in6 = (void *)ret;
	struct sockaddr_in *in = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*ret_len = sizeof(*in6);
		return 0;
	}
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		return -EINVAL;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	*ret_len = sizeof(*in);
	return 0;
}

/* from: source address or NULL. Every send leaves at once: segments are what the caller wrote. */
static inline int client_connect(struct client *c, const char *host, int port, const char *from)
{
	struct timeval limit = { c->timeout_ms / 1000, c->timeout_ms % 1000 * 1000 };
	static const uint8_t padding[8] = { 0, 0, 1, 4 }; /* next header, length, PadN */
	struct sockaddr_storage to, src;
	socklen_t to_len, src_len;
	int one = 1;

	if (client_address(host, port, &to, &to_len) < 0)
		return -EINVAL;
	c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (c->rcvbuf)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &c->rcvbuf, sizeof(c->rcvbuf));
	if (c->options && setsockopt(c->fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof(padding)) < 0)
		return -errno;
	if (from && (client_address(from, 0, &src, &src_len) < 0 || bind(c->fd, (void *)&src, src_len) < 0))
		return -errno;
	if (connect(c->fd, (void *)&to, to_len) < 0)
		return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	c->start = c->end = 0;
	return 0;
}

static inline void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static inline int client_wait(struct client *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int r = poll(&p, 1, c->timeout_ms);

	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}

static inline int client_send(struct client *c, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;
	int r;

	while (len) {
		n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			r = client_wait(c, POLLOUT);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

/* Reads more into the buffer. 1: there is more; 0: the peer closed; -errno. */
static inline int client_fill(struct client *c)
{
	ssize_t n;
	int r;

	if (c->start) {
		memmove(c->buffer, c->buffer + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	if (c->end == sizeof(c->buffer))
		return -EMSGSIZE;
	r = client_wait(c, POLLIN);
	if (r < 0)
		return r;
	n = recv(c->fd, c->buffer + c->end, sizeof(c->buffer) - c->end, 0);
	if (n < 0)
		return -errno;
	c->end += n;
	return n > 0;
}

/* The field's value and its length, or NULL. */
static inline const char *client_field(const struct client *c, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);
	const char *line, *v;

	for (line = strstr(c->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, n) || line[2 + n] != ':')
			continue;
		v = line + 3 + n;
		v += strspn(v, " \t");
		*ret_len = strstr(v, "\r\n") - v;
		return v;
	}
	return NULL;
}

static inline int client_read_head(struct client *c)
{
	char *end;
	int r;

	while (!(end = memmem(c->buffer + c->start, c->end - c->start, "\r\n\r\n", 4))) {
		r = client_fill(c);
		if (r <= 0)
			return r < 0 ? r : c->start == c->end ? -ECONNRESET : -EPIPE;
	}
	c->head_len = end + 4 - (c->buffer + c->start);
	if (c->head_len > CLIENT_HEAD_MAX)
		return -EMSGSIZE;
	memcpy(c->head, c->buffer + c->start, c->head_len);
	c->head[c->head_len] = 0;
	c->start += c->head_len;
	if (strlen(c->head) != c->head_len || sscanf(c->head, "HTTP/1.1 %3d ", &c->status) != 1)
		return -EBADMSG;
	return 0;
}

/* Moves len bytes of the stream into body. */
static inline int client_read_bytes(struct client *c, size_t len)
{
	size_t n;
	int r;

	c->body = realloc(c->body, c->body_len + len + 1);
	while (len) {
		if (c->start == c->end) {
			r = client_fill(c);
			if (r <= 0)
				return r < 0 ? r : -EPIPE;
		}
		n = c->end - c->start < len ? c->end - c->start : len;
		memcpy(c->body + c->body_len, c->buffer + c->start, n);
		c->body_len += n;
		c->start += n;
		len -= n;
	}
	return 0;
}

static inline int client_read_chunks(struct client *c)
{
	unsigned long size;
	char *end;
	int r;

	for (;;) {
		while (!(end = memmem(c->buffer + c->start, c->end - c->start, "\r\n", 2))) {
			r = client_fill(c);
			if (r <= 0)
				return r < 0 ? r : -EPIPE;
		}
		size = strtoul(c->buffer + c->start, NULL, 16);
		c->start = end + 2 - c->buffer;
		r = client_read_bytes(c, size + 2);
		if (r < 0)
			return r;
		c->body_len -= 2;
		if (!size)
			return 0;
	}
}

/*
 * One response: status, head, body. An interim one (1xx) is a response by itself. to_head: the request was HEAD.
 * Returns 0; -ECONNRESET: closed before its first byte; -EPIPE: closed within; -ETIMEDOUT; -EBADMSG: no HTTP/1.1.
 */
static inline int client_read(struct client *c, bool to_head)
{
	const char *v;
	size_t len;
	int r;

	c->status = 0;
	c->body_len = 0;
	r = client_read_head(c);
	if (r < 0)
		return r;
	if (to_head || c->status < 200 || c->status == 204 || c->status == 304)
		return 0;
	v = client_field(c, "Transfer-Encoding", &len);
	if (v)
		return client_read_chunks(c);
	v = client_field(c, "Content-Length", &len);
	return v ? client_read_bytes(c, strtoul(v, NULL, 10)) : -EBADMSG;
}

#endif

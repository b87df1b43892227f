// SPDX-License-Identifier: MIT
/*
 * Floor 5: `mpbpf check`, the fast path: requests and answers go past TCP between two sockets of this process, TCP carries what
 * its reader has no room for, and every byte comes once and in its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "mpbpf.skel.h"

#define ROUNDS 3
#define BODY (16 << 20)	  /* more than may wait to be read past TCP, and than TCP's buffers take */
#define AHEAD (10 << 20)  /* so far the service writes ahead of its client */
#define PIECE (128 << 10) /* a call of send() or recv() */
#define TURNS 100000

/* The byte at that place of the body. */
static unsigned char byte_at(size_t at)
{
	return at ^ at >> 8 ^ at >> 16;
}

/* The guarded port's listener, with or without a fast path for everybody. */
static int listener_set(struct check *c, bool fast)
{
	struct listener_key key = {
		.generation = c->guard.maps.control->generation,
		.port = htons(c->port),
		.addr.w = { 0, 0, htonl(0xffff), htonl(INADDR_LOOPBACK) },
	};
	int fd = c->guard.maps.fd[MAP_LISTENERS], r;
	struct listener listener;

	r = bpf_map_lookup_elem(fd, &key, &listener);
	if (r < 0)
		return check_fail(c, "the listener that is guarded: %s", strerror(-r));
	listener.flags &= ~(LISTENER_FAST | LISTENER_FAST_ALL);
	if (fast)
		listener.flags |= LISTENER_FAST | LISTENER_FAST_ALL;
	c->guard.maps.control->fast_listeners = fast;
	r = bpf_map_update_elem(fd, &key, &listener, BPF_EXIST);
	return r < 0 ? check_fail(c, "writing the listener that is guarded: %s", strerror(-r)) : 0;
}

/* A request that passes and its answer, one that is denied. */
static int round_try(struct check *c, const struct peers *peers)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char request[1024];
	size_t len = io_request(request, sizeof(request), "GET", CHECK_FREE, "");
	int r;

	r = io_say(c, peers->client, request, len, "a request");
	if (r == 0)
		r = io_expect(c, peers->server, request, len, "the service, at a request past TCP");
	if (r == 0)
		r = io_say(c, peers->server, answer, sizeof(answer) - 1, "an answer");
	if (r == 0)
		r = io_expect(c, peers->client, answer, sizeof(answer) - 1, "the client, at an answer past TCP");
	if (r < 0)
		return r;
	len = io_request(request, sizeof(request), "GET", "/denied",
			 "X-Fill: 000000000000000000000000000000000000000000\r\n");
	r = io_say(c, peers->client, request, len, "a request without a token");
	if (r == 0)
		r = io_expect_reply(c, peers->client, REQUEST_NO_TOKEN, len, "a request without a token");
	return r < 0 ? r : io_expect_silence(c, peers->server, "the service, at a request without a token");
}

/* Sends what the socket takes, up to `end`. */
static int body_send(int fd, size_t *at, size_t end)
{
	static unsigned char piece[PIECE];

	while (*at < end) {
		size_t len = end - *at < sizeof(piece) ? end - *at : sizeof(piece);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			piece[i] = byte_at(*at + i);
		n = send(fd, piece, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		*at += n;
	}
	return 0;
}

/* -EBADMSG: a byte is not the one that is due. */
static int body_receive(int fd, size_t *at)
{
	static unsigned char piece[PIECE];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : n < 0 ? -errno : -EPIPE;
	for (ssize_t i = 0; i < n; i++)
		if (piece[i] != byte_at(*at + i))
			return -EBADMSG;
	*at += n;
	return 0;
}

static int body_try(struct check *c, const struct peers *peers)
{
	size_t len, sent = 0, got = 0;
	char text[1024];
	int r;

	len = io_request(text, sizeof(text), "GET", CHECK_FREE, "");
	r = io_say(c, peers->client, text, len, "a request");
	if (r == 0)
		r = io_expect(c, peers->server, text, len, "the service, at a request for much");
	len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
	if (r == 0)
		r = io_say(c, peers->server, text, len, "the head of an answer");
	if (r == 0)
		r = io_expect(c, peers->client, text, len, "the client, at the head of an answer");
	if (r < 0)
		return r;
	for (int i = 0; r == 0 && got < BODY && i < TURNS; i++) {
		r = body_send(peers->server, &sent, got + AHEAD < BODY ? got + AHEAD : BODY);
		if (r < 0)
			return check_fail(c, "the service, sending past TCP: %s", strerror(-r));
		if (!io_wait(peers->client, POLLIN, CHECK_IO_MS))
			return check_fail(c, "of %d bytes %zu came, and then none", BODY, got);
		r = body_receive(peers->client, &got);
		if (r < 0)
			return check_fail(c, "at byte %zu of an answer past TCP: %s", got, strerror(-r));
	}
	return got == BODY ? 0 : check_fail(c, "of %d bytes %zu came", BODY, got);
}

static int fast_try(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	struct request_stats before, after;
	struct stats stats;
	int r;

	if (stats_read(&c->guard.maps, &stats) < 0)
		return check_fail(c, "the counters cannot be read");
	before = stats.requests;
	r = peers_open(c, NULL, &peers);
	for (int i = 0; r == 0 && i < ROUNDS; i++)
		r = round_try(c, &peers);
	if (r == 0)
		r = body_try(c, &peers);
	if (r == 0)
		r = round_try(c, &peers);
	if (r < 0)
		return r;
	if (stats_read(&c->guard.maps, &stats) < 0)
		return check_fail(c, "the counters cannot be read");
	after = stats.requests;
	if (after.fast_requests - before.fast_requests < ROUNDS || after.fast_denied - before.fast_denied < ROUNDS)
		return check_fail(c, "all came as it should, but not past TCP");
	if (after.fast_full == before.fast_full)
		return check_fail(c, "what waits to be read is not bounded");
	return 0;
}

int check_fast_path(struct check *c)
{
	int r = listener_set(c, true), back;
	char detail[CHECK_DETAIL_MAX];

	if (r == 0)
		r = fast_try(c);
	memcpy(detail, c->detail, sizeof(detail));
	back = listener_set(c, false);
	if (r < 0)
		memcpy(c->detail, detail, sizeof(detail));
	if (r == 0)
		r = back;
	return r < 0 ? r
		     : check_ok(c, "requests, denials and %d MiB past TCP and by turns through it, byte by byte",
				BODY >> 20);
}

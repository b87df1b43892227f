// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, slow readers and small buffers: nothing is lost, doubled, damaged, or piled up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/util.h"
#include "loader/check_flow.h"
#include "loader/check_io.h"

#define REQUEST_BODY (8 << 20)
#define RESPONSE_BODY (4 << 20)
#define UNDER_WAY_MAX (2 << 20) /* far above what the buffers below hold, far below what is sent */
#define OPENING_BODY 300000
#define CHUNK 1024
#define DENIED_BODY 64000
#define WHOLE_MAX (1 << 20)
#define SQUEEZES 12
#define LAST_CHUNK_MAX 60000 /* about what a packet holds */
#define ANSWER_MS 400
#define END_MS 250 /* nothing for so long: that was all */

int check_pass_backpressure(struct check *c)
{
	static const struct peers_buffers buffers = { .client_send = 128 << 10, .server_receive = 128 << 10 };
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	struct check_flow flow = { .write_max = 256 << 10, .read_max = 64 << 10, .pause_us = 500 };
	_cleanup_free_ char *message = NULL;
	char head[256], field[64];
	size_t stopped_at;
	int r;

	snprintf(field, sizeof(field), "Content-Length: %d\r\n", REQUEST_BODY);
	io_request(head, sizeof(head), "POST", CHECK_FREE "/upload", field);
	flow.data = message = flow_message(head, REQUEST_BODY, &flow.len);
	if (!message)
		return check_fail(c, "out of memory");
	r = peers_open(c, &buffers, &peers);
	if (r == 0)
		r = flow_fill(c, &flow, peers.client);
	if (r < 0)
		return r;
	stopped_at = flow.sent;
	if (stopped_at > UNDER_WAY_MAX)
		return check_fail(c, "nobody read, and yet %zu bytes could be sent", stopped_at);
	r = flow_run(c, &flow, peers.client, peers.server);
	if (r < 0)
		return r;
	if (flow.under_way_most > UNDER_WAY_MAX)
		return check_fail(c, "a slow reader, and %zu bytes piled up", flow.under_way_most);
	return check_ok(
		c,
		"%d MiB past a slow reader unchanged; the sender was held at %zu KiB, at most %zu KiB were under way",
		REQUEST_BODY >> 20, stopped_at >> 10, flow.under_way_most >> 10);
}

/* A request that needs no token, taken in by the service. */
static int ask_freely(struct check *c, const struct peers *peers)
{
	char request[256];
	size_t len = io_request(request, sizeof(request), "GET", CHECK_FREE "/download", "");
	int r = io_say(c, peers->client, request, len, "a request that needs no token");

	return r < 0 ? r : io_expect(c, peers->server, request, len, "a request that needs no token");
}

/* The service sends much through a small buffer: each of its send() calls takes a part only. */
static int answer_in_parts(struct check *c, unsigned int *ret_stops)
{
	static const struct peers_buffers buffers = { .server_send = 32 << 10, .client_receive = 64 << 10 };
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	struct check_flow flow = { .write_max = 256 << 10, .read_max = 32 << 10, .pause_us = 100 };
	_cleanup_free_ char *message = NULL;
	char head[128];
	int r;

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", RESPONSE_BODY);
	flow.data = message = flow_message(head, RESPONSE_BODY, &flow.len);
	if (!message)
		return check_fail(c, "out of memory");
	r = peers_open(c, &buffers, &peers);
	if (r == 0)
		r = ask_freely(c, &peers);
	if (r == 0)
		r = flow_run(c, &flow, peers.server, peers.client);
	*ret_stops = flow.stops;
	return r;
}

/* How many bytes were ever written to the connection: all of it at one moment, for acknowledgements come meanwhile. */
static uint64_t written(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
}

/* One connection on which the kernel's own answer does not fit into the send buffer. */
struct squeeze {
	struct peers peers;
	char *response; /* what the service answers, `len` bytes, of which `sent` are written */
	size_t len, sent;
	char *got; /* what the client has read, `read` bytes */
	size_t read;
	uint64_t written;   /* to the client, when it was last looked at */
	unsigned int parts; /* in how many of them the kernel's answer was written */
};

static void squeeze_close(struct squeeze *s)
{
	peers_close(&s->peers);
	free(s->response);
	free(s->got);
}

/* The first request has a long body: TCP opens the window, so that one segment, and the answer to it, can be long. */
static int squeeze_open(struct check *c, struct squeeze *s)
{
	static const struct peers_buffers buffers = { .server_send = 32 << 10, .client_receive = 32 << 10 };
	struct check_flow flow = { .write_max = 256 << 10, .read_max = 64 << 10 };
	_cleanup_free_ char *message = NULL;
	char head[256], field[64];
	int r;

	snprintf(field, sizeof(field), "Content-Length: %d\r\n", OPENING_BODY);
	io_request(head, sizeof(head), "POST", CHECK_FREE "/upload", field);
	flow.data = message = flow_message(head, OPENING_BODY, &flow.len);
	s->response = malloc(WHOLE_MAX);
	s->got = malloc(WHOLE_MAX + 1);
	if (!message || !s->response || !s->got)
		return check_fail(c, "out of memory");
	r = peers_open(c, &buffers, &s->peers);
	return r < 0 ? r : flow_run(c, &flow, s->peers.client, s->peers.server);
}

static int client_read(struct squeeze *s, size_t max)
{
	ssize_t n;

	if (max > WHOLE_MAX - s->read)
		max = WHOLE_MAX - s->read;
	n = recv(s->peers.client, s->got + s->read, max, MSG_DONTWAIT);
	s->read += n > 0 ? n : 0;
	return n;
}

static void add_chunk(struct squeeze *s, size_t len)
{
	s->len += sprintf(s->response + s->len, "%zx\r\n", len);
	io_pattern(s->response + s->len, len);
	s->len += len;
	s->len += sprintf(s->response + s->len, "\r\n");
}

/* Chunks until the buffers on the way are full. */
static int fill_buffers(struct check *c, struct squeeze *s)
{
	ssize_t n = 0;

	s->len = sprintf(s->response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (n >= 0) {
		if (s->len + CHUNK + LAST_CHUNK_MAX + DENIED_BODY + 1024 > WHOLE_MAX)
			return check_fail(c, "%zu bytes went into small buffers, nobody reading", s->sent);
		if (s->sent == s->len)
			add_chunk(s, CHUNK);
		n = send(s->peers.server, s->response + s->sent, s->len - s->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		s->sent += n > 0 ? n : 0;
	}
	return errno == EAGAIN ? 0 : check_fail(c, "sending a response: %s", strerror(errno));
}

/*
 * The client takes just as much that the response can be ended, which leaves the buffers all but full. TCP goes on with the last
 * packet that it has queued, and refuses the next one: whether the answer still fits into the former is a matter of what is in it
 * already, which is another with another `last` chunk.
 */
static int end_response(struct check *c, struct squeeze *s, size_t last)
{
	int64_t end = io_now_ms() + CHECK_IO_MS;
	ssize_t n;

	add_chunk(s, last);
	s->len += sprintf(s->response + s->len, "0\r\n\r\n");
	while (s->sent < s->len) {
		if (io_now_ms() >= end)
			return check_fail(c, "a response came to a standstill after %zu bytes", s->sent);
		client_read(s, 4096);
		usleep(1000);
		n = send(s->peers.server, s->response + s->sent, s->len - s->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		s->sent += n > 0 ? n : 0;
	}
	return 0;
}

static void look_at_answer(struct squeeze *s)
{
	uint64_t now = written(s->peers.server);

	s->parts += now > s->written;
	s->written = now;
}

/* A long request is denied; its answer, as long, finds no room. */
static int deny_long(struct check *c, struct squeeze *s)
{
	_cleanup_free_ char *message = NULL;
	char head[256], field[64];
	size_t len;
	int r;

	snprintf(field, sizeof(field), "Content-Length: %d\r\n", DENIED_BODY);
	io_request(head, sizeof(head), "POST", "/denied", field);
	message = flow_message(head, DENIED_BODY, &len);
	if (!message)
		return check_fail(c, "out of memory");
	s->written = written(s->peers.server);
	r = io_say(c, s->peers.client, message, len, "a long request without a token");
	/* A worker writes it, which a busy machine may keep waiting; into a full buffer it writes nothing. */
	for (int waited = 0; waited < ANSWER_MS && !s->parts; waited += CHECK_QUIET_MS) {
		usleep(CHECK_QUIET_MS * 1000);
		look_at_answer(s);
	}
	return r;
}

/* Everything that comes, so slowly that the worker fills what has become free again and again. */
static void read_all(struct squeeze *s)
{
	do {
		while (client_read(s, 4096) > 0) {
			usleep(200);
			look_at_answer(s);
		}
	} while (io_wait(s->peers.client, POLLIN, END_MS) && s->read < WHOLE_MAX && client_read(s, 4096) > 0);
	s->got[s->read] = '\0';
}

static int squeeze(struct check *c, struct squeeze *s, size_t last)
{
	size_t answer;
	int r;

	r = squeeze_open(c, s);
	if (r == 0)
		r = fill_buffers(c, s);
	if (r == 0)
		r = end_response(c, s, last);
	if (r == 0)
		r = deny_long(c, s);
	if (r < 0)
		return r;
	read_all(s);
	if (s->read < s->len || memcmp(s->got, s->response, s->len))
		return check_fail(c, "a response before a denial is damaged");
	if (s->read == s->len)
		return check_fail(c, "the kernel's own answer did not come");
	answer = io_reply_length(s->got + s->len, s->read - s->len, REQUEST_NO_TOKEN);
	if (!answer || answer != s->read - s->len)
		return check_fail(c,
				  "the kernel's answer, written in parts, is damaged: %zu bytes came, which are not it",
				  s->read - s->len);
	return 0;
}

/* The kernel's own answer, cut short by a full buffer, goes on where it was cut. */
static int answer_cut_short(struct check *c)
{
	int r = 0;

	for (unsigned int i = 0; i < SQUEEZES; i++) {
		_cleanup_(squeeze_close) struct squeeze s = { .peers = PEERS_EMPTY };

		r = squeeze(c, &s, LAST_CHUNK_MAX - i * (LAST_CHUNK_MAX / SQUEEZES));
		if (r < 0 || s.parts > 1)
			return r;
	}
	return check_fail(c, "the kernel's own answer was never cut short in %d tries, so this is not shown", SQUEEZES);
}

int check_partial_send(struct check *c)
{
	unsigned int stops = 0;
	int r;

	r = answer_in_parts(c, &stops);
	if (r == 0 && !stops)
		r = check_fail(c, "no send() of the service was cut short, so this is not shown");
	if (r == 0)
		r = answer_cut_short(c);
	return r < 0 ? r
		     : check_ok(c,
				"%d MiB through a small buffer (full %u times) and a slow reader unchanged; the "
				"kernel's own answer, cut short by a full buffer, goes on where it was cut",
				RESPONSE_BODY >> 20, stops);
}

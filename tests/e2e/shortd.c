// SPDX-License-Identifier: MIT
/*
 * Test service: writes more than its small send buffer takes, and adds the next answer to what was left of the one before.
 *
 *   shortd PORT
 *
 * A connection's first two requests are answered with 300000 and 100000 bytes, in chunks where the path of the first begins
 * with /chunked; within the second answer there is a pause of a second. Each further request is answered at once. The bodies
 * are full of what could be taken for answers, or for the end of one, and the pause is behind such a thing.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 300000
#define SECOND 100000
#define OPENING 5000 /* of the second, written with the rest of the first */
#define CHUNK 1000
#define OUT_MAX (1 << 20)

static const char fake[] = "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const size_t tail = 7; /* what of it ends an answer in chunks */

static char out[OUT_MAX];
static size_t out_len;
static int pause_ms = 1000;

static void add(const char *text)
{
	out_len += snprintf(out + out_len, sizeof(out) - out_len, "%s", text);
}

static void add_content(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[out_len++] = fake[i % (sizeof(fake) - 1)];
}

static void add_answer(size_t n, bool chunked)
{
	char text[64];
	size_t i;

	snprintf(text, sizeof(text), "Content-Length: %zu", n);
	add("HTTP/1.1 200 OK\r\n");
	add(chunked ? "Transfer-Encoding: chunked" : text);
	add("\r\n\r\n");
	if (!chunked) {
		add_content(n);
		return;
	}
	for (i = 0; i < n; i += CHUNK) {
		snprintf(text, sizeof(text), "%x\r\n", CHUNK);
		add(text);
		add_content(CHUNK);
		add("\r\n");
	}
	add("0\r\n\r\n");
}

/* Of `out` from `from` to `to`, all that is left in each call. */
static void put(int fd, size_t from, size_t to)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (from < to) {
		if (poll(&ready, 1, -1) != 1 || (ready.revents & (POLLERR | POLLHUP)))
			_exit(1);
		n = send(fd, out + from, to - from, MSG_NOSIGNAL | MSG_DONTWAIT);
		from += n > 0 ? n : 0;
	}
}

/* Reads one request, or two. 0: the client closed. */
static bool get(int fd, int requests, char *head, size_t size)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;
	char *end;

	for (;;) {
		if (poll(&ready, 1, -1) != 1)
			return false;
		n = recv(fd, head + len, size - 1 - len, MSG_DONTWAIT);
		if (!n || len == size - 1)
			return false;
		len += n > 0 ? n : 0;
		head[len] = 0;
		end = strstr(head, "\r\n\r\n");
		if (end && (requests == 1 || strstr(end + 4, "\r\n\r\n")))
			return true;
	}
}

static void answer_two(int fd, bool chunked)
{
	size_t first, opening, fake_end;
	ssize_t n;

	add_answer(FIRST, chunked);
	first = out_len;
	add_answer(SECOND, chunked);
	opening = (char *)memmem(out + first + OPENING, SECOND, fake, sizeof(fake) - 1) - out;
	fake_end = opening + (chunked ? tail : sizeof(fake) - 1);
	if (!chunked)
		opening += tail;
	n = send(fd, out, first, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0 || n == (ssize_t)first)
		_exit(1); /* a part only was to be taken */
	put(fd, n, opening);
	put(fd, opening, fake_end);
	usleep(pause_ms * 1000);
	put(fd, fake_end, out_len);
}

static void serve(int fd)
{
	char head[16384];

	if (!get(fd, 2, head, sizeof(head)))
		return;
	answer_two(fd, !strncmp(head, "GET /chunked", 12));
	out_len = 0;
	add("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
	while (get(fd, 1, head, sizeof(head)))
		put(fd, 0, out_len);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int on = 1, small = 4096, listener, fd;

	if (argc != 2)
		return 2;
	if (getenv("MPBPF_SLOW"))
		pause_ms *= atoi(getenv("MPBPF_SLOW"));
	signal(SIGCHLD, SIG_IGN);
	addr.sin_port = htons(atoi(argv[1]));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 16))
		return 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (!fork()) {
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
	return 1;
}

// SPDX-License-Identifier: MIT
/*
 * Test service: one connection at a time, with poll() and calls that do not block. It is slow to accept, so that the first
 * request is there before. It answers with the head that it was sent.
 *
 *   polld PORT SPINS	for each connection a line in the file SPINS: how often poll() said that there is something to read
 *			when there was nothing, long after anything had happened
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_MS 100
#define LONG_MS 300

static int slow = 1;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool answer(int fd, const char *head, size_t len)
{
	return dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", len, head) > 0;
}

static unsigned long serve(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	long happened = now_ms();
	unsigned long spins = 0;
	char head[16384];
	size_t len = 0;
	ssize_t n;

	while (poll(&ready, 1, -1) == 1) {
		n = recv(fd, head + len, sizeof(head) - 1 - len, 0);
		if (n < 0 && errno == EAGAIN) {
			spins += now_ms() - happened > LONG_MS * slow;
			continue;
		}
		if (n <= 0)
			break;
		happened = now_ms();
		len += n;
		head[len] = 0;
		if (!strstr(head, "\r\n\r\n"))
			continue;
		if (!answer(fd, head, len))
			break;
		len = 0;
	}
	return spins;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct pollfd ready = { .events = POLLIN };
	int on = 1, fd;
	FILE *out;

	if (argc != 3)
		return 2;
	if (getenv("MPBPF_SLOW"))
		slow = atoi(getenv("MPBPF_SLOW"));
	addr.sin_port = htons(atoi(argv[1]));
	signal(SIGPIPE, SIG_IGN);
	ready.fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(ready.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(ready.fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(ready.fd, 16))
		return 1;
	while (poll(&ready, 1, -1) == 1) {
		usleep(ACCEPT_MS * slow * 1000);
		fd = accept4(ready.fd, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			return 1;
		out = fopen(argv[2], "a");
		if (!out || fprintf(out, "%lu\n", serve(fd)) < 0 || fclose(out))
			return 1;
		close(fd);
	}
	return 1;
}

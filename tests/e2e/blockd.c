// SPDX-License-Identifier: MIT
/*
 * Test service: answers HTTP requests with blocking calls, one child a connection, as simple servers do.
 *
 *   blockd PORT ERRORS [FILE]	an errno that recv() gives is a line in the file ERRORS; such a connection is closed.
 *				With FILE, of up to 100 kB: it is the answer, head and all, and the connection's last
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[100000] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
static size_t answer_len;
static bool answer_last;

/* All of the file's bytes fit into the send buffer, so that close() finds them there. */
static int answer_read(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, answer, sizeof(answer));

	close(fd);
	answer_len = n;
	answer_last = true;
	return n < 0 ? -1 : 0;
}

static void serve(int fd, const char *errors)
{
	int log, sndbuf = 2 * sizeof(answer);
	char head[65536], line[64];
	size_t len = 0;
	ssize_t n;

	if (answer_last)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	for (;;) {
		n = recv(fd, head + len, sizeof(head) - 1 - len, 0);
		if (n < 0) {
			log = open(errors, O_WRONLY | O_APPEND | O_CREAT, 0600);
			n = snprintf(line, sizeof(line), "%s\n", strerror(errno));
			if (log < 0 || write(log, line, n) != n)
				_exit(1);
			return;
		}
		if (n == 0)
			return;
		len += n;
		head[len] = 0;
		if (!strstr(head, "\r\n\r\n"))
			continue;
		len = 0;
		if (send(fd, answer, answer_len, MSG_NOSIGNAL) < 0 || answer_last)
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int on = 1, listener, fd;

	answer_len = strlen(answer);
	if (argc < 3 || argc > 4 || (argc == 4 && answer_read(argv[3])))
		return 2;
	signal(SIGCHLD, SIG_IGN);
	addr.sin6_port = htons(atoi(argv[1]));
	listener = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 512))
		return 1;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (!fork()) {
			serve(fd, argv[2]);
			_exit(0);
		}
		close(fd);
	}
	return 1;
}

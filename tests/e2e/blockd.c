// SPDX-License-Identifier: MIT
/*
 * Test service: answers HTTP requests with blocking calls, one child a connection, as simple servers do.
 *
 *   blockd PORT ERRORS	an errno that recv() gives is a line in the file ERRORS; such a connection is closed
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

static void serve(int fd, const char *errors)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
	char head[65536], line[64];
	size_t len = 0;
	ssize_t n;
	int log;

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
		if (send(fd, reply, sizeof(reply) - 1, MSG_NOSIGNAL) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int on = 1, listener, fd;

	if (argc != 3)
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

// SPDX-License-Identifier: MIT
/*
 * Test tool: what programs see of a connection between two sockets of this node, so that one past TCP can be held against TCP.
 *
 *   ends HOST PORT
 *     listens there, connects to itself, once for each behaviour, and prints a line of each: its name, and what was seen.
 *     The name alone of those that a connection past TCP does not share begins with '!'.
 */
#include "ends_behaviours.h"

static const struct behaviour {
	const char *name;
	void (*run)(void);
} behaviours[] = {
	{ "plain", plain },
	{ "peek", peek },
	{ "fionread", unread },
	{ "readv and writev", scattered },
	{ "recvmmsg", several },
	{ "epoll, edges", edges },
	{ "blocking", blocking },
	{ "SO_RCVTIMEO", timed },
	{ "half-close", half_closed },
	{ "close", closed },
	{ "reset by SO_LINGER", lingering_reset },
	{ "sendfile", sends_file },
	{ "splice to it", splices_in },
	{ "TCP_CORK and MSG_MORE", corked },
	{ "fork", forked },
	{ "SCM_RIGHTS", handed_over },
	{ "SHUT_RD", read_off },
	{ "names", names },
	{ "SO_RCVLOWAT", low_water },
	/* What differs, on one kernel or another. */
	{ "!MSG_WAITALL", waits_for_all },
	{ "!close, unread", closed_unread },
	{ "!splice from it", splices_out },
	{ "!MSG_OOB", urgent },
};

/* By now both ends are what they are, and have used it. */
static void greet(void)
{
	char b[8];
	int one = 1;

	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	say(c, "hello");
	say(s, "there");
	if (recv(s, b, 5, 0) != 5 || recv(c, b, 5, 0) != 5)
		die("a greeting");
}

int main(int argc, char *argv[])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
		fprintf(stderr, "usage: ends HOST PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	at.sin_port = htons(atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 8) < 0)
		die("listen");
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c, (struct sockaddr *)&at, sizeof(at)) < 0 || (s = accept(listener, NULL, NULL)) < 0)
			die("connect");
		greet();
		seen[0] = '\0';
		behaviours[i].run();
		printf("%s:%s\n", behaviours[i].name, seen);
		close(c);
		close(s);
	}
	return 0;
}

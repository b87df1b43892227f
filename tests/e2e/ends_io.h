/* SPDX-License-Identifier: MIT */
/* Test tool: both ends of a connection of ends.c, and words for what is seen of them. */
#ifndef MPBPF_TESTS_E2E_ENDS_IO_H
#define MPBPF_TESTS_E2E_ENDS_IO_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_MS 60 /* nothing came for so long: nothing comes */
#define WAIT_MS 2000

static char seen[512];
static int c, s; /* the client's end and the service's */

static void see(const char *format, ...)
{
	size_t n = strlen(seen);
	va_list args;

	va_start(args, format);
	vsnprintf(seen + n, sizeof(seen) - n, format, args);
	va_end(args);
}

static void die(const char *what)
{
	fprintf(stderr, "ends: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* How a call ended, in words that are the same each time. */
static const char *ended(ssize_t n)
{
	static char text[32];

	snprintf(text, sizeof(text), "%zd", n);
	return n >= 0		     ? text
	       : errno == EAGAIN     ? "EAGAIN"
	       : errno == EPIPE	     ? "EPIPE"
	       : errno == ENOTCONN   ? "ENOTCONN"
	       : errno == ECONNRESET ? "ECONNRESET"
				     : strerror(errno);
}

static short polled(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		die("send");
}

/* What can be read within the time, all of it, up to the end. */
static void hear(int fd, size_t want)
{
	char b[256] = "";
	size_t n = 0;
	ssize_t r = 1;

	while (n < want && polled(fd, POLLIN, WAIT_MS) && (r = recv(fd, b + n, sizeof(b) - 1 - n, MSG_DONTWAIT)) > 0)
		n += r;
	b[n] = '\0';
	see(" '%s'%s", b, r == 0 ? " end" : r < 0 ? " " : "");
	if (r < 0)
		see("%s", ended(r));
}

#endif

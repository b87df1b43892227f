/* SPDX-License-Identifier: MIT */
/* Test tool: what ends.c does with a connection, one behaviour after the other, and says it has seen. */
#ifndef MPBPF_TESTS_E2E_ENDS_BEHAVIOURS_H
#define MPBPF_TESTS_E2E_ENDS_BEHAVIOURS_H

#include "ends_io.h"

/* ---- the behaviours; each begins with a connection on which each end has said something ---- */

static void plain(void)
{
	say(c, "one");
	say(c, "two");
	hear(s, 6);
	say(s, "three");
	hear(c, 5);
}

static void peek(void)
{
	char b[16] = "";

	say(c, "abcdef");
	polled(s, POLLIN, WAIT_MS);
	see(" %s", ended(recv(s, b, 3, MSG_PEEK)));
	see(" %s", ended(recv(s, b, sizeof(b), MSG_PEEK)));
	see(" %s", ended(recv(s, b, 2, 0)));
	see(" %s", ended(recv(s, b, sizeof(b), MSG_PEEK)));
	hear(s, 4);
}

static void unread(void)
{
	char b[2];
	int n = -1;

	say(c, "abcdef");
	polled(s, POLLIN, WAIT_MS);
	ioctl(s, FIONREAD, &n);
	see(" %d", n);
	see(" %s", ended(recv(s, b, 2, 0)));
	ioctl(s, FIONREAD, &n);
	see(" %d", n);
	hear(s, 4);
	ioctl(s, FIONREAD, &n);
	see(" %d", n);
}

static void scattered(void)
{
	char a[3] = "", b[5] = "", d[9] = "";
	struct iovec to[] = { { a, 2 }, { b, 4 }, { d, 8 } }, from[] = { { "ab", 2 }, { "cde", 3 }, { "f", 1 } };

	see(" %s", ended(writev(c, from, 3)));
	polled(s, POLLIN, WAIT_MS);
	see(" %s", ended(readv(s, to, 3)));
	see(" '%s' '%s' '%s'", a, b, d);
}

static void several(void)
{
	char b[2][8] = {};
	struct iovec v[2] = { { b[0], 3 }, { b[1], 7 } };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } } };

	say(c, "abcdefg");
	polled(s, POLLIN, WAIT_MS);
	see(" %s", ended(recvmmsg(s, m, 2, MSG_DONTWAIT, NULL)));
	see(" %u %u '%s' '%s'", m[0].msg_len, m[1].msg_len, b[0], b[1]);
}

/* An edge for what comes, none for what is left. */
static void edges(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET }, got;
	int e = epoll_create1(0);
	char b[2];

	epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
	see(" %d", epoll_wait(e, &got, 1, 0));
	say(c, "abcd");
	see(" %d", epoll_wait(e, &got, 1, WAIT_MS));
	see(" %s", ended(recv(s, b, 2, 0)));
	see(" %d", epoll_wait(e, &got, 1, QUIET_MS));
	say(c, "ef");
	see(" %d", epoll_wait(e, &got, 1, WAIT_MS));
	hear(s, 4);
	shutdown(c, SHUT_WR);
	see(" %d", epoll_wait(e, &got, 1, WAIT_MS));
	see(" %x", got.events & (EPOLLIN | EPOLLRDHUP));
	close(e);
}

static void *late(void *text)
{
	usleep(QUIET_MS * 1000);
	say(c, text);
	return NULL;
}

static void blocking(void)
{
	pthread_t thread;
	char b[16] = "";

	pthread_create(&thread, NULL, late, "late");
	see(" %s", ended(recv(s, b, sizeof(b) - 1, 0)));
	see(" '%s'", b);
	pthread_join(thread, NULL);
}

static void timed(void)
{
	struct timeval tv = { .tv_usec = QUIET_MS * 1000 };
	char b[16];

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	see(" %s", ended(recv(s, b, sizeof(b), 0)));
}

static void half_closed(void)
{
	say(c, "last");
	shutdown(c, SHUT_WR);
	hear(s, 100);
	say(s, "answer");
	hear(c, 6);
	see(" %s", ended(send(c, "x", 1, MSG_NOSIGNAL)));
	close(s);
	hear(c, 1);
}

static void closed(void)
{
	say(c, "last");
	close(c);
	hear(s, 100);
	see(" %s", ended(send(s, "x", 1, MSG_NOSIGNAL)));
	usleep(QUIET_MS * 1000);
	see(" %s", ended(send(s, "x", 1, MSG_NOSIGNAL)));
}

static void lingering_reset(void)
{
	const struct linger linger = { .l_onoff = 1 };

	say(c, "last");
	polled(s, POLLIN, WAIT_MS);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c);
	usleep(QUIET_MS * 1000);
	see(" %x", polled(s, POLLIN | POLLOUT, 0) & (POLLIN | POLLERR | POLLHUP));
	hear(s, 100);
	see(" %s", ended(send(s, "x", 1, MSG_NOSIGNAL)));
}

static void sends_file(void)
{
	char path[] = "/tmp/ends-XXXXXX", b[64] = "";
	int fd = mkstemp(path);
	off_t at = 0;

	if (fd < 0 || write(fd, "from a file", 11) != 11)
		die("a file");
	unlink(path);
	see(" %s", ended(sendfile(c, fd, &at, 11)));
	polled(s, POLLIN, WAIT_MS);
	/* What has been sent is as it was then. */
	if (pwrite(fd, "FROM A FILE", 11, 0) != 11)
		die("a file");
	usleep(QUIET_MS * 1000);
	see(" %s", ended(recv(s, b, sizeof(b) - 1, MSG_DONTWAIT)));
	see(" %d", strcasecmp(b, "from a file"));
	close(fd);
}

static void splices_in(void)
{
	int p[2];

	if (pipe(p) < 0 || write(p[1], "through a pipe", 14) != 14)
		die("a pipe");
	see(" %s", ended(splice(p[0], NULL, c, NULL, 14, 0)));
	hear(s, 14);
	close(p[0]);
	close(p[1]);
}

static void corked(void)
{
	int on = 1, off = 0;

	setsockopt(c, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	say(c, "cork");
	say(c, "ed");
	setsockopt(c, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	hear(s, 6);
	see(" %s", ended(send(c, "mo", 2, MSG_MORE)));
	say(c, "re");
	hear(s, 4);
}

static void forked(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		say(c, "child");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	say(c, "parent");
	hear(s, 11);
}

static void handed_over(void)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(h), &s, sizeof(s));
	sendmsg(pair[0], &m, 0);
	close(s);
	recvmsg(pair[1], &m, 0);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	s = fd;
	say(c, "handed");
	hear(s, 6);
	say(s, "over");
	hear(c, 4);
	close(pair[0]);
	close(pair[1]);
}

static void read_off(void)
{
	char b[8];

	shutdown(s, SHUT_RD);
	see(" %s", ended(recv(s, b, sizeof(b), 0)));
	say(s, "still");
	hear(c, 5);
}

static void names(void)
{
	struct sockaddr_storage a = {}, b = {};
	socklen_t len = sizeof(a);

	getpeername(c, (struct sockaddr *)&a, &len);
	len = sizeof(b);
	getsockname(s, (struct sockaddr *)&b, &len);
	see(" %d", memcmp(&a, &b, sizeof(a)));
}

static void low_water(void)
{
	int n = 4;

	setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
	say(c, "ab");
	see(" %d", polled(s, POLLIN, QUIET_MS) & POLLIN);
	say(c, "cd");
	see(" %d", polled(s, POLLIN, WAIT_MS) & POLLIN);
	hear(s, 4);
}

static void waits_for_all(void)
{
	pthread_t thread;
	char b[16] = "";

	say(c, "half");
	polled(s, POLLIN, WAIT_MS);
	pthread_create(&thread, NULL, late, "rest");
	see(" %s", ended(recv(s, b, 8, MSG_WAITALL)));
	pthread_join(thread, NULL);
}

static void closed_unread(void)
{
	char b[8];

	say(c, "never read");
	polled(s, POLLIN, WAIT_MS);
	close(s);
	usleep(QUIET_MS * 1000);
	see(" %s", ended(recv(c, b, sizeof(b), MSG_DONTWAIT)));
}

static void splices_out(void)
{
	int p[2];

	if (pipe(p) < 0)
		die("a pipe");
	say(c, "into a pipe");
	fcntl(s, F_SETFL, O_NONBLOCK); /* or it would wait for ever */
	polled(s, POLLIN, WAIT_MS);
	see(" %s", ended(splice(s, NULL, p[1], NULL, 11, SPLICE_F_NONBLOCK)));
	close(p[0]);
	close(p[1]);
}

static void urgent(void)
{
	char b;

	see(" %s", ended(send(c, "ab!", 3, MSG_OOB)));
	polled(s, POLLPRI, QUIET_MS);
	see(" %s", ended(recv(s, &b, 1, MSG_OOB)));
}

#endif

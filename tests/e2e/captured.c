// SPDX-License-Identifier: MIT
/*
 * Test tool: a client that tells what it sees of its connection.
 *
 *   captured [-n] [-m] [-M] [-b IP] [-d DEVICE] [-f] [-p] [-k] [-c] [-x] [-r PORT] HOST PORT
 *     connects and asks GET /; prints its peer, SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST (-: there is none), and what came as a
 *     body; or the name of the error that connect(2) gave.
 *     -n: not blocking; -m: an IPv4 address over an IPv6 socket; -b: bound to that address; -f: a child connects; -p: a child
 *     gets the socket by SCM_RIGHTS, and tells; -k: waits for a line from standard input before it asks; -r: connects to that
 *     port of the host first, which must fail; -M: MPTCP; -d: bound to that interface; -c: does not wait for the answer;
 *     -x: ends with a reset, and asks nothing.
 *   captured -u HOST PORT
 *     the same of a datagram socket, and what answers.
 *   captured -s PORT
 *     answers datagrams with the word "datagram", until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORIGINAL_DST 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST */
#define WAIT_MS 20000

static struct {
	bool nonblock, mapped, mptcp, child, pass, keep, leave, reset, datagram;
	const char *bound, *device, *refused, *serve;
} options;

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* The error that connect(2) gave is an answer, too. */
static void tell_error(int error)
{
	printf("%s\n", strerrorname_np(error));
	exit(0);
}

static socklen_t address(const char *host, const char *port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char text[64];

	memset(ret, 0, sizeof(*ret));
	if (!options.mapped && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		return sizeof(*v4);
	}
	snprintf(text, sizeof(text), "%s%s", options.mapped ? "::ffff:" : "", host);
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		die(host);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(atoi(port));
	return sizeof(*v6);
}

static void print_address(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	char text[INET6_ADDRSTRLEN];

	if (from->ss_family == AF_INET)
		printf("%s:%d ", inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), ntohs(v4->sin_port));
	else
		printf("[%s]:%d ", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)), ntohs(v6->sin6_port));
}

static void print_original(int fd, int level, socklen_t size)
{
	struct sockaddr_storage original = {};
	socklen_t len = size;

	if (getsockopt(fd, level, ORIGINAL_DST, &original, &len) < 0 || len != size)
		printf("- ");
	else
		print_address(&original);
}

static void print_socket(int fd)
{
	struct sockaddr_storage peer = {};
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		die("getpeername");
	print_address(&peer);
	print_original(fd, IPPROTO_IP, sizeof(struct sockaddr_in));
	print_original(fd, IPPROTO_IPV6, sizeof(struct sockaddr_in6));
}

/* What comes behind the head, up to the end of the stream. */
static void ask(int fd)
{
	static const char request[] = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
	char answer[4096] = "", line[8], *body;
	size_t len = 0;
	ssize_t n;

	if (options.keep && !fgets(line, sizeof(line), stdin))
		die("standard input");
	if (options.reset) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		return;
	}
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		tell_error(errno);
	if (options.leave)
		return;
	while (len < sizeof(answer) - 1 && (n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += n;
	if (n < 0)
		tell_error(errno);
	body = strstr(answer, "\r\n\r\n");
	printf("%s", body ? body + 4 : "(no answer)\n");
}

/* Not blocking: under way, then made or failed; and made it cannot be made again. */
static void connect_later(int fd, const struct sockaddr_storage *to, socklen_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS)
		tell_error(errno);
	if (poll(&p, 1, WAIT_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		die("poll");
	if (error)
		tell_error(error);
	if (connect(fd, (const struct sockaddr *)to, len) == 0)
		connect(fd, (const struct sockaddr *)to, len);
	if (errno != EISCONN)
		die("a second connect()");
	fcntl(fd, F_SETFL, 0);
}

static void connect_now(int fd, const struct sockaddr_storage *to, socklen_t len)
{
	int status = 0;
	pid_t child;

	if (!options.child) {
		if (connect(fd, (const struct sockaddr *)to, len) < 0)
			tell_error(errno);
		return;
	}
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(connect(fd, (const struct sockaddr *)to, len) < 0 ? errno : 0);
	waitpid(child, &status, 0);
	if (WEXITSTATUS(status))
		tell_error(WEXITSTATUS(status));
}

/* To a child that has nothing else of it, which goes on as if it were its own. */
static int pass(int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int pair[2], status;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	fflush(stdout);
	if (fork() == 0) {
		close(fd);
		if (recvmsg(pair[1], &message, 0) != 1)
			die("recvmsg");
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
		return fd;
	}
	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(pair[0], &message, 0) != 1)
		die("sendmsg");
	close(fd);
	wait(&status);
	exit(WEXITSTATUS(status));
}

static void bind_to(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = address(options.bound, "0", &at);

	if (bind(fd, (struct sockaddr *)&at, len) < 0)
		die("bind");
}

static int socket_for(const struct sockaddr_storage *to)
{
	int fd = socket(to->ss_family, SOCK_STREAM, options.mptcp ? IPPROTO_MPTCP : 0);

	if (fd < 0)
		die("socket");
	if (options.device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options.device, strlen(options.device)) < 0)
		die(options.device);
	return fd;
}

static int stream(const char *host, const char *port)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd;

	if (options.refused) {
		len = address(host, options.refused, &to);
		fd = socket_for(&to);
		if (connect(fd, (struct sockaddr *)&to, len) == 0)
			die("the first connect()");
		len = address(host, port, &to);
	} else {
		len = address(host, port, &to);
		fd = socket_for(&to);
	}
	if (options.bound)
		bind_to(fd);
	if (options.nonblock)
		connect_later(fd, &to, len);
	else
		connect_now(fd, &to, len);
	if (options.pass)
		fd = pass(fd);
	print_socket(fd);
	fflush(stdout);
	ask(fd);
	return 0;
}

static int datagram(const char *host, const char *port)
{
	struct timeval timeout = { .tv_sec = WAIT_MS / 1000 };
	struct sockaddr_storage to;
	socklen_t len = address(host, port, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM, 0);
	char answer[64];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&to, len) < 0)
		tell_error(errno);
	if (send(fd, "?", 1, 0) != 1 || (n = recv(fd, answer, sizeof(answer), 0)) < 0)
		tell_error(errno);
	print_socket(fd);
	printf("%.*s\n", (int)n, answer);
	return 0;
}

static int serve(const char *port)
{
	struct sockaddr_storage at, from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = address("0.0.0.0", port, &at);
	char byte;

	if (bind(fd, (struct sockaddr *)&at, len) < 0)
		die("bind");
	for (len = sizeof(from); recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &len) >= 0; len = sizeof(from))
		sendto(fd, "datagram", 8, 0, (struct sockaddr *)&from, len);
	die("recvfrom");
	return 1;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "nmMb:d:fpkcxr:us:")) >= 0) {
		switch (option) {
		case 'n': options.nonblock = true; break;
		case 'm': options.mapped = true; break;
		case 'M': options.mptcp = true; break;
		case 'd': options.device = optarg; break;
		case 'c': options.leave = true; break;
		case 'x': options.reset = true; break;
		case 'b': options.bound = optarg; break;
		case 'f': options.child = true; break;
		case 'p': options.pass = true; break;
		case 'k': options.keep = true; break;
		case 'r': options.refused = optarg; break;
		case 'u': options.datagram = true; break;
		case 's': options.serve = optarg; break;
		default: return 2;
		}
	}
	if (options.serve)
		return serve(options.serve);
	if (argc - optind != 2)
		return 2;
	return (options.datagram ? datagram : stream)(argv[optind], argv[optind + 1]);
}

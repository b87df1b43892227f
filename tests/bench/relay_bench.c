// SPDX-License-Identifier: MIT
/*
 * Bench tool: what a relay between two sockets moves, in bulk and in small messages; and a relay whose bytes are redirected in the
 * kernel, from socket to socket, for comparison with the gateway's own. See relay.sh.
 *
 *   relay_bench serve PORT             the endpoint
 *   relay_bench redirect PORT HOST PORT  a relay to HOST and the second PORT: a sk_skb program redirects, this process waits
 *   relay_bench bulk HOST PORT MB      one connection; prints MB/s from the endpoint
 *   relay_bench messages HOST PORT MS CONNECTIONS  100 bytes there and back, again and again; prints how many a second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "core/util.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define PIECE (256 << 10)
#define MESSAGE 100
#define CONNECTIONS_MAX 256
#define SETTLE_USEC 100000 /* until the relay has both of its sockets */

/* What a connection begins with: so many bytes are wanted; 0: what is sent comes back. */
typedef uint64_t wish;

static void die(const char *what)
{
	fprintf(stderr, "relay_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static struct sockaddr_in place(const char *host, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	inet_pton(AF_INET, host, &to.sin_addr);
	return to;
}

static int listen_at(const char *port)
{
	struct sockaddr_in at = place("0.0.0.0", port);
	int fd = tcp_socket();

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, CONNECTIONS_MAX) < 0)
		die("listen");
	return fd;
}

static int connect_to(const char *host, const char *port)
{
	struct sockaddr_in to = place(host, port);
	int fd = tcp_socket();

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return fd;
}

/* ---- the endpoint ---- */

static void *serve_one(void *data)
{
	int fd = (intptr_t)data;
	static char bytes[PIECE];
	char text[4096];
	wish left;
	ssize_t n;

	if (recv(fd, &left, sizeof(left), MSG_WAITALL) == sizeof(left) && !left)
		while ((n = recv(fd, text, sizeof(text), 0)) > 0 && send(fd, text, n, MSG_NOSIGNAL) == n)
			;
	else
		while (left && (n = send(fd, bytes, left < PIECE ? left : PIECE, MSG_NOSIGNAL)) > 0)
			left -= n;
	/* Not before the client has everything, who closes then: an end may overtake what is redirected. */
	recv(fd, text, 1, 0);
	close(fd);
	return NULL;
}

static int serve(char **argv)
{
	int listening = listen_at(argv[0]), fd;
	pthread_t thread;

	while ((fd = accept(listening, NULL, NULL)) >= 0)
		if (!pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd))
			pthread_detach(thread);
	die("accept");
	return 1;
}

/* ---- the relay ---- */

static int carried, peers; /* maps */

static void programs_load(void)
{
	struct bpf_object *object = bpf_object__open_file(MPBPF_BUILD "/tests/prog/sk_skb_carry.bpf.o", NULL);
	struct bpf_program *program;

	if (!object || bpf_object__load(object))
		die("sk_skb_carry");
	program = bpf_object__find_program_by_name(object, "sk_skb_carry");
	carried = bpf_object__find_map_fd_by_name(object, "carried");
	peers = bpf_object__find_map_fd_by_name(object, "peers");
	if (bpf_prog_attach(bpf_program__fd(program), carried, BPF_SK_SKB_VERDICT, 0))
		die("attaching");
}

static void pair_insert(const int fds[2])
{
	socklen_t len = sizeof(uint64_t);
	uint64_t cookies[2];

	for (int i = 0; i < 2; i++)
		if (getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &cookies[i], &len) < 0)
			die("cookie");
	for (int i = 0; i < 2; i++) {
		uint64_t value = fds[i];

		if (bpf_map_update_elem(peers, &cookies[i], &cookies[!i], BPF_ANY) ||
		    bpf_map_update_elem(carried, &cookies[i], &value, BPF_ANY))
			die("into the maps");
	}
}

/* Until the client closes: nothing of that crosses a redirect. */
static int redirect(char **argv)
{
	int listening = listen_at(argv[0]), epoll = epoll_create1(EPOLL_CLOEXEC), fds[2], *ended;
	struct epoll_event event = { .events = EPOLLIN };

	programs_load();
	epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
	while (epoll_wait(epoll, &event, 1, -1) >= 0) {
		ended = event.data.ptr;
		if (ended) {
			close(ended[0]);
			close(ended[1]);
			free(ended);
			continue;
		}
		fds[0] = accept(listening, NULL, NULL);
		fds[1] = connect_to(argv[1], argv[2]);
		pair_insert(fds);
		ended = malloc(sizeof(fds));
		memcpy(ended, fds, sizeof(fds));
		event = (struct epoll_event){ .events = EPOLLRDHUP, .data.ptr = ended };
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
	}
	die("epoll");
	return 1;
}

/* ---- the client ---- */

static int ask(const char *host, const char *port, wish wish)
{
	int fd = connect_to(host, port);

	usleep(SETTLE_USEC);
	if (send(fd, &wish, sizeof(wish), MSG_NOSIGNAL) != sizeof(wish))
		die("send");
	return fd;
}

static int bulk(char **argv)
{
	static char bytes[PIECE];
	uint64_t wanted = strtoul(argv[2], NULL, 10) * 1000000, left = wanted;
	int64_t began = clock_ns(CLOCK_MONOTONIC);
	int fd = ask(argv[0], argv[1], wanted);
	ssize_t n;

	began += SETTLE_USEC * 1000;
	while (left && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		left -= n;
	if (left)
		die("recv");
	printf("%.0f\n", wanted * 1e3 / (clock_ns(CLOCK_MONOTONIC) - began));
	close(fd);
	return 0;
}

static int messages(char **argv)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + atoi(argv[2]) * NSEC_PER_MSEC + SETTLE_USEC * 1000LL * atoi(argv[3]);
	int epoll = epoll_create1(EPOLL_CLOEXEC), n = atoi(argv[3]), fds[CONNECTIONS_MAX];
	int64_t began, now;
	char text[MESSAGE] = "";
	unsigned long count = 0;

	for (int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] = ask(argv[0], argv[1], 0) };

		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	began = now = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++)
		if (send(fds[i], text, sizeof(text), MSG_NOSIGNAL) != sizeof(text))
			die("send");
	for (; now < end; now = clock_ns(CLOCK_MONOTONIC)) {
		struct epoll_event events[16];
		int ready = epoll_wait(epoll, events, ARRAY_SIZE(events), 1000);

		if (ready <= 0)
			die("no message came back");
		for (int i = 0; i < ready; i++) {
			if (recv(events[i].data.fd, text, sizeof(text), MSG_WAITALL) != sizeof(text) ||
			    send(events[i].data.fd, text, sizeof(text), MSG_NOSIGNAL) != sizeof(text))
				die("a message");
			count++;
		}
	}
	printf("%.0f\n", count * 1e9 / (now - began));
	return 0;
}

static const struct {
	const char *name;
	int n_args;
	int (*run)(char **argv);
} commands[] = { { "serve", 1, serve }, { "redirect", 3, redirect }, { "bulk", 3, bulk }, { "messages", 4, messages } };

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (argc == 2 + commands[i].n_args && !strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: relay_bench serve|redirect|bulk|messages ARGUMENT...\n");
	return 2;
}

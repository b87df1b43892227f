/* SPDX-License-Identifier: MIT */
/* Test tool: the service of soak. It believes nothing that it reads, and remembers every request that it saw. */
#ifndef MPBPF_TESTS_SOAK_SERVER_H
#define MPBPF_TESTS_SOAK_SERVER_H

#include "soak_peer.h"

/* A reset behind bytes that a small buffer had no room for lies beyond the window, and TCP does not believe it. */
static void peer_keepalive(int fd)
{
	int on = 1, idle_s = 2, interval_s = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
}

/* Some sockets are left blocking, some have small buffers: the guard treats them differently. */
static void peer_accept(int listener)
{
	static unsigned int turn;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (++turn % 3 ? SOCK_NONBLOCK : 0));
	struct epoll_event event = {};
	struct peer *peer;
	int i, small = 4096, medium = 16384;

	if (fd < 0)
		return;
	for (i = turn % 4; i < PEERS_MAX && server.peers[i]; i += 4)
		;
	if (i >= PEERS_MAX) {
		fault("too many connections at a time");
		close(fd);
		return;
	}
	peer = calloc(1, sizeof(*peer));
	*peer = (struct peer){ .fd = fd, .index = i, .rng.state = mix(++server.connections) };
	peer_keepalive(fd);
	if (i % 4 == 1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &medium, sizeof(medium));
	if (i % 4 == 2)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	server.peers[i] = peer;
	event.data.u32 = i;
	epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event);
}

/* What to wait for now. Returns how long that may take, in us. */
static int64_t peer_interest(struct peer *peer, int64_t now)
{
	size_t waiting = peer->out.len - peer->pos;
	struct epoll_event event = { .data.u32 = peer->index };
	int64_t wait = 1000000;

	if (!peer->eof && waiting < BACKLOG && peer->n_answers < ANSWERS_MAX - 8) {
		if (peer->read_at <= now)
			event.events |= EPOLLIN;
		else
			wait = peer->read_at - now;
	}
	if (waiting && peer->write_at > now)
		wait = wait < peer->write_at - now ? wait : peer->write_at - now;
	else if (waiting)
		event.events |= EPOLLOUT;
	if (event.events != peer->events)
		epoll_ctl(server.epoll, EPOLL_CTL_MOD, peer->fd, &event);
	peer->events = event.events;
	return wait;
}

static void server_event(const struct epoll_event *event)
{
	bool listener = event->data.u32 >= PEERS_MAX;
	struct peer *peer = listener ? NULL : server.peers[event->data.u32];
	int r = 0;

	if (listener)
		peer_accept(event->data.u32 - PEERS_MAX);
	if (peer && (event->events & EPOLLOUT))
		r = peer_write(peer);
	if (peer && !r && (event->events & ~EPOLLOUT))
		r = peer_read(peer);
	if (peer && r)
		peer_close(peer);
}

static void server_turn(void)
{
	int64_t now = now_us(), wait = 1000000, w;
	struct epoll_event events[64];
	int i, n;

	for (i = 0; i < PEERS_MAX; i++) {
		w = server.peers[i] ? peer_interest(server.peers[i], now) : wait;
		wait = w < wait ? w : wait;
	}
	n = epoll_wait(server.epoll, events, 64, (wait + 999) / 1000);
	for (i = 0; i < n; i++)
		server_event(&events[i]);
}

static int server_listen(const char *host, int port)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, on = 1;

	if (client_address(host, port, &addr, &len) < 0)
		return -EINVAL;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd < 0 || bind(fd, (void *)&addr, len) || listen(fd, 512))
		return -errno;
	event.data.u32 = PEERS_MAX + fd;
	return epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int server_main(int port)
{
	struct sigaction action = { .sa_handler = server_end };

	sigaction(SIGTERM, &action, NULL);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	server.seen = calloc(SEEN_SIZE, sizeof(*server.seen));
	if (server.epoll < 0 || !server.seen || server_listen("0.0.0.0", port) || server_listen("::", port)) {
		perror("soak server");
		return 2;
	}
	printf("pid=%d\n", getpid());
	fflush(stdout);
	while (!server_ended)
		server_turn();
	printf("accepted=%lu seen=%lu complete=%lu cut=%lu read=%lu written=%lu\n", server.connections, server.requests,
	       server.complete, server.cut, server.bytes_in, server.bytes_out);
	printf("damaged=%lu twice=%lu denied=%lu disorder=%lu malformed=%lu faults=%lu\n", server.damaged, server.twice,
	       server.denied, server.disorder, server.malformed, faults);
	return faults != 0;
}

#endif

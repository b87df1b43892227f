/* SPDX-License-Identifier: MIT */
/* Floor 4: the helper channel's user side. */
#include "userspace-auth/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "core/capture.h"
#include "core/util.h"

#define CHANNEL_TRIES 16
#define SINK_STOP_MS 1000

/* Both ends of a TCP connection over 127.0.0.1: sockmaps redirect into TCP sockets from TCP sockets. */
static int tcp_pair(const struct maps *maps, int *ret_a, int *ret_b)
{
	_cleanup_close_ int listener = -1, a = -1, b = -1;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from = {};
	socklen_t len = sizeof(addr), from_len = sizeof(from);
	static const struct addr loopback = { .b = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	struct sockaddr_in self = {};
	socklen_t self_len = sizeof(self);
	int r;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || a < 0)
		return -errno;
	/* An agent before this one may have left captures. Where the kernel has none, it refuses this. */
	capture_exempt(maps, a);
	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		return -errno;
	capture_own(maps, &loopback, addr.sin_port, true);
	r = connect(a, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	capture_own(maps, &loopback, addr.sin_port, false);
	if (r < 0)
		return r;
	b = accept4(listener, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (b < 0 || getsockname(a, (struct sockaddr *)&self, &self_len))
		return -errno;
	/* Another process may have been quicker to connect. */
	if (from.sin_port != self.sin_port || from.sin_addr.s_addr != self.sin_addr.s_addr)
		return -ECONNABORTED;
	*ret_a = TAKE_FD(a);
	*ret_b = TAKE_FD(b);
	return 0;
}

/* Whether the kernel put this accepted socket under guard. */
static bool is_guarded(const struct maps *maps, int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct conn conn;

	return !getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) &&
	       !bpf_map_lookup_elem(maps->fd[MAP_CONNS], &cookie, &conn);
}

/*
 * The kernel chose the pair's ports. Should that be a guarded port on which no service listens, the idle end would be judged
 * like a service's connection: then another pair.
 */
static int free_pair(const struct maps *maps, int *ret_fd, int *ret_peer)
{
	int i, r;

	for (i = 0; i < CHANNEL_TRIES; i++) {
		_cleanup_close_ int fd = -1, peer = -1;

		r = tcp_pair(maps, &fd, &peer);
		if (r < 0 && r != -ECONNABORTED)
			return r;
		if (r < 0 || is_guarded(maps, peer))
			continue;
		*ret_fd = TAKE_FD(fd);
		*ret_peer = TAKE_FD(peer);
		return 0;
	}
	return -EADDRINUSE;
}

static int socket_put(const struct maps *maps, enum map_id map, int fd)
{
	uint32_t zero = 0;
	uint64_t value = fd;

	return bpf_map_update_elem(maps->fd[map], &zero, &value, BPF_ANY) ? -errno : 0;
}

/*
 * The kernel finds out at the first redirect that nothing can be sent on the sink, and refuses only from then on: the first
 * bytes of all would wake their service. So they are ours. The program swallows what comes to a socket that has no record; the
 * worker that then fails to send it reports the error on the sink. Does it not (a program of an older version swallows
 * otherwise), so be it.
 */
static int sink_stop(const struct maps *maps, int sink)
{
	_cleanup_close_ int fd = -1, peer = -1;
	struct pollfd refused = { .fd = sink };
	uint64_t cookie = 0, value;
	socklen_t len = sizeof(cookie);
	int r;

	r = free_pair(maps, &fd, &peer);
	if (r < 0)
		return r;
	value = peer;
	if (getsockopt(peer, SOL_SOCKET, SO_COOKIE, &cookie, &len) ||
	    bpf_map_update_elem(maps->fd[MAP_SOCKETS], &cookie, &value, BPF_ANY) ||
	    send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	poll(&refused, 1, SINK_STOP_MS);
	return 0;
}

static int sink_open(const struct maps *maps, int *ret_fd, int *ret_peer)
{
	_cleanup_close_ int fd = -1, peer = -1;
	int r;

	r = free_pair(maps, &fd, &peer);
	if (r < 0)
		return r;
	r = socket_put(maps, MAP_SINK, fd);
	if (r < 0)
		return r;
	if (shutdown(fd, SHUT_WR))
		return -errno;
	r = sink_stop(maps, fd);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	*ret_peer = TAKE_FD(peer);
	return 0;
}

int channel_open(const struct maps *maps, struct channel *ret)
{
	_cleanup_close_ int fd = -1, peer = -1, sink = -1, sink_peer = -1;
	int r;

	r = sink_open(maps, &sink, &sink_peer);
	if (r < 0)
		return r;
	r = free_pair(maps, &fd, &peer);
	if (r < 0)
		return r;
	r = socket_put(maps, MAP_HELPER, fd);
	if (r < 0)
		return r;
	*ret = (struct channel){
		.target_map = maps->fd[MAP_TARGET],
		.helper_map = maps->fd[MAP_HELPER],
		.fd = TAKE_FD(fd),
		.peer = TAKE_FD(peer),
		.sink = TAKE_FD(sink),
		.sink_peer = TAKE_FD(sink_peer),
	};
	return 0;
}

void channel_close(struct channel *channel)
{
	uint32_t zero = 0;

	if (channel->fd >= 0)
		bpf_map_delete_elem(channel->helper_map, &zero);
	close_fd(&channel->fd);
	close_fd(&channel->peer);
	close_fd(&channel->sink);
	close_fd(&channel->sink_peer);
}

/* Returns how many bytes the target took, which may be fewer than len, or -errno: none. */
static ssize_t send_to(struct channel *channel, const struct target *target, const void *data, size_t len)
{
	uint32_t zero = 0;
	size_t sent = 0;
	ssize_t n = 0;

	if (bpf_map_update_elem(channel->target_map, &zero, target, BPF_ANY))
		return -errno;
	while (sent < len) {
		n = send(channel->fd, (const char *)data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	if (sent || !len)
		return sent;
	return n < 0 ? -errno : -EIO;
}

int channel_hand(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	const struct target target = { .cookie = cookie };
	ssize_t n = send_to(channel, &target, data, len);

	if (n < 0)
		return n;
	return (size_t)n == len ? 0 : -EIO;
}

ssize_t channel_answer(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	const struct target target = { .cookie = cookie, .egress = 1 };

	return send_to(channel, &target, data, len);
}

void channel_drain(struct channel *channel)
{
	char sink[65536];
	int i;

	for (i = 0; i < 64 && recv(channel->peer, sink, sizeof(sink), MSG_DONTWAIT) > 0; i++)
		;
}

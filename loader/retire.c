// SPDX-License-Identifier: MIT
/*
 * Floor 5: waits for requests under way, then closes the guarded connections that are left, each in its network
 * namespace.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "core/clock.h"
#include "core/maps.h"
#include "core/sock_diag.h"
#include "core/util.h"
#include "loader/netns.h"
#include "loader/retire.h"

#define POLL_USEC 20000
/* How long a response may take to be acknowledged: a reset would take away what is still under way. */
#define SETTLE_MS 500

/* A request is with the service or with the helper. */
static bool is_busy(const struct conn *conn)
{
	return conn->allowed != conn->answered || (conn->state == CONN_HELPER && conn->asked != conn->returned);
}

/*
 * Calls `each` for every socket under guard: `sockets` is the map that the kernel clears at close, `conns` says what
 * is known of the socket. Keys are collected first, for closing takes them out of the map.
 */
static int each_guarded(const struct maps *maps, void (*each)(__u64 cookie, const struct conn *conn, void *data),
			void *data)
{
	_cleanup_free_ __u64 *cookies = NULL;
	size_t n = 0, room = 0;
	struct conn conn;
	__u64 cookie;
	int r;

	r = bpf_map_get_next_key(maps->fd[MAP_SOCKETS], NULL, &cookie);
	for (; r == 0 && n < MPBPF_CONNS_MAX; r = bpf_map_get_next_key(maps->fd[MAP_SOCKETS], &cookie, &cookie)) {
		if (n == room) {
			__u64 *more = reallocarray(cookies, room = room ? 2 * room : 1024, sizeof(*cookies));

			if (!more)
				return -ENOMEM;
			cookies = more;
		}
		cookies[n++] = cookie;
	}
	for (size_t i = 0; i < n; i++)
		if (bpf_map_lookup_elem(maps->fd[MAP_CONNS], &cookies[i], &conn) == 0)
			each(cookies[i], &conn, data);
	return 0;
}

static void count_busy(__u64 cookie, const struct conn *conn, void *data)
{
	(void)cookie;
	*(uint64_t *)data += is_busy(conn);
}

uint64_t retire_wait(const struct maps *maps, unsigned int timeout_ms)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + timeout_ms * (NSEC_PER_SEC / 1000);
	uint64_t busy;

	for (;;) {
		busy = 0;
		if (each_guarded(maps, count_busy, &busy) < 0 || !busy || clock_ns(CLOCK_MONOTONIC) >= end)
			return busy;
		usleep(POLL_USEC);
	}
}

/* One socket of sock_diag a namespace, kept as long as the connections that follow are in the same one. */
struct closing {
	uint64_t netns;
	int fd;
	bool patient; /* leave those alone for now whose last response is not acknowledged */
	uint64_t closed, left, waiting;
};

static int enter(struct closing *c, uint64_t netns)
{
	if (c->fd >= 0 && c->netns == netns)
		return 0;
	close_fd(&c->fd);
	c->netns = netns;
	return netns_call(netns, sock_diag_open, &c->fd);
}

static void close_one(__u64 cookie, const struct conn *conn, void *data)
{
	struct closing *c = data;
	int r;

	r = enter(c, conn->netns);
	if (r == 0 && c->patient &&
	    sock_diag_unacked(c->fd, &conn->local, conn->local_port, &conn->remote, conn->remote_port, cookie) > 0) {
		c->waiting++;
		return;
	}
	if (r == 0)
		r = sock_diag_destroy(c->fd, &conn->local, conn->local_port, &conn->remote, conn->remote_port, cookie);
	if (r == 0)
		c->closed++;
	else if (r != -ENOENT)
		c->left++;
}

uint64_t retire_close(const struct maps *maps, uint64_t *ret_left)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + SETTLE_MS * (NSEC_PER_SEC / 1000);
	struct closing closing = { .fd = -1 };

	do {
		closing.patient = clock_ns(CLOCK_MONOTONIC) < end;
		closing.waiting = 0;
		closing.left = 0;
		each_guarded(maps, close_one, &closing);
		if (closing.waiting)
			usleep(POLL_USEC);
	} while (closing.waiting);
	close_fd(&closing.fd);
	*ret_left = closing.left;
	return closing.closed;
}

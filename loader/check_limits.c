// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, what guarding costs a service on some kernels, and what some lack that mpbpf does without. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <bpf/libbpf.h>

#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "mpbpf.skel.h"

#define MOVE_MS 200

/* A request that is let through and waits to be read: `*ret_len` bytes at `request`. */
static int let_wait(struct check *c, struct peers *peers, char *request, size_t size, size_t *ret_len)
{
	int r = peers_open(c, NULL, peers);

	*ret_len = io_request(request, size, "GET", CHECK_FREE, "");
	if (r == 0)
		r = io_say(c, peers->client, request, *ret_len, "a request that needs no token");
	if (r == 0 && !io_wait(peers->server, POLLIN, CHECK_IO_MS))
		r = check_fail(c, "an allowed request did not come");
	return r;
}

int check_fionread(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	char request[256];
	int r, told = 0;
	size_t len;

	r = let_wait(c, &peers, request, sizeof(request), &len);
	if (r < 0)
		return r;
	if (ioctl(peers.server, FIONREAD, &told) < 0)
		return check_fail(c, "FIONREAD: %s", strerror(errno));
	return (size_t)told == len ? check_ok(c, "tells the length of what waits behind a verdict")
				   : check_fail(c, "%zu bytes wait, and it tells %d", len, told);
}

/* What splice() moves out of the socket within MOVE_MS, or -errno. */
static ssize_t move(int from, int to, size_t len)
{
	int64_t end = io_now_ms() + MOVE_MS;
	ssize_t n;

	do {
		n = splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK);
		if (n >= 0 || errno != EAGAIN)
			return n < 0 ? -errno : n;
		usleep(1000);
	} while (io_now_ms() < end);
	return -EAGAIN;
}

int check_splice(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	_cleanup_close_ int out = -1, in = -1;
	char request[256], got[256];
	int r, ends[2];
	size_t len;
	ssize_t n;

	r = let_wait(c, &peers, request, sizeof(request), &len);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return check_fail(c, "a pipe: %s", strerror(errno));
	out = ends[0];
	in = ends[1];
	n = move(peers.server, in, len);
	if (n < 0)
		return check_fail(c, "%zu bytes wait, and it says %s", len, strerror(-n));
	if ((size_t)n != len || read(out, got, sizeof(got)) != n || memcmp(got, request, n))
		return check_fail(c, "%zu bytes wait, and it moves %zd", len, n);
	return check_ok(c, "moves what waits behind a verdict");
}

int check_sleepable_lock(struct check *c)
{
	struct mpbpf *object = mpbpf__open();
	int r;

	if (!object)
		return check_fail(c, "opening the programs: %s", strerror(errno));
	r = check_object_load(c, object, object->progs.sleepable_lock);
	mpbpf__destroy(object);
	return r < 0 ? r : check_ok(c, "a program that sleeps may hold a bpf_spin_lock");
}

// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, what guarding costs a service on some kernels, and what some lack that mpbpf does without. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "loader/fionread.h"
#include "mpbpf.skel.h"

#define MOVE_MS 200

/* A request that waits to be read: one that passed its verdict, or with a token one that the helper handed back. */
static int let_wait(struct check *c, struct peers *peers, bool handed_back, char *request, size_t size, size_t *ret_len)
{
	static const char what[] = "a request that waits to be read";
	int r = peers_open(c, NULL, peers);
	size_t cut = 0;

	*ret_len = io_request(request, size, "GET", handed_back ? "/with-token" : CHECK_FREE,
			      handed_back ? CHECK_BEARER : "");
	/* A head in two segments is for the helper, whatever is known of its token. */
	if (r == 0 && handed_back) {
		cut = *ret_len / 2;
		r = io_say(c, peers->client, request, cut, what);
		if (r == 0)
			r = io_expect_silence(c, peers->server, what);
	}
	if (r == 0)
		r = io_say(c, peers->client, request + cut, *ret_len - cut, what);
	if (r == 0 && !io_wait(peers->server, POLLIN, CHECK_IO_MS))
		r = check_fail(c, "an allowed request did not come");
	return r;
}

/* What FIONREAD tells, before any of it is read and after a part. */
static int count_waiting(struct check *c, bool handed_back)
{
	const char *how = handed_back ? "handed back" : "behind a verdict";
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	char request[512], part[30];
	int r, told = 0, rest = 0;
	size_t len;

	r = let_wait(c, &peers, handed_back, request, sizeof(request), &len);
	if (r < 0)
		return r;
	if (ioctl(peers.server, FIONREAD, &told) < 0)
		return check_fail(c, "FIONREAD: %s", strerror(errno));
	if (recv(peers.server, part, sizeof(part), MSG_DONTWAIT) != sizeof(part))
		return check_fail(c, "a part of what waits cannot be read");
	if (ioctl(peers.server, FIONREAD, &rest) < 0)
		return check_fail(c, "FIONREAD: %s", strerror(errno));
	if ((size_t)told != len || (size_t)rest != len - sizeof(part))
		return check_fail(c, "%zu bytes wait %s, and it tells %d; %zu after a part was read, and it tells %d",
				  len, how, told, len - sizeof(part), rest);
	return 0;
}

int check_fionread(struct check *c)
{
	int r = count_waiting(c, false);

	if (r == 0)
		r = count_waiting(c, true);
	return r < 0 ? r
		     : check_ok(c, "tells the length of what waits, behind a verdict and handed back by the helper");
}

int check_tcp_bpf_ioctl(struct check *c)
{
	switch (fionread_try()) {
	case FIONREAD_KERNEL: return check_ok(c, "the kernel counts what another socket's program puts into a socket");
	case FIONREAD_ADDED:
		return check_fail(c, "the kernel does not count what another socket's program puts into a socket");
	default:
		return check_fail(c,
				  "the kernel does not count it, and takes no program that would: is it locked down?");
	}
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

	r = let_wait(c, &peers, false, request, sizeof(request), &len);
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

static int walk(struct check *c, const struct bpf_program *program)
{
	_cleanup_close_ int link = -1, fd = -1;
	char none;

	link = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return check_fail(c, "making a walk of the program: %s", strerror(-link));
	fd = bpf_iter_create(link);
	if (fd < 0)
		return check_fail(c, "beginning a walk: %s", strerror(-fd));
	if (read(fd, &none, sizeof(none)) < 0)
		return check_fail(c, "walking: %s", strerror(errno));
	return check_ok(c, "a program visits every TCP connection, and may set its options");
}

int check_tcp_walk(struct check *c)
{
	struct mpbpf *object = mpbpf__open();
	int r;

	if (!object)
		return check_fail(c, "opening the programs: %s", strerror(errno));
	r = check_object_load(c, object, object->progs.iter_settle);
	if (r == 0)
		r = walk(c, object->progs.iter_settle);
	mpbpf__destroy(object);
	return r;
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

// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, the helper: asked, handing back in order, denying only behind the responses that are due. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <bpf/libbpf.h>
#include <event2/event.h>

#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "mpbpf.skel.h"
#include "userspace-auth/helper.h"

#define HELPER_S 25
#define SMALL_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BIG_RESPONSE (1 << 20)
#define BIG_PIECE (64 << 10)

/* In a process of its own, as the agent is. Serves until it is killed; `ready` is told what came of helper_open(). */
static void serve(const struct check *c, pid_t parent, int ready)
{
	const struct helper_fds fds = {
		.conn_update = bpf_program__fd(c->guard.object->progs.conn_update),
		.iter_settle = -1,
		.porter = -1,
	};
	struct event_base *base = event_base_new();
	struct helper *helper;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return;
	alarm(HELPER_S);
	r = base ? helper_open(&c->guard.maps, &fds, base, c->guard.config, &helper) : -ENOMEM;
	if (write(ready, &r, sizeof(r)) == sizeof(r) && r == 0)
		event_base_dispatch(base);
}

static int start_helper(struct check *c)
{
	_cleanup_close_ int out = -1, in = -1;
	pid_t parent = getpid(), pid;
	int ends[2], r = -ETIMEDOUT;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return check_fail(c, "a pipe: %s", strerror(errno));
	out = ends[0];
	in = ends[1];
	pid = fork();
	if (pid < 0)
		return check_fail(c, "a process for the helper: %s", strerror(errno));
	if (!pid) {
		serve(c, parent, in);
		_exit(1);
	}
	close_fd(&in);
	if (io_wait(out, POLLIN, CHECK_IO_MS) && read(out, &r, sizeof(r)) != sizeof(r))
		r = -ECHILD;
	return r < 0 ? check_fail(c, "starting the helper: %s", strerror(-r)) : 0;
}

/* What a step may have moved. */
struct moved {
	uint64_t asked, hits, allowed;
};

/* Zeroes where the counters cannot be read: then nothing will seem to move. */
static struct moved read_moved(const struct check *c)
{
	struct stats stats;

	if (stats_read(&c->guard.maps, &stats) < 0)
		return (struct moved){};
	return (struct moved){ .asked = stats.requests.asked,
			       .hits = stats.requests.hits,
			       .allowed = stats.requests.reasons[REQUEST_ALLOWED] +
					  stats.requests.reasons[REQUEST_VALIDATED] };
}

static int expect_moved(struct check *c, const struct moved *before, struct moved want, const char *what)
{
	struct moved now = read_moved(c);

	if (now.asked - before->asked == want.asked && now.hits - before->hits == want.hits &&
	    now.allowed - before->allowed == want.allowed)
		return 0;
	return check_fail(c, "%s: asked %d, from the cache %d, allowed %d; not %d, %d, %d", what,
			  (int)(now.asked - before->asked), (int)(now.hits - before->hits),
			  (int)(now.allowed - before->allowed), (int)want.asked, (int)want.hits, (int)want.allowed);
}

/*
 * One request with the token, sent in two parts (the first of `cut` bytes, 0: in one); it arrives once and as it was,
 * is answered, and the counters say who decided it.
 */
static int exchange(struct check *c, const struct peers *peers, size_t cut, struct moved want, const char *what)
{
	char request[512];
	size_t len = io_request(request, sizeof(request), "GET", "/with-token", CHECK_BEARER);
	struct moved before = read_moved(c);
	int r = 0;

	if (cut)
		r = io_say(c, peers->client, request, cut, what);
	if (r == 0 && cut)
		r = io_expect_silence(c, peers->server, what);
	if (r == 0)
		r = io_say(c, peers->client, request + cut, len - cut, what);
	if (r == 0)
		r = io_expect(c, peers->server, request, len, what);
	if (r == 0)
		r = io_expect_silence(c, peers->server, what);
	if (r == 0)
		r = io_say(c, peers->server, SMALL_RESPONSE, strlen(SMALL_RESPONSE), what);
	if (r == 0)
		r = io_expect(c, peers->client, SMALL_RESPONSE, strlen(SMALL_RESPONSE), what);
	if (r == 0)
		r = peers_wait_state(c, peers, CONN_HEAD, what);
	return r < 0 ? r : expect_moved(c, &before, want, what);
}

int check_helper_channel(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	int r;

	r = start_helper(c);
	if (r == 0)
		r = peers_open(c, NULL, &peers);
	if (r == 0)
		r = exchange(c, &peers, 0, (struct moved){ .asked = 1, .allowed = 1 },
			     "a token seen for the first time");
	if (r == 0)
		r = exchange(c, &peers, 0, (struct moved){ .hits = 1, .allowed = 1 }, "a token seen before");
	if (r == 0)
		r = exchange(c, &peers, 30, (struct moved){ .asked = 1, .allowed = 1 }, "a request in two segments");
	return r < 0 ? r
		     : check_ok(c, "an unknown token is validated and its request handed back once and in order; the "
				   "second is decided from the cache; a head in two segments is joined");
}

/* The first half of a pipelined pair is answered slowly: as long as it is, the second one's denial must not come. */
static int answer_slowly(struct check *c, const struct peers *peers, const char *response, size_t len)
{
	static const char what[] = "the response before a denial";
	size_t n;
	int r = 0;

	for (size_t off = 0; r == 0 && off < len; off += n) {
		n = len - off < BIG_PIECE ? len - off : BIG_PIECE;
		r = io_say(c, peers->server, response + off, n, what);
		/* Right behind the last piece the denial may come, and on a busy machine it is there already. */
		if (r == 0)
			r = off + n < len ? io_expect(c, peers->client, response + off, n, what)
					  : io_expect_first(c, peers->client, response + off, n, what);
		/* Time enough for a denial that does not wait. */
		if (r == 0 && off + n < len && off + 2 * BIG_PIECE >= len)
			r = io_expect_silence(c, peers->client, "before the end of the response");
	}
	return r;
}

static int try_order(struct check *c, const struct peers *peers, const char *response, size_t len)
{
	char pair[1024];
	size_t first, both;
	int r;

	first = io_request(pair, sizeof(pair), "GET", CHECK_FREE "/slow", "");
	both = first + io_request(pair + first, sizeof(pair) - first, "GET", "/denied", "");
	r = io_say(c, peers->client, pair, both, "two requests in one segment");
	if (r == 0)
		r = io_expect(c, peers->server, pair, first, "the allowed one of two requests");
	if (r == 0)
		r = answer_slowly(c, peers, response, len);
	if (r == 0)
		r = io_expect_reply(c, peers->client, REQUEST_NO_TOKEN, 0, "the denied one of two requests");
	if (r == 0)
		r = io_expect_silence(c, peers->server, "the service, at the denied one of two requests");
	return r;
}

int check_deny_order(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	_cleanup_free_ char *response = malloc(BIG_RESPONSE + 128);
	size_t len;
	int r;

	if (!response)
		return check_fail(c, "out of memory");
	len = sprintf(response, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG_RESPONSE);
	io_pattern(response + len, BIG_RESPONSE);
	len += BIG_RESPONSE;
	r = peers_open(c, NULL, &peers);
	if (r == 0)
		r = try_order(c, &peers, response, len);
	return r < 0 ? r
		     : check_ok(c,
				"of two requests in one segment the second is denied, behind the whole response of the "
				"first (%d KiB, slow)",
				BIG_RESPONSE >> 10);
}

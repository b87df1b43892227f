// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, the guard: loaded, attached, denying by itself, and a guarded connection cut off. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/sock_diag.h"
#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "loader/fionread.h"
#include "mpbpf.skel.h"
#include "replies.h"

#define BACKLOG 16

/* The service: a port that the kernel chooses, so that no listener of a loaded instance is likely to be for it too. */
static int listen_here(struct check *c)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	c->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(c->listener, BACKLOG) < 0 || getsockname(c->listener, (struct sockaddr *)&addr, &len) < 0)
		return check_fail(c, "a listening socket: %s", strerror(errno));
	c->port = ntohs(addr.sin_port);
	return 0;
}

int check_guard_load(struct check *c)
{
	struct bpf_program *program;
	unsigned int n = 0;
	int r;

	r = listen_here(c);
	if (r == 0)
		r = check_instance_load(c, true, &c->guard);
	if (r < 0)
		return r;
	bpf_object__for_each_program(program, c->guard.object->obj) n += bpf_program__fd(program) >= 0;
	return check_ok(c, "%u programs pass the verifier", n);
}

/* As loader/attach.c does it, but for the pins: the links stay open until this process ends. */
static int attach_verdicts(struct check *c)
{
	const struct mpbpf *object = c->guard.object;
	const struct {
		const struct bpf_program *program;
		enum map_id map;
		enum bpf_attach_type type;
	} verdicts[] = {
		{ object->progs.sk_skb_request, MAP_SOCKETS, BPF_SK_SKB_VERDICT },
		{ object->progs.sk_msg_response, MAP_SOCKETS, BPF_SK_MSG_VERDICT },
		{ object->progs.sk_skb_client, MAP_CLIENT_SOCKETS, BPF_SK_SKB_VERDICT },
		{ object->progs.sk_msg_request, MAP_CLIENT_SOCKETS, BPF_SK_MSG_VERDICT },
		{ object->progs.sk_msg_handback, MAP_HELPER, BPF_SK_MSG_VERDICT },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		r = bpf_prog_attach(bpf_program__fd(verdicts[i].program), c->guard.maps.fd[verdicts[i].map],
				    verdicts[i].type, 0);
		if (r < 0)
			return check_fail(c, "attaching %s to the map %s: %s", bpf_program__name(verdicts[i].program),
					  map_names[verdicts[i].map], strerror(-r));
	}
	return 0;
}

static int link_to_cgroup(struct check *c, const struct bpf_program *program, enum bpf_attach_type type, int cgroup)
{
	int link = bpf_link_create(bpf_program__fd(program), cgroup, type, NULL);

	return link < 0 ? check_fail(c, "linking %s to a cgroup: %s", bpf_program__name(program), strerror(-link)) : 0;
}

int check_guard_attach(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	_cleanup_close_ int fd = -1;
	int r;

	r = attach_verdicts(c);
	if (r < 0)
		return r;
	/* What comes of a failure is seen by check_fionread(). */
	fionread_attach(c->guard.object, NULL);
	fd = open(c->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return check_fail(c, "%s: %s", c->cgroup, strerror(errno));
	r = link_to_cgroup(c, c->guard.object->progs.cgroup_gate, BPF_CGROUP_INET_INGRESS, fd);
	if (r == 0)
		r = link_to_cgroup(c, c->guard.object->progs.sockops_track, BPF_CGROUP_SOCK_OPS, fd);
	if (r == 0)
		r = peers_open(c, NULL, &peers);
	return r < 0 ? r
		     : check_ok(c, "sockops and cgroup_skb by links, sk_skb and sk_msg to sockhashes; "
				   "a new connection is under guard");
}

/* A request without a token, `fill` bytes longer than it must be. */
static int try_denial(struct check *c, const struct peers *peers, size_t fill)
{
	char request[4096], fields[4096];
	size_t len;
	int r;

	snprintf(fields, sizeof(fields), "X-Fill: %0*d\r\n", (int)fill, 0);
	len = io_request(request, sizeof(request), "GET", "/denied", fields);
	r = io_say(c, peers->client, request, len, "a request without a token");
	if (r == 0)
		r = io_expect_silence(c, peers->server, "the service, at a request without a token");
	return r < 0 ? r : io_expect_reply(c, peers->client, REQUEST_NO_TOKEN, len, "a request without a token");
}

int check_guard_reply(struct check *c)
{
	/* Short answers are filled up in the head, long ones with a body. */
	static const size_t fills[] = { 100, 250, 2000 };
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	struct stats before, after;
	int r;

	r = peers_open(c, NULL, &peers);
	if (r < 0)
		return r;
	if (stats_read(&c->guard.maps, &before) < 0)
		return check_fail(c, "the counters cannot be read");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fills); i++)
		r = try_denial(c, &peers, fills[i]);
	if (r < 0)
		return r;
	if (stats_read(&c->guard.maps, &after) < 0 ||
	    after.requests.reasons[REQUEST_NO_TOKEN] != before.requests.reasons[REQUEST_NO_TOKEN] + ARRAY_SIZE(fills))
		return check_fail(c, "answered, but not by the programs loaded here");
	return check_ok(c,
			"%zu requests on one connection, 401 of each one's exact length read back, nothing reached the "
			"service",
			ARRAY_SIZE(fills));
}

/* The client of a connection that was cut off sees a reset, or at least the end. */
static int expect_end(struct check *c, int fd, const char *what)
{
	char byte;
	ssize_t n;

	if (!io_wait(fd, POLLIN, CHECK_IO_MS))
		return check_fail(c, "%s does not see that the connection was cut off", what);
	n = recv(fd, &byte, 1, MSG_DONTWAIT);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return check_fail(c, "%s does not see that the connection was cut off", what);
	return 0;
}

int check_close(struct check *c)
{
	_cleanup_(peers_close) struct peers peers = PEERS_EMPTY;
	_cleanup_close_ int diag = -1;
	struct conn conn;
	int r;

	r = peers_open(c, NULL, &peers);
	if (r < 0)
		return r;
	if (peers_conn(c, &peers, &conn) < 0)
		return check_fail(c, "the connection is not under guard any more");
	r = sock_diag_open(&diag);
	if (r == 0)
		r = sock_diag_destroy(diag, &conn.local, conn.local_port, &conn.remote, conn.remote_port, peers.cookie);
	if (r < 0)
		return check_fail(c, "SOCK_DESTROY: %s", strerror(-r));
	r = expect_end(c, peers.client, "the client");
	if (r == 0)
		r = expect_end(c, peers.server, "the service");
	return r < 0 ? r : check_ok(c, "SOCK_DESTROY cut a guarded connection off; both ends see it");
}

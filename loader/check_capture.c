// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, capturing: a connection goes elsewhere than its process said, who sees nothing of that. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/capture.h"
#include "core/util.h"
#include "loader/capturing.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "loader/object.h"
#include "mpbpf.skel.h"
#include "mpbpf/capture.h"

#define GENERATION 1
#define CGROUP 1
#define NUMBER 1
#define WANTED 0xc0000201 /* 192.0.2.1, of TEST-NET-1 (RFC 5737) */
#define WANTED_PORT 9
#define ORIGINAL_DST 80 /* SO_ORIGINAL_DST, linux/netfilter_ipv4.h */

static int put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

static struct addr mapped(uint32_t addr)
{
	return (struct addr){ .w = { 0, 0, htonl(0xffff), htonl(addr) } };
}

/* What is for WANTED goes to `port` of this host. */
static int rule_write(const struct mpbpf *object, __be16 port)
{
	const struct control control = { .generation = GENERATION };
	const struct capture_net_key net = { .prefixlen = CAPTURE_NET_PREFIX + 128,
					     .generation = GENERATION,
					     .cgroup = { CGROUP },
					     .port = htons(WANTED_PORT),
					     .addr = mapped(WANTED) };
	const struct capture_key key = { .generation = GENERATION, .number = NUMBER };
	const struct capture capture = { .rules = { .number = NUMBER, .rest = 1 } };
	const struct capture_cluster cluster = {
		.generation = GENERATION,
		.netns = capture_netns(),
		.n_endpoints = 1,
		.total = 1,
		.endpoints = { { .addr = mapped(INADDR_LOOPBACK), .port = port, .upto = 1 } },
	};
	__u32 number = NUMBER, zero = 0, at = (GENERATION & 1) * MPBPF_CAPTURE_CLUSTERS;
	int r;

	r = put(object->maps.capture_ends, &at, &cluster);
	if (r == 0)
		r = put(object->maps.captures, &key, &capture);
	if (r == 0)
		r = put(object->maps.capture_nets, &net, &number);
	return r < 0 ? r : put(object->maps.control, &zero, &control);
}

static bool is_wanted(const struct sockaddr_in *addr)
{
	return addr->sin_family == AF_INET && addr->sin_port == htons(WANTED_PORT) &&
	       addr->sin_addr.s_addr == htonl(WANTED);
}

static int connection_make(struct check *c, int listening)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(WANTED_PORT),
				    .sin_addr.s_addr = htonl(WANTED) };
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
	socklen_t len = sizeof(addr);

	if (client < 0 || connect(client, (struct sockaddr *)&addr, len) < 0)
		return check_fail(c, "a connection that is captured: %s", strerror(errno));
	if (io_wait(listening, POLLIN, CHECK_IO_MS))
		server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		return check_fail(c, "a connection was made, but not to where it was sent");
	memset(&addr, 0, sizeof(addr));
	if (getpeername(client, (struct sockaddr *)&addr, &len) < 0 || !is_wanted(&addr))
		return check_fail(c, "getpeername() does not show where it wanted to go");
	memset(&addr, 0, sizeof(addr));
	if (getsockopt(client, IPPROTO_IP, ORIGINAL_DST, &addr, &len) < 0 || !is_wanted(&addr))
		return check_fail(c, "SO_ORIGINAL_DST does not show where it wanted to go");
	return 0;
}

static int listen_at(__be16 *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(addr);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	*ret_port = addr.sin_port;
	return TAKE_FD(fd);
}

static int capture(struct check *c, const struct mpbpf *object)
{
	_cleanup_close_ int listening = -1, cgroup = open(c->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int links[CAPTURING_PROGRAMS] = { -1, -1, -1, -1, -1, -1 }, r;
	__be16 port = 0;

	listening = listen_at(&port);
	if (listening < 0 || cgroup < 0)
		return check_fail(c, "a listening socket and a cgroup: %s", strerror(errno));
	r = rule_write(object, port);
	if (r == 0)
		r = capturing_try_on(object, cgroup, CGROUP, links);
	if (r < 0)
		check_fail(c, "attaching the programs to a cgroup: %s", strerror(-r));
	else
		r = connection_make(c, listening);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		close_fd(&links[i]);
	return r;
}

int check_capture(struct check *c)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	int r;

	r = capturing_load(&object);
	if (r < 0)
		return check_fail(c, "loading the programs of cgroup/connect and what belongs to them: %s",
				  strerror(-r));
	r = capture(c, object);
	return r < 0 ? r
		     : check_ok(
			       c,
			       "a connection went elsewhere; getpeername() and SO_ORIGINAL_DST show where it wanted to go");
}

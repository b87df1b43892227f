// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, steering: a listening socket is found among open files, and gets a connection to another port. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/util.h"
#include "loader/check.h"
#include "loader/check_io.h"
#include "loader/object.h"
#include "loader/steering.h"
#include "mpbpf.skel.h"
#include "mpbpf/steer.h"

#define GENERATION 1

/* A port that nobody else is likely to have: that of a socket which is closed again. */
static int listen_at(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(addr);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	*ret_port = ntohs(addr.sin_port);
	return TAKE_FD(fd);
}

static int put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

/* All that comes to `port` goes to the socket in place 0. */
static int rule_write(const struct mpbpf *object, uint16_t port)
{
	const struct control control = { .generation = GENERATION };
	const struct listener_key key = { .generation = GENERATION, .port = htons(port) };
	const struct gateway gateway = { .number = 1, .rest = 1 };
	_cleanup_free_ struct steer_cluster *cluster = calloc(1, sizeof(*cluster));
	__u32 zero = 0, at = (GENERATION & 1) * MPBPF_STEER_CLUSTERS;
	int r;

	if (!cluster)
		return -ENOMEM;
	*cluster = (struct steer_cluster){ .head = { .generation = GENERATION, .by = STEER_BY_FLOW } };
	for (size_t i = 0; i < MPBPF_STEER_SLOTS; i++)
		cluster->slots[i] = 1;
	r = put(object->maps.clusters, &at, cluster);
	if (r == 0)
		r = put(object->maps.gateways, &key, &gateway);
	return r < 0 ? r : put(object->maps.control, &zero, &control);
}

/* As the agent does it. */
static int socket_find(struct check *c, const struct mpbpf *object, int fd)
{
	_cleanup_close_ int link = -1, walk = -1;
	uint64_t cookie, found = 0;
	socklen_t len = sizeof(cookie);
	__u32 place = 0;
	char none;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return check_fail(c, "the cookie of a socket: %s", strerror(errno));
	r = put(object->maps.searches, &cookie, &place);
	if (r == 0)
		r = link = bpf_link_create(bpf_program__fd(object->progs.iter_listeners), 0, BPF_TRACE_ITER, NULL);
	if (r >= 0)
		r = walk = bpf_iter_create(link);
	if (r < 0)
		return check_fail(c, "a walk of open files: %s", strerror(-r));
	while (read(walk, &none, sizeof(none)) < 0 && (errno == EAGAIN || errno == EINTR))
		;
	r = bpf_map_lookup_elem(bpf_map__fd(object->maps.backends), &place, &found);
	return r == 0 && found == cookie ? 0 : check_fail(c, "a walk of open files does not put a socket into a map");
}

static int connection_make(struct check *c, int listening, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
	socklen_t len = sizeof(addr);

	if (client < 0 || connect(client, (struct sockaddr *)&addr, len) < 0)
		return check_fail(c, "a connection that is steered: %s", strerror(errno));
	if (io_wait(listening, POLLIN, CHECK_IO_MS))
		server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0 || getsockname(server, (struct sockaddr *)&addr, &len) < 0)
		return check_fail(c, "a connection was made, but not to the socket that it was steered to");
	return ntohs(addr.sin_port) == port ? 0 : check_fail(c, "its service does not see where the client went");
}

int check_sk_lookup(struct check *c)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	_cleanup_close_ int listening = -1, other = -1, netns = -1, link = -1;
	uint16_t port, gateway;
	int r;

	r = steering_load(&object);
	if (r < 0)
		return check_fail(c, "loading sk_lookup_steer and iter_listeners: %s", strerror(-r));
	listening = listen_at(&port);
	other = listen_at(&gateway);
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (listening < 0 || other < 0 || netns < 0)
		return check_fail(c, "listening sockets: %s", strerror(errno));
	close_fd(&other);
	r = socket_find(c, object, listening);
	if (r < 0)
		return r;
	r = rule_write(object, gateway);
	if (r == 0)
		r = link = bpf_link_create(bpf_program__fd(object->progs.sk_lookup_steer), netns, BPF_SK_LOOKUP, NULL);
	if (r < 0)
		return check_fail(c, "attaching sk_lookup_steer: %s", strerror(-r));
	r = connection_make(c, listening, gateway);
	return r < 0 ? r
		     : check_ok(c,
				"a listening socket is found among open files, and gets a connection to another port");
}

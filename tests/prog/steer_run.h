/* SPDX-License-Identifier: MIT */
/* Tests: sk_lookup_steer out of the linked object, in a network namespace of its own: sockets, maps, single runs. */
#ifndef MPBPF_TESTS_STEER_RUN_H
#define MPBPF_TESTS_STEER_RUN_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/cidr.h"
#include "mpbpf/steer.h"
#include "tap.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

static struct bpf_object *object;
static struct bpf_program *program;

static inline int map_fd(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

static inline void put(const char *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map_fd(map), key, value, BPF_ANY))
		tap_bail("cannot write to %s: %s", map, strerror(errno));
}

static inline struct addr addr_of(const char *text)
{
	struct addr addr;

	if (!cidr_parse_address(text, &addr, NULL))
		tap_bail("%s is no address", text);
	return addr;
}

static inline void namespace_enter(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		tap_bail("no network namespace: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		tap_bail("lo stays down: %s", strerror(errno));
	close(fd);
}

static inline struct sockaddr_in v4_place(const char *address, int port)
{
	struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &place.sin_addr);
	return place;
}

static inline int listen_v4(const char *address, int port)
{
	struct sockaddr_in place = v4_place(address, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&place, sizeof(place)) < 0 || listen(fd, 16) < 0)
		tap_bail("cannot listen on %s: %s", address, strerror(errno));
	return fd;
}

static inline int listen_v6(int port, int alone)
{
	struct sockaddr_in6 place = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof(alone)) < 0 ||
	    bind(fd, (struct sockaddr *)&place, sizeof(place)) < 0 || listen(fd, 16) < 0)
		tap_bail("cannot listen on [::]: %s", strerror(errno));
	return fd;
}

static inline void object_load(void)
{
	const char *path = getenv("MPBPF_BPF_OBJ");
	struct bpf_program *other;
	int r;

	object = bpf_object__open_file(path ? path : MPBPF_BUILD "/mpbpf.bpf.o", NULL);
	if (!object)
		tap_bail("the object cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program(other, object)
		bpf_program__set_autoload(other, !strcmp(bpf_program__name(other), "sk_lookup_steer"));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sources"), 1024);
	r = bpf_object__load(object);
	if (r)
		tap_bail("it cannot be loaded: %s", strerror(-r));
	program = bpf_object__find_program_by_name(object, "sk_lookup_steer");
	if (!program)
		tap_bail("the object has no program sk_lookup_steer");
}

/* gateway: its key, of whatever generation */
static inline struct steer_stats stats_read(const struct listener_key *gateway)
{
	int n = libbpf_num_possible_cpus();
	struct listener_key key = *gateway;
	struct steer_stats each[n], sum = {};

	key.generation = 0;
	if (bpf_map_lookup_elem(map_fd("steer_stats"), &key, each))
		tap_bail("steer_stats: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		sum.steered += each[i].steered;
		sum.absent += each[i].absent;
	}
	return sum;
}

/* The cookie of the socket that takes it; 0: none. */
static inline __u64 run(const char *source, int source_port, const char *local, int port, __u32 protocol)
{
	struct addr from = addr_of(source), to = addr_of(local);
	struct bpf_sk_lookup ctx = {
		.protocol = protocol, .remote_port = htons(source_port), .local_port = port, .family = AF_INET6
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &ctx,
		    .ctx_size_out = sizeof(ctx));

	memcpy(ctx.remote_ip6, &from, sizeof(from));
	memcpy(ctx.local_ip6, &to, sizeof(to));
	if (cidr_is_v4(&from)) {
		ctx.family = AF_INET;
		ctx.remote_ip4 = from.w[3];
		ctx.local_ip4 = to.w[3];
		memset(ctx.remote_ip6, 0, sizeof(ctx.remote_ip6));
		memset(ctx.local_ip6, 0, sizeof(ctx.local_ip6));
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		tap_bail("the program cannot be run: %s", strerror(errno));
	CHECK(opts.retval == 1, "%s: it did not pass but gave %u", source, opts.retval);
	return ctx.cookie;
}

#endif

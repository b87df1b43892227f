// SPDX-License-Identifier: MIT
/* Tests: iter_listeners: listening sockets are found where processes have them open, and get the places that were asked for. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/util.h"
#include "tap.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

enum { FIRST = 100, SECOND, CLOSED, OTHER }; /* places */

static struct bpf_object *object;
static struct bpf_program *walk;

static int map_fd(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

static void object_load(void)
{
	const char *path = getenv("MPBPF_BPF_OBJ");
	struct bpf_program *other;

	object = bpf_object__open_file(path ? path : MPBPF_BUILD "/mpbpf.bpf.o", NULL);
	if (!object)
		tap_bail("the object cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program(other, object)
		bpf_program__set_autoload(other, !strcmp(bpf_program__name(other), "iter_listeners"));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sources"), 1024);
	if (bpf_object__load(object))
		tap_bail("it cannot be loaded");
	walk = bpf_object__find_program_by_name(object, "iter_listeners");
}

/* On any address of IPv6, or of both families. */
static int listening_open(int alone, __u64 *ret_cookie)
{
	struct sockaddr_in6 place = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret_cookie);

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof(alone)) < 0 ||
	    bind(fd, (struct sockaddr *)&place, sizeof(place)) < 0 || listen(fd, 16) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &len) < 0)
		tap_bail("a listening socket: %s", strerror(errno));
	return fd;
}

static __u64 cookie_at(__u32 place)
{
	__u64 cookie = 0;

	return bpf_map_lookup_elem(map_fd("backends"), &place, &cookie) ? 0 : cookie;
}

/* A walk of all files. */
static void walk_files(void)
{
	int link = bpf_link_create(bpf_program__fd(walk), 0, BPF_TRACE_ITER, NULL), fd;
	char none;

	if (link < 0)
		tap_bail("iter_listeners cannot be linked: %s", strerror(-link));
	fd = bpf_iter_create(link);
	if (fd < 0)
		tap_bail("iter_listeners cannot be begun: %s", strerror(-fd));
	while (read(fd, &none, sizeof(none)) < 0 && errno == EAGAIN)
		;
	close(fd);
	close(link);
}

static void search(__u64 cookie, __u32 place)
{
	if (bpf_map_update_elem(map_fd("searches"), &cookie, &place, BPF_ANY))
		tap_bail("cannot write to searches: %s", strerror(errno));
}

static bool is_searched(__u64 cookie)
{
	__u32 place;

	return bpf_map_lookup_elem(map_fd("searches"), &cookie, &place) == 0;
}

int main(void)
{
	__u64 cookie, cookie6, gone;
	int listening, six;

	tap_start();
	if (unshare(CLONE_NEWNET) < 0)
		tap_bail("no network namespace: %s", strerror(errno));
	object_load();
	listening = listening_open(false, &cookie);
	six = listening_open(true, &cookie6);
	close(listening_open(false, &gone));
	search(cookie, FIRST);
	search(cookie6, SECOND);
	search(gone, CLOSED);
	walk_files();
	CHECK(cookie_at(FIRST) == cookie && cookie_at(SECOND) == cookie6, "%llu and %llu are there",
	      (unsigned long long)cookie_at(FIRST), (unsigned long long)cookie_at(SECOND));
	CHECK(!is_searched(cookie) && !is_searched(cookie6), "they are searched for still");
	tap_result("listening sockets are found where they are open, and put where they were asked for");
	CHECK(!cookie_at(CLOSED) && is_searched(gone), "it is there, or not searched for any more");
	tap_result("one that is closed is not, and stays asked for");
	close(listening);
	CHECK(!cookie_at(FIRST), "it is still there");
	tap_result("a socket that is closed leaves its place by itself");
	search(cookie6, OTHER);
	walk_files();
	CHECK(cookie_at(SECOND) == cookie6 && cookie_at(OTHER) == cookie6, "it is not in both places");
	tap_result("a socket may have two places");
	listening = listening_open(false, &cookie);
	search(cookie, SECOND);
	walk_files();
	CHECK(cookie_at(SECOND) == cookie && cookie_at(OTHER) == cookie6, "it was not replaced");
	tap_result("a place gets another socket");
	close(listening);
	close(six);
	bpf_object__close(object);
	return tap_end();
}

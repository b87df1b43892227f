// SPDX-License-Identifier: MIT
/* Floor 5: finds a network namespace by its cookie, for the kernel has no call for that, and works in it. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/util.h"
#include "loader/log.h"
#include "loader/netns.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int netns_cookie(uint64_t *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret);

	if (fd < 0)
		return -errno;
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0 ? -errno : 0;
}

/* Those that were tried; thousands of processes share few namespaces. With more than this, some are tried again. */
struct tried {
	size_t n;
	struct {
		dev_t dev;
		ino_t ino;
	} files[512];
};

static bool was_tried(const struct tried *tried, const struct stat *st)
{
	for (size_t i = 0; i < tried->n; i++)
		if (tried->files[i].ino == st->st_ino && tried->files[i].dev == st->st_dev)
			return true;
	return false;
}

static void tried_add(struct tried *tried, const struct stat *st)
{
	if (tried->n < ARRAY_SIZE(tried->files)) {
		tried->files[tried->n].dev = st->st_dev;
		tried->files[tried->n++].ino = st->st_ino;
	}
}

/* Enters the namespace. 0: its cookie is the one looked for, -ESRCH: another, or -errno. */
static int enter_if(const char *path, uint64_t cookie, struct tried *tried)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	uint64_t found;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (was_tried(tried, &st))
		return -ESRCH;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* The process has ended, others may be in there. */
	if (fd < 0 && errno == ENOENT)
		return -ESRCH;
	tried_add(tried, &st);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return -errno;
	r = netns_cookie(&found);
	return r < 0 ? r : found == cookie ? 0 : -ESRCH;
}

static int enter(uint64_t cookie)
{
	struct tried tried = {};
	glob_t paths = {};
	int r = -ESRCH, one;

	if (glob("/run/netns/*", GLOB_NOSORT, NULL, &paths) == GLOB_NOSPACE ||
	    glob("/proc/[0-9]*/ns/net", GLOB_NOSORT | GLOB_APPEND, NULL, &paths) == GLOB_NOSPACE) {
		globfree(&paths);
		return -ENOMEM;
	}
	for (size_t i = 0; i < paths.gl_pathc; i++) {
		one = enter_if(paths.gl_pathv[i], cookie, &tried);
		if (one == 0) {
			r = 0;
			break;
		}
		if (one == -EACCES || one == -EPERM)
			r = -EACCES;
	}
	globfree(&paths);
	return r;
}

int netns_call(uint64_t cookie, int (*call)(int *ret), int *ret)
{
	_cleanup_close_ int home = -1;
	uint64_t own;
	int r;

	r = netns_cookie(&own);
	if (r < 0)
		return r;
	if (own == cookie)
		return call(ret);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return -errno;
	r = enter(cookie);
	if (r == 0)
		r = call(ret);
	if (setns(home, CLONE_NEWNET) < 0) {
		log_line("cannot return to the network namespace this was started in");
		exit(1);
	}
	return r;
}

// SPDX-License-Identifier: MIT
/* Floor 5: sets net.ipv4.tcp_syncookies for the SYN guard, and puts it back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/util.h"
#include "loader/log.h"
#include "loader/netns.h"
#include "loader/syncookies.h"

/* Of the network namespace that whoever opens it is in. */
#define PATH "/proc/sys/net/ipv4/tcp_syncookies"
#define ALWAYS 2

static int sysctl_get(int *ret)
{
	_cleanup_close_ int fd = open(PATH, O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	*ret = atoi(text);
	return 0;
}

static int sysctl_set(int value)
{
	_cleanup_close_ int fd = open(PATH, O_WRONLY | O_CLOEXEC);
	char text[16];
	int len;

	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%d", value);
	return write(fd, text, len) == len ? 0 : -errno;
}

int syncookies_raise(const struct runtime *runtime)
{
	struct runtime_sysctl before = {};
	int r;

	r = sysctl_get(&before.syncookies);
	if (r < 0 || before.syncookies == ALWAYS)
		return r;
	r = netns_cookie(&before.netns);
	if (r == 0)
		r = runtime_sysctl_write(runtime, &before);
	if (r == 0)
		r = sysctl_set(ALWAYS);
	if (r == 0)
		log_line("net.ipv4.tcp_syncookies is %d, not %d, as long as the SYN guard is active", ALWAYS,
			 before.syncookies);
	return r;
}

/* Only what is as we left it: another value is somebody's later wish. *value: what to make it; what it then is. */
static int put_back(int *value)
{
	int now, r;

	r = sysctl_get(&now);
	if (r == 0 && now == ALWAYS)
		return sysctl_set(*value);
	*value = now;
	return r;
}

int syncookies_lower(const struct runtime *runtime)
{
	struct runtime_sysctl before;
	int r;

	r = runtime_sysctl_read(runtime, &before);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = netns_call(before.netns, put_back, &before.syncookies);
	if (r < 0 && r != -ESRCH)
		return r;
	if (r == 0)
		log_line("net.ipv4.tcp_syncookies is %d again", before.syncookies);
	return runtime_sysctl_forget(runtime);
}

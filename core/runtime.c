// SPDX-License-Identifier: MIT
/* Floor 3: the directory below /run/mpbpf of one data path: its lock, the agent's lock and control socket. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/proof.h"
#include "core/runtime.h"
#include "core/system.h"
#include "core/util.h"

#define AGENT_LOCK "agent.lock"
#define CONTROL_SOCKET "control.sock"
#define STAND_IN_USEC 10000 /* between two looks whether another is done */

static const char *const runtime_files[] = { AGENT_LOCK,       CONTROL_SOCKET, RUNTIME_LOG,	 "facts.json",
					     "facts.json+new", "sysctl.json",  "sysctl.json+new" };

/* Opens and locks a directory that its holder may remove: what was locked must still be what the path names. */
static int lock_directory(const char *path)
{
	struct stat held, named;

	for (;;) {
		_cleanup_close_ int fd = -1;

		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			if (errno == ENOENT)
				continue;
			return -errno;
		}
		if (flock(fd, LOCK_EX) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fstat(fd, &held) < 0)
			return -errno;
		if (stat(path, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return TAKE_FD(fd);
	}
}

int runtime_base_lock(void)
{
	return lock_directory(RUNTIME_BASE);
}

void runtime_base_remove(void)
{
	struct stat st;

	/* Two links of a directory are its own: no data path is left in it. */
	if (stat(RUNTIME_BASE, &st) == 0 && st.st_nlink <= 2)
		proof_forget();
	rmdir(RUNTIME_BASE);
}

static int runtime_path(const char *pin_root, char *ret, size_t size)
{
	size_t len = strlen(RUNTIME_BASE "/");
	char name[NAME_MAX + 1];
	int r;

	r = name_escape(pin_root, name, sizeof(name));
	if (r < 0)
		return r;
	if (len + strlen(name) >= size)
		return -ENAMETOOLONG;
	memcpy(ret, RUNTIME_BASE "/", len);
	strcpy(ret + len, name);
	return 0;
}

int runtime_open(const char *pin_root, bool create, struct runtime *ret)
{
	_cleanup_close_ int base = -1;
	char path[PATH_MAX];
	int r, fd;

	r = runtime_path(pin_root, path, sizeof(path));
	if (r < 0)
		return r;
	if (create) {
		base = runtime_base_lock();
		if (base < 0)
			return base;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret->fd = fd;
	strcpy(ret->path, path);
	return 0;
}

/* The lock on /run/mpbpf is let go before waiting for the other, for its holder may need it. */
int runtime_open_locked(const char *pin_root, struct runtime *ret)
{
	char path[PATH_MAX];
	int r, base;

	r = runtime_path(pin_root, path, sizeof(path));
	if (r < 0)
		return r;
	for (;;) {
		base = runtime_base_lock();
		if (base < 0)
			return base;
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		close(base);
		if (r < 0)
			return r;
		r = lock_directory(path);
		/* /run/mpbpf itself was removed in between. */
		if (r != -ENOENT)
			break;
	}
	if (r < 0)
		return r;
	ret->fd = r;
	strcpy(ret->path, path);
	return 0;
}

void runtime_close(struct runtime *runtime)
{
	close_fd(&runtime->fd);
}

int runtime_remove(struct runtime *runtime)
{
	for (size_t i = 0; i < ARRAY_SIZE(runtime_files); i++)
		if (unlinkat(runtime->fd, runtime_files[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return rmdir(runtime->path) < 0 ? -errno : 0;
}

/*
 * The bytes of AGENT_LOCK. A record lock rather than flock(2), for the kernel tells who holds it: no stale number in a file. An
 * agent has both, and waits for the second: whoever stands in for one is at work there, and soon done.
 */
enum { BYTE_AGENT, BYTE_PUBLISHER };

/* F_SETLK, F_SETLKW or F_GETLK. 0; -EBUSY: another has it; -errno. */
static int byte_lock(int fd, int command, off_t byte, struct flock *lock)
{
	int r;

	*lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	do
		r = fcntl(fd, command, lock);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
	return 0;
}

static int lock_file_open(const struct runtime *runtime)
{
	int fd = openat(runtime->fd, AGENT_LOCK, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

int runtime_agent_lock(const struct runtime *runtime, int *ret_fd)
{
	_cleanup_close_ int fd = lock_file_open(runtime);
	struct flock lock;
	int r;

	if (fd < 0)
		return fd;
	r = byte_lock(fd, F_SETLK, BYTE_AGENT, &lock);
	if (r == 0)
		r = byte_lock(fd, F_SETLKW, BYTE_PUBLISHER, &lock);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* The pid of the agent, or 0. */
static pid_t agent_of(int fd)
{
	struct flock lock;
	int r = byte_lock(fd, F_GETLK, BYTE_AGENT, &lock);

	if (r < 0)
		return r;
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

pid_t runtime_agent_pid(const struct runtime *runtime)
{
	_cleanup_close_ int fd = openat(runtime->fd, AGENT_LOCK, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return agent_of(fd);
}

/* The lock would go with any other descriptor of the file: the agent is looked for by this one. */
int runtime_stand_in(const struct runtime *runtime, int *ret_fd)
{
	_cleanup_close_ int fd = lock_file_open(runtime);
	struct flock lock;
	pid_t agent;
	int r;

	if (fd < 0)
		return fd;
	for (;;) {
		r = byte_lock(fd, F_SETLK, BYTE_PUBLISHER, &lock);
		if (r == 0)
			*ret_fd = TAKE_FD(fd);
		if (r != -EBUSY)
			return r;
		agent = agent_of(fd);
		if (agent)
			return agent < 0 ? agent : -EBUSY;
		usleep(STAND_IN_USEC);
	}
}

int runtime_socket(const struct runtime *runtime, struct sockaddr_un *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n;

	n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, runtime->fd);
	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret = address;
	return 0;
}

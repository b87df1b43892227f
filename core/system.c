// SPDX-License-Identifier: MIT
/* Floor 3: asks the running system about file systems, mounts and processors, and turns paths into names and back. */
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <string.h>
#include <sys/statfs.h>

#include "core/system.h"
#include "core/util.h"

int system_fs_is(const char *path, unsigned long magic)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -errno;
	return (unsigned long)fs.f_type == magic;
}

/* The kernel refuses sets that are smaller than its own: beyond 1024 processors a larger one is asked for. */
size_t system_processors(void)
{
	for (size_t n = CPU_SETSIZE; n <= 64 * CPU_SETSIZE; n *= 2) {
		cpu_set_t *cpus = CPU_ALLOC(n);
		size_t size = CPU_ALLOC_SIZE(n), count = 0;
		int r = cpus ? sched_getaffinity(0, size, cpus) : -1;

		if (r == 0)
			count = CPU_COUNT_S(size, cpus);
		CPU_FREE(cpus);
		if (count)
			return count;
	}
	return 1;
}

static int copy_string(const char *s, char *ret, size_t size)
{
	size_t len = strlen(s);

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret, s, len + 1);
	return 0;
}

int system_cgroup2(char *ret, size_t size)
{
	char line[3 * PATH_MAX];
	struct mntent entry;
	FILE *f;
	int r = -ENOENT;

	f = setmntent("/proc/mounts", "re");
	if (!f)
		return -errno;
	while (getmntent_r(f, &entry, line, sizeof(line))) {
		if (strcmp(entry.mnt_type, "cgroup2"))
			continue;
		r = copy_string(entry.mnt_dir, ret, size);
		break;
	}
	endmntent(f);
	return r;
}

/* Of this process, as the kernel says it: from the root of its cgroup namespace on. */
static int cgroup_path(char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 8];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::/", 4))
			return copy_string(line + 3, ret, size);
	}
	return -ENOENT;
}

int system_own_cgroup(char ret[PATH_MAX])
{
	char mount[PATH_MAX], path[PATH_MAX], own[2 * PATH_MAX + 1];
	int r = system_cgroup2(mount, sizeof(mount));

	if (r == 0)
		r = cgroup_path(path, sizeof(path));
	if (r < 0)
		return r;
	snprintf(own, sizeof(own), "%s%s", mount, path);
	return realpath(own, ret) ? 0 : -errno;
}

int system_in_cgroup(const char *dir)
{
	size_t len = strlen(dir);
	char real[PATH_MAX];
	int r = system_own_cgroup(real);

	if (r < 0)
		return r;
	return !strncmp(real, dir, len) && (real[len] == '\0' || real[len] == '/');
}

/* The parent of a process; 0 when there is none or it cannot be told. */
static pid_t parent_of(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[512];
	const char *name_end;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	/* The name in parentheses may hold anything, parentheses too. */
	name_end = strrchr(line, ')');
	return name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

bool system_mounts_private(void)
{
	char own[64] = "", other[64], path[64];

	if (readlink("/proc/self/ns/mnt", own, sizeof(own) - 1) < 0)
		return false;
	for (pid_t pid = getppid(); pid > 0; pid = parent_of(pid)) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		n = readlink(path, other, sizeof(other) - 1);
		if (n < 0)
			continue;
		other[n] = '\0';
		if (strcmp(own, other))
			return true;
	}
	return false;
}

int path_resolve(const char *path, char *ret, size_t size)
{
	_cleanup_free_ char *copy = strdup(path);
	char above[PATH_MAX];
	const char *last;
	char *slash;
	size_t len;
	int n;

	if (!copy)
		return -ENOMEM;
	for (len = strlen(copy); len && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	slash = strrchr(copy, '/');
	last = slash ? slash + 1 : copy;
	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return -EINVAL;
	if (slash)
		*slash = '\0';
	if (!realpath(!slash ? "." : slash == copy ? "/" : copy, above))
		return -errno;
	n = snprintf(ret, size, "%s/%s", strcmp(above, "/") ? above : "", last);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '_';
}

int name_escape(const char *path, char *ret, size_t size)
{
	size_t len, n = 0;

	path += strspn(path, "/");
	for (len = strlen(path); len && path[len - 1] == '/'; len--)
		;
	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (n + 5 > size)
			return -ENAMETOOLONG;
		if (path[i] == '/')
			ret[n++] = '-';
		else if (is_plain(path[i]))
			ret[n++] = path[i];
		else
			n += sprintf(ret + n, "\\x%02x", (unsigned char)path[i]);
	}
	ret[n] = '\0';
	return 0;
}

int name_unescape(const char *name, char *ret, size_t size)
{
	size_t n = 0;
	unsigned int c;

	while (*name) {
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		if (*name != '\\') {
			ret[n++] = *name == '-' ? '/' : *name;
			name++;
			continue;
		}
		if (sscanf(name, "\\x%2x", &c) != 1 || !c)
			return -EINVAL;
		ret[n++] = c;
		name += 4;
	}
	ret[n] = '\0';
	return 0;
}

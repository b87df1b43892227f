// SPDX-License-Identifier: MIT
/* Floor 3: stages, publishes and removes the pin directory of one data path, and mounts bpffs where it is missing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/pins.h"
#include "core/runtime.h"
#include "core/system.h"
#include "core/util.h"

#define BPFFS "/sys/fs/bpf"
/* bpffs refuses any name with a dot in it. */
#define STAGING_SUFFIX "+new"
/* In /run/mpbpf: we mounted bpffs. */
#define MOUNTED_MARK "bpffs-mounted"

static const char *const pin_dirs[] = { "maps", "progs", "links" };

int pins_path(char ret[PIN_PATH_MAX], const char *pin_root, const char *dir, const char *name)
{
	int n = snprintf(ret, PIN_PATH_MAX, "%s%s%s%s%s", pin_root, dir ? "/" : "", dir ? dir : "", name ? "/" : "",
			 name ? name : "");

	return n < 0 || n >= PIN_PATH_MAX ? -ENAMETOOLONG : 0;
}

int pins_xdp_path(char ret[PIN_PATH_MAX], const char *pin_root, const char *ifname)
{
	char name[NAME_MAX + 1] = PIN_XDP_PREFIX;
	int r;

	r = name_escape(ifname, name + strlen(name), sizeof(name) - strlen(name));
	return r < 0 ? r : pins_path(ret, pin_root, "links", name);
}

int pins_xdp_name(const char *link, char *ret, size_t size)
{
	if (strncmp(link, PIN_XDP_PREFIX, strlen(PIN_XDP_PREFIX)))
		return -ENOENT;
	return name_unescape(link + strlen(PIN_XDP_PREFIX), ret, size);
}

int pins_staging(char ret[PIN_PATH_MAX], const char *pin_root)
{
	int n = snprintf(ret, PIN_PATH_MAX, "%s" STAGING_SUFFIX, pin_root);

	return n < 0 || n >= PIN_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int bpffs_mount(int base)
{
	_cleanup_close_ int mark = -1;

	if (system_mounts_private())
		return -EXDEV;
	mark = openat(base, MOUNTED_MARK, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (mark < 0)
		return -errno;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0) {
		int r = -errno;

		unlinkat(base, MOUNTED_MARK, 0);
		return r;
	}
	return 0;
}

static int directory_above(const char *pin_root, char ret[PIN_PATH_MAX])
{
	const char *slash = strrchr(pin_root, '/');

	if (!slash || slash == pin_root)
		return -EOPNOTSUPP;
	if (slash - pin_root >= PIN_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, pin_root, slash - pin_root);
	ret[slash - pin_root] = '\0';
	return 0;
}

int pins_prepare(const char *pin_root, int *ret_fd)
{
	_cleanup_close_ int base = -1, fd = -1;
	char above[PIN_PATH_MAX];
	int r;

	r = directory_above(pin_root, above);
	if (r < 0)
		return r;
	base = runtime_base_lock();
	if (base < 0)
		return base;
	r = system_fs_is(above, BPF_FS_MAGIC);
	if (r == 0) {
		if (strcmp(above, BPFFS) && strncmp(above, BPFFS "/", strlen(BPFFS "/")))
			return -EOPNOTSUPP;
		r = bpffs_mount(base);
	}
	if (r < 0)
		return r;
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The kernel puts files with dots in their names there by itself (maps.debug, progs.debug). */
static bool bpffs_is_empty(void)
{
	DIR *dir = opendir(BPFFS);
	bool empty = true;
	struct dirent *e;

	if (!dir)
		return false;
	while ((e = readdir(dir)))
		if (!strchr(e->d_name, '.'))
			empty = false;
	closedir(dir);
	return empty;
}

int pins_release(void)
{
	_cleanup_close_ int base = runtime_base_lock();

	if (base < 0)
		return base;
	if (faccessat(base, MOUNTED_MARK, F_OK, 0) == 0) {
		if (system_fs_is(BPFFS, BPF_FS_MAGIC) == 1) {
			if (!bpffs_is_empty())
				return 0;
			if (umount2(BPFFS, UMOUNT_NOFOLLOW) < 0)
				return errno == EBUSY ? 0 : -errno;
		}
		unlinkat(base, MOUNTED_MARK, 0);
	}
	runtime_base_remove();
	return 0;
}

int pins_stage(const char *pin_root)
{
	char staging[PIN_PATH_MAX], path[PIN_PATH_MAX];
	int r;

	if (access(pin_root, F_OK) == 0)
		return -EEXIST;
	r = pins_staging(staging, pin_root);
	if (r < 0)
		return r;
	if (mkdir(staging, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(pin_dirs); i++) {
		r = pins_path(path, staging, pin_dirs[i], NULL);
		if (r == 0 && mkdir(path, 0700) < 0)
			r = -errno;
		if (r < 0) {
			pins_remove(staging);
			return r;
		}
	}
	return 0;
}

int pins_publish(const char *pin_root)
{
	char staging[PIN_PATH_MAX];
	int r;

	r = pins_staging(staging, pin_root);
	if (r < 0)
		return r;
	return renameat2(AT_FDCWD, staging, AT_FDCWD, pin_root, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

bool pins_exist(const char *pin_root)
{
	return access(pin_root, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Nothing that is not on bpffs is ever removed. */
static int remove_tree(const char *path)
{
	int r;

	r = system_fs_is(path, BPF_FS_MAGIC);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r <= 0)
		return r ?: -EOPNOTSUPP;
	if (nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
		return 0;
	return errno == ENOENT ? 0 : -errno;
}

/* Holds nothing but what pins_stage() makes: another tool's directory, named by mistake, must not be emptied. */
static int pins_are_ours(const char *pin_root)
{
	DIR *dir = opendir(pin_root);
	struct dirent *e;
	bool ours = true;

	if (!dir)
		return errno == ENOENT ? 1 : -errno;
	while ((e = readdir(dir))) {
		bool known = e->d_name[0] == '.';

		for (size_t i = 0; i < ARRAY_SIZE(pin_dirs); i++)
			known |= !strcmp(e->d_name, pin_dirs[i]);
		ours &= known;
	}
	closedir(dir);
	return ours;
}

int pins_remove(const char *pin_root)
{
	char links[PIN_PATH_MAX];
	int r;

	r = pins_are_ours(pin_root);
	if (r <= 0)
		return r ?: -EOPNOTSUPP;
	r = pins_path(links, pin_root, "links", NULL);
	if (r < 0)
		return r;
	r = remove_tree(links);
	if (r < 0)
		return r;
	return remove_tree(pin_root);
}

static int lock_directory(const char *pin_root, const char *name, bool wait)
{
	_cleanup_close_ int fd = -1;
	char path[PIN_PATH_MAX];
	int r;

	r = pins_path(path, pin_root, name, NULL);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR)
			return -errno;
	return TAKE_FD(fd);
}

int pins_policy_lock(const char *pin_root)
{
	return lock_directory(pin_root, "maps", true);
}

int pins_lists_lock(const char *pin_root, bool wait)
{
	return lock_directory(pin_root, "links", wait);
}

int pins_links_lock(const char *pin_root, bool wait)
{
	return lock_directory(pin_root, "progs", wait);
}

int pins_links(const char *pin_root, int (*each)(const char *name, void *data), void *data)
{
	struct dirent **names;
	char path[PIN_PATH_MAX];
	int n, r;

	r = pins_path(path, pin_root, "links", NULL);
	if (r < 0)
		return r;
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (r == 0 && names[i]->d_name[0] != '.')
			r = each(names[i]->d_name, data);
		free(names[i]);
	}
	free(names);
	return r;
}

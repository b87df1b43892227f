// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, what is asked of the system without a program: BTF, bpffs, cgroup2, membarrier, version. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "core/kernel.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/check.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define BPFFS "/sys/fs/bpf"

int check_btf(struct check *c)
{
	struct btf *btf;
	__u32 n;

	if (access(VMLINUX_BTF, R_OK) < 0)
		return check_fail(c, VMLINUX_BTF ": %s (CONFIG_DEBUG_INFO_BTF)", strerror(errno));
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return check_fail(c, VMLINUX_BTF ": cannot be read: %s", strerror(errno));
	n = btf__type_cnt(btf);
	btf__free(btf);
	return check_ok(c, VMLINUX_BTF " describes %u types", n);
}

/* Where the pins are to be: is a BPF file system there, or can one be mounted there for all to see? */
static int pin_root_usable(struct check *c)
{
	char above[PATH_MAX], *slash;
	int r;

	snprintf(above, sizeof(above), "%s", c->context->pin_root);
	slash = strrchr(above, '/');
	if (slash && slash > above)
		*slash = '\0';
	r = system_fs_is(above, BPF_FS_MAGIC);
	if (r == 1)
		return 0;
	if (strcmp(above, BPFFS))
		return check_fail(c, "%s: %s", above, r < 0 ? strerror(-r) : "not on a BPF file system");
	if (c->mounts_private)
		return check_fail(c, BPFFS " is not mounted, and this is a private mount namespace (use `nsenter "
					   "--net=/run/netns/NAME`, not `ip netns exec`)");
	return 0;
}

/* Pins a map and gets it back. */
static int pin_and_get(struct check *c, const char *path)
{
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "check", sizeof(__u32), sizeof(__u32), 1, NULL);
	_cleanup_close_ int again = -1;
	int r = map;

	if (map >= 0)
		r = bpf_obj_pin(map, path);
	if (r < 0)
		return check_fail(c, "pinning a map: %s", strerror(-r));
	again = bpf_obj_get(path);
	unlink(path);
	return again < 0 ? check_fail(c, "opening a pinned map: %s", strerror(-again)) : 0;
}

/* In a BPF file system of its own, which hides the machine's from this process only. */
int check_bpffs(struct check *c)
{
	bool mounted = system_fs_is(BPFFS, BPF_FS_MAGIC) == 1;
	int r;

	r = pin_root_usable(c);
	if (r < 0)
		return r;
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700") < 0)
		return check_fail(c, "mounting one at " BPFFS ": %s", strerror(errno));
	r = pin_and_get(c, BPFFS "/check");
	umount2(BPFFS, MNT_DETACH);
	return r < 0 ? r
		     : check_ok(c, "a map was pinned in one of its own; " BPFFS " %s",
				mounted ? "is mounted" : "is not mounted, `mpbpf load` does that");
}

int check_cgroup2(struct check *c)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX + 16];

	if (!c->cgroup[0])
		return check_fail(c, "%s",
				  c->cgroup_error == -ENOENT	   ? "no cgroup2 file system is mounted"
				  : c->cgroup_error == -EOPNOTSUPP ? "--cgroup is not on a cgroup2 file system"
								   : strerror(-c->cgroup_error));
	if (mkdir(c->cgroup, 0755) < 0)
		return check_fail(c, "%s: %s", c->cgroup, strerror(errno));
	snprintf(path, sizeof(path), "%s/cgroup.procs", c->cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return check_fail(c, "%s: %s", path, strerror(errno));
	return check_ok(c, "a process was put into a cgroup of its own");
}

int check_membarrier(struct check *c)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		return check_fail(c, "MEMBARRIER_CMD_GLOBAL: %s", strerror(errno));
	return check_ok(c, "waits until no program can still read the old policy");
}

int check_version(struct check *c)
{
	char version[32] = "";
	const char *fault = kernel_running_fault(version, sizeof(version));

	if (fault)
		return check_fail(c, "Linux %s, unless its vendor has mended it: %s", version, fault);
	return check_ok(c, "nothing is known against Linux %s", version);
}

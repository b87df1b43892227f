// SPDX-License-Identifier: MIT
/* Floor 5: who has the XDP hook of an interface already: the program, and the processes that hold it or its link. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/util.h"
#include "loader/log.h"
#include "loader/xdp_owner.h"

#define HOLDERS_SHOWN 3
#define HOLDERS_MAX 256 /* bytes */

__u32 xdp_owner(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query) < 0)
		return 0;
	return query.prog_id ?: query.drv_prog_id ?: query.skb_prog_id ?: query.hw_prog_id;
}

/* Of a program and of a link alike, fdinfo says the program's id. */
static bool fd_is_of(const char *fdinfo, const char *fd, __u32 id)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[1024], line[128];
	unsigned int found;

	snprintf(path, sizeof(path), "%s/%s", fdinfo, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "prog_id: %u", &found) == 1)
			return found == id;
	return false;
}

static bool process_holds(const char *pid, __u32 id)
{
	char path[300];
	struct dirent *e;
	bool holds = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!holds && (e = readdir(dir)))
		holds = e->d_name[0] != '.' && fd_is_of(path, e->d_name, id);
	closedir(dir);
	return holds;
}

static void name_of(const char *pid, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(ret, size, f))
		snprintf(ret, size, "?");
	ret[strcspn(ret, "\n")] = '\0';
}

/* " held by pid 7 (cilium-agent) and pid 9 (x)", or "": pinned, or attached by netlink. */
static void holders(__u32 id, char ret[HOLDERS_MAX])
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	char name[64];
	size_t n = 0, len = 0;

	ret[0] = '\0';
	while (dir && n < HOLDERS_SHOWN && (e = readdir(dir))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !process_holds(e->d_name, id))
			continue;
		name_of(e->d_name, name, sizeof(name));
		len += snprintf(ret + len, HOLDERS_MAX - len, "%s pid %.20s (%.20s)", n++ ? " and" : ", held by",
				e->d_name, name);
	}
	if (dir)
		closedir(dir);
}

void xdp_owner_log(const char *ifname, __u32 id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char by[HOLDERS_MAX];

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		info.name[0] = '\0';
	/* Not to find ourselves. */
	close_fd(&fd);
	holders(id, by);
	if (!strcmp(info.name, "xdp_ingress"))
		log_line("%s is protected already, by an mpbpf with another --pin-root or one that was cut short (XDP "
			 "program %u%s); `mpbpf unload` there first",
			 ifname, id, by);
	else if (!strcmp(info.name, "xdp_dispatcher"))
		log_line(
			"%s already runs XDP program %u (xdp_dispatcher, with which libxdp runs the programs of several%s); mpbpf "
			"cannot be one of them: `xdp-loader status %s` lists them, `xdp-loader unload %s --all` frees "
			"the interface",
			ifname, id, by, ifname, ifname);
	else
		log_line("%s already runs XDP program %u (%s%s); detach it first (`ip link set dev %s xdp off`, or the "
			 "tool that put it there)",
			 ifname, id, info.name[0] ? info.name : "without a name", by, ifname);
}

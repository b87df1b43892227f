// SPDX-License-Identifier: MIT
/* Floor 5: the programs of capturing: whether this kernel takes them, their pins, and the cgroups that they are attached to. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/pins.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/capturing.h"
#include "loader/log.h"
#include "loader/object.h"
#include "loader/unload.h"
#include "mpbpf.skel.h"
#include "mpbpf/capture.h"

/* In the order of attaching: when the first connection is captured, all is there that it shows to its process. */
static const struct capturing_program {
	const char *name;
	enum bpf_attach_type type;
} programs[CAPTURING_PROGRAMS] = {
	{ "capture_getpeername4", BPF_CGROUP_INET4_GETPEERNAME },
	{ "capture_getpeername6", BPF_CGROUP_INET6_GETPEERNAME },
	{ "capture_getsockopt", BPF_CGROUP_GETSOCKOPT },
	{ "capture_sockops", BPF_CGROUP_SOCK_OPS },
	{ "capture_connect4", BPF_CGROUP_INET4_CONNECT },
	{ "capture_connect6", BPF_CGROUP_INET6_CONNECT },
};

#define DEPTH_MAX 1024

/* The last one is detached first, and tells of the others. */
#define LAST "capture_connect6"
#define LAST_PREFIX LAST "-"

/* ---- loading ---- */

static void leave_out_others(struct mpbpf *object)
{
	const struct bpf_map *needed[] = { object->maps.control,      object->maps.steers,
					   object->maps.captures,     object->maps.capture_cgroups,
					   object->maps.capture_nets, object->maps.capture_ends,
					   object->maps.relays,	      object->maps.captured,
					   object->maps.relayed,      object->maps.capture_stats,
					   object->maps.policies,     object->maps.events,
					   object->maps.event_gates,  object->maps.xdp_stats };

	object_leave_out(object, needed, ARRAY_SIZE(needed));
}

void capturing_choose(struct mpbpf *object, bool with)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(object->obj, programs[i].name), with);
}

int capturing_load(struct mpbpf **ret)
{
	_cleanup_(object_free) struct mpbpf *object = mpbpf__open();
	int r;

	if (!object)
		return -errno;
	leave_out_others(object);
	capturing_choose(object, true);
	r = mpbpf__load(object);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(object);
	return 0;
}

bool capturing_try(void)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	static bool tried, found;

	if (tried)
		return found;
	found = capturing_load(&object) == 0;
	log_libbpf_forget();
	tried = true;
	return found;
}

/* ---- pins ---- */

int capturing_pin(const struct mpbpf *object, const char *pin_root)
{
	char path[PIN_PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++) {
		int fd = bpf_program__fd(bpf_object__find_program_by_name(object->obj, programs[i].name));

		if (fd < 0)
			return 0;
		r = pins_path(path, pin_root, "progs", programs[i].name);
		if (r == 0)
			r = bpf_obj_pin(fd, path);
		if (r < 0)
			log_line("pinning %s: %s", programs[i].name, strerror(-r));
	}
	return r;
}

bool capturing_pinned(const char *pin_root)
{
	char path[PIN_PATH_MAX];

	return pins_path(path, pin_root, "progs", LAST) == 0 && access(path, F_OK) == 0;
}

static int link_path(char ret[PIN_PATH_MAX], const char *pin_root, const char *program, uint64_t hash)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%016" PRIx64, program, hash);
	return pins_path(ret, pin_root, "links", name);
}

/* ---- attaching ---- */

static int cgroup_open(const char *path, uint64_t *ret_id)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = system_fs_is(path, CGROUP2_SUPER_MAGIC);
	if (r <= 0)
		return r < 0 ? r : -ENOTSUP;
	/* The id of a cgroup is the number of its inode. */
	*ret_id = st.st_ino;
	return TAKE_FD(fd);
}

/* The cgroup that the pinned link is attached to; 0: none, or there is no link. */
static uint64_t link_cgroup(const char *path)
{
	_cleanup_close_ int link = bpf_obj_get(path);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	return link >= 0 && bpf_obj_get_info_by_fd(link, &info, &len) == 0 ? info.cgroup.cgroup_id : 0;
}

static int attach_one(const struct capturing_program *program, const char *pin_root, int cgroup, uint64_t id,
		      uint64_t hash)
{
	_cleanup_close_ int fd = -1, link = -1;
	char path[PIN_PATH_MAX], link_at[PIN_PATH_MAX];
	int r;

	r = link_path(link_at, pin_root, program->name, hash);
	if (r == 0)
		r = pins_path(path, pin_root, "progs", program->name);
	if (r < 0)
		return r;
	if (link_cgroup(link_at) == id)
		return 0;
	r = unload_link(link_at);
	if (r < 0 && r != -ENOENT)
		return r;
	r = fd = bpf_obj_get(path);
	if (r >= 0)
		r = link = bpf_link_create(fd, cgroup, program->type, NULL);
	return r < 0 ? r : bpf_obj_pin(link, link_at);
}

/* How many directories below the root of its file system, wherever that is mounted. */
static uint32_t depth_of(int cgroup)
{
	_cleanup_close_ int at = dup(cgroup);
	struct stat st, above;
	uint32_t depth = 0;

	while (at >= 0 && fstat(at, &st) == 0 && depth < DEPTH_MAX) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		close_fd(&at);
		at = up;
		if (at < 0 || fstat(at, &above) < 0 || above.st_dev != st.st_dev || above.st_ino == st.st_ino)
			break;
		depth++;
	}
	return depth;
}

/* Which capture's cgroup it is, programs are told where they are attached. */
static int tell_cgroup(int map, uint64_t id, int cgroup, uint64_t hash)
{
	const struct capture_cgroup told = { .hash = hash, .depth = depth_of(cgroup) };

	return bpf_map_update_elem(map, &id, &told, BPF_ANY);
}

int capturing_attach(const struct maps *maps, const char *pin_root, const char *path, uint64_t hash, uint64_t *ret_id)
{
	_cleanup_close_ int cgroup = -1;
	int r = 0;

	cgroup = cgroup_open(path, ret_id);
	if (cgroup < 0)
		return cgroup;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++)
		r = attach_one(&programs[i], pin_root, cgroup, *ret_id, hash);
	return r < 0 ? r : tell_cgroup(maps->fd[MAP_CAPTURE_CGROUPS], *ret_id, cgroup, hash);
}

int capturing_try_on(const struct mpbpf *object, int cgroup, uint64_t hash, int *links)
{
	struct stat st;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(programs); i++)
		r = links[i] = bpf_link_create(
			bpf_program__fd(bpf_object__find_program_by_name(object->obj, programs[i].name)), cgroup,
			programs[i].type, NULL);
	if (r >= 0)
		r = fstat(cgroup, &st) < 0
			    ? -errno
			    : tell_cgroup(bpf_map__fd(object->maps.capture_cgroups), st.st_ino, cgroup, hash);
	return r < 0 ? r : 0;
}

int capturing_detach(const char *pin_root, uint64_t hash)
{
	char path[PIN_PATH_MAX];
	int r = 0;

	for (size_t i = ARRAY_SIZE(programs); r == 0 && i-- > 0;) {
		r = link_path(path, pin_root, programs[i].name, hash);
		if (r == 0)
			r = unload_link(path);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

bool capturing_attached(const char *pin_root, uint64_t hash)
{
	char path[PIN_PATH_MAX];

	return link_path(path, pin_root, LAST, hash) == 0 && link_cgroup(path);
}

/* ---- all of them ---- */

struct others {
	bool (*keep)(uint64_t hash, void *data);
	void *data;
	uint64_t found;
};

static int find_other(const char *name, void *data)
{
	struct others *others = data;

	if (sscanf(name, LAST_PREFIX "%16" SCNx64, &others->found) != 1)
		return 0;
	return !others->keep || !others->keep(others->found, others->data);
}

/* One at a time, for what is walked is what changes. */
int capturing_detach_others(const char *pin_root, bool (*keep)(uint64_t hash, void *data), void *data)
{
	struct others others = { .keep = keep, .data = data };
	int r = 0;

	while (r == 0 && pins_links(pin_root, find_other, &others) == 1)
		r = capturing_detach(pin_root, others.found);
	return r;
}

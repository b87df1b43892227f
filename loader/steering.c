// SPDX-License-Identifier: MIT
/* Floor 5: the programs of steering: whether this kernel takes them, their pins, and the network namespace they work in. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/pins.h"
#include "core/system.h"
#include "core/util.h"
#include "loader/log.h"
#include "loader/object.h"
#include "loader/steering.h"
#include "mpbpf.skel.h"

#define PROGRAM "sk_lookup_steer"
#define WALK "iter_listeners"
#define OWN "capture_own"
/* Below progs/: from there a new link is renamed over the old one. */
#define STAGED "sk_lookup_link"

/* ---- loading ---- */

static void leave_out_others(struct mpbpf *object)
{
	const struct bpf_map *needed[] = {
		object->maps.control,	    object->maps.gateways,	object->maps.steers,
		object->maps.clusters,	    object->maps.backends,	object->maps.searches,
		object->maps.steer_stats,   object->maps.endpoints,	object->maps.policies,
		object->maps.events,	    object->maps.event_gates,	object->maps.xdp_stats,
		object->maps.captures,	    object->maps.capture_nets,	object->maps.own_places,
		object->maps.relay_sockets, object->maps.capture_stats, object->maps.captured,
		object->maps.listeners,	    object->maps.cidrs,		object->maps.fast_syns
	};

	object_leave_out(object, needed, ARRAY_SIZE(needed));
}

void steering_choose(struct mpbpf *object, bool with)
{
	bpf_program__set_autoload(object->progs.sk_lookup_steer, with);
	bpf_program__set_autoload(object->progs.iter_listeners, with);
	bpf_program__set_autoload(object->progs.capture_own, with);
}

int steering_load(struct mpbpf **ret)
{
	_cleanup_(object_free) struct mpbpf *object = mpbpf__open();
	int r;

	if (!object)
		return -errno;
	leave_out_others(object);
	steering_choose(object, true);
	r = mpbpf__load(object);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(object);
	return 0;
}

bool steering_try(void)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	static bool tried, found;

	if (tried)
		return found;
	found = steering_load(&object) == 0;
	log_libbpf_forget();
	tried = true;
	return found;
}

/* ---- pins ---- */

static int pin(int fd, const char *pin_root, const char *dir, const char *name)
{
	char path[PIN_PATH_MAX];
	int r = pins_path(path, pin_root, dir, name);

	return r < 0 ? r : bpf_obj_pin(fd, path);
}

int steering_pin(const struct mpbpf *object, const char *pin_root)
{
	_cleanup_close_ int link = -1;
	int r;

	if (bpf_program__fd(object->progs.sk_lookup_steer) < 0)
		return 0;
	r = pin(bpf_program__fd(object->progs.sk_lookup_steer), pin_root, "progs", PROGRAM);
	if (r == 0)
		r = pin(bpf_program__fd(object->progs.capture_own), pin_root, "progs", OWN);
	/* Attached to nothing: the agent begins a walk by it. */
	if (r == 0)
		r = link = bpf_link_create(bpf_program__fd(object->progs.iter_listeners), 0, BPF_TRACE_ITER, NULL);
	if (r >= 0)
		r = pin(link, pin_root, "links", WALK);
	if (r < 0)
		log_line("pinning " PROGRAM " and the link of " WALK ": %s", strerror(-r));
	return r;
}

bool steering_pinned(const char *pin_root)
{
	char path[PIN_PATH_MAX];

	return pins_path(path, pin_root, "progs", PROGRAM) == 0 && access(path, F_OK) == 0;
}

int steering_know_own(const char *pin_root)
{
	_cleanup_close_ int program = -1, cgroup = -1;
	char path[PIN_PATH_MAX], own[PATH_MAX];
	int r;

	r = system_own_cgroup(own);
	if (r == 0)
		r = pins_path(path, pin_root, "progs", OWN);
	if (r < 0)
		return r;
	cgroup = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return -errno;
	program = bpf_obj_get(path);
	return program < 0 ? program : bpf_link_create(program, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
}

/* ---- where it works ---- */

static int open_pin(const char *pin_root, const char *dir, const char *name)
{
	char path[PIN_PATH_MAX];
	int r = pins_path(path, pin_root, dir, name);

	return r < 0 ? r : bpf_obj_get(path);
}

static int link_info(int link, struct bpf_link_info *ret)
{
	__u32 len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(link, ret, &len);
}

static int program_id(int program, __u32 *ret)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int r = bpf_obj_get_info_by_fd(program, &info, &len);

	*ret = info.id;
	return r;
}

/* The link that is there: 0: it does, or does now; -ESTALE: it is another namespace's, or was of one that is gone. */
static int link_keep(int link, int program, ino_t netns)
{
	struct bpf_link_info info;
	__u32 id = 0;
	int r = link_info(link, &info);

	if (r == 0)
		r = program_id(program, &id);
	if (r < 0)
		return r;
	if (info.netns.netns_ino != netns)
		return -ESTALE;
	return info.prog_id == id ? 0 : bpf_link_update(link, program, NULL);
}

static int link_put(int link, const char *pin_root)
{
	char staged[PIN_PATH_MAX], path[PIN_PATH_MAX];
	int r;

	r = pins_path(staged, pin_root, "progs", STAGED);
	if (r == 0)
		r = pins_path(path, pin_root, "links", PROGRAM);
	if (r < 0)
		return r;
	unlink(staged);
	r = bpf_obj_pin(link, staged);
	if (r == 0 && rename(staged, path) < 0)
		r = -errno;
	return r;
}

int steering_attach(const char *pin_root)
{
	_cleanup_close_ int program = open_pin(pin_root, "progs", PROGRAM), link = -1, netns = -1, new = -1;
	struct stat st;
	int r;

	if (program < 0)
		return program;
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (netns < 0 || fstat(netns, &st) < 0)
		return -errno;
	link = open_pin(pin_root, "links", PROGRAM);
	r = link < 0 ? link : link_keep(link, program, st.st_ino);
	if (r != -ESTALE && r != -ENOENT)
		return r;
	new = bpf_link_create(program, netns, BPF_SK_LOOKUP, NULL);
	return new < 0 ? new : link_put(new, pin_root);
}

int steering_detach(const char *pin_root)
{
	_cleanup_close_ int link = open_pin(pin_root, "links", PROGRAM);
	char path[PIN_PATH_MAX];
	int r;

	if (link < 0)
		return link == -ENOENT ? 0 : link;
	r = pins_path(path, pin_root, "links", PROGRAM);
	if (r == 0 && unlink(path) < 0)
		r = -errno;
	/* Whoever else holds the link does not keep it attached. */
	bpf_link_detach(link);
	return r;
}

bool steering_attached(const char *pin_root)
{
	_cleanup_close_ int link = open_pin(pin_root, "links", PROGRAM);
	struct bpf_link_info info;

	return link >= 0 && link_info(link, &info) == 0 && info.netns.netns_ino;
}

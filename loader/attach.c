// SPDX-License-Identifier: MIT
/* Floor 5: attaches XDP, cgroup and sockmap programs, pins their links, and says what is in the way when it cannot. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/maps.h"
#include "core/pins.h"
#include "core/util.h"
#include "loader/attach.h"
#include "loader/log.h"
#include "loader/xdp_owner.h"
#include "mpbpf.skel.h"

/*
 * Verdict programs by name: the map they belong to. sk_msg_handback sees the agent's socket, the others the
 * services'.
 */
static const struct verdict_program {
	const char *program;
	enum map_id map;
	enum bpf_attach_type type;
} verdict_programs[] = {
	{ "sk_skb_request", MAP_SOCKETS, BPF_SK_SKB_VERDICT },
	{ "sk_msg_response", MAP_SOCKETS, BPF_SK_MSG_VERDICT },
	{ "sk_skb_client", MAP_CLIENT_SOCKETS, BPF_SK_SKB_VERDICT },
	{ "sk_msg_request", MAP_CLIENT_SOCKETS, BPF_SK_MSG_VERDICT },
	{ "sk_msg_handback", MAP_HELPER, BPF_SK_MSG_VERDICT },
};

const char *const xdp_mode_names[] = {
	[XDP_MODE_AUTO] = "auto",
	[XDP_MODE_NATIVE] = "native",
	[XDP_MODE_SKB] = "skb",
};

int xdp_mode_parse(const char *text, enum xdp_mode *ret)
{
	for (size_t i = 0; i < XDP_MODE_MAX; i++) {
		if (!strcmp(xdp_mode_names[i], text)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *xdp_mode_name(bool native)
{
	return xdp_mode_names[native ? XDP_MODE_NATIVE : XDP_MODE_SKB];
}

int attach_xdp_check(const char *ifname, unsigned int *ret)
{
	unsigned int ifindex = if_nametoindex(ifname);
	__u32 id;

	if (!ifindex) {
		log_line("no such interface: %s (`ip link` lists them)", ifname);
		return -ENODEV;
	}
	id = xdp_owner(ifindex);
	if (id) {
		xdp_owner_log(ifname, id);
		return -EBUSY;
	}
	*ret = ifindex;
	return 0;
}

static int xdp_link(int prog_fd, unsigned int ifindex, bool native)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);

	return bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
}

int attach_xdp_link(int prog_fd, const char *ifname, enum xdp_mode mode, bool *ret_native)
{
	bool native = mode != XDP_MODE_SKB;
	unsigned int ifindex;
	int r, link;

	r = attach_xdp_check(ifname, &ifindex);
	if (r < 0)
		return r;
	link = xdp_link(prog_fd, ifindex, native);
	if (link < 0 && mode == XDP_MODE_AUTO && link != -EBUSY && link != -EEXIST) {
		log_line("%s: native XDP: %s; using the slower skb mode", ifname, strerror(-link));
		native = false;
		link = xdp_link(prog_fd, ifindex, native);
	}
	if (link < 0)
		log_line("%s: attaching XDP in %s mode: %s", ifname, xdp_mode_name(native), strerror(-link));
	else
		*ret_native = native;
	return link;
}

int attach_xdp(int prog_fd, const char *ifname, enum xdp_mode mode, const char *pin_root, bool *ret_native)
{
	_cleanup_close_ int link = -1;
	char path[PIN_PATH_MAX];
	int r;

	link = attach_xdp_link(prog_fd, ifname, mode, ret_native);
	if (link < 0)
		return link;
	r = pins_xdp_path(path, pin_root, ifname);
	if (r == 0)
		r = bpf_obj_pin(link, path);
	if (r < 0)
		log_line("pinning the link of %s: %s", ifname, strerror(-r));
	return r;
}

static int attach_cgroup(const struct bpf_program *program, enum bpf_attach_type type, int cgroup_fd,
			 const char *cgroup, const char *pin_root)
{
	const char *name = bpf_program__name(program);
	_cleanup_close_ int link = -1;
	char path[PIN_PATH_MAX];
	int r;

	link = bpf_link_create(bpf_program__fd(program), cgroup_fd, type, NULL);
	if (link < 0) {
		log_line("attaching %s to %s: %s%s", name, cgroup, strerror(-link),
			 link == -EPERM ? " (another program holds that hook of the cgroup, or of one above, alone)"
					: "");
		return link;
	}
	r = pins_path(path, pin_root, "links", name);
	if (r == 0)
		r = bpf_obj_pin(link, path);
	if (r < 0)
		log_line("pinning the link of %s: %s", name, strerror(-r));
	return r;
}

static int attach_verdicts(const struct mpbpf *object, const struct maps *maps)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdict_programs); i++) {
		const struct verdict_program *v = &verdict_programs[i];
		const struct bpf_program *program;
		int r;

		program = bpf_object__find_program_by_name(object->obj, v->program);
		r = program ? bpf_prog_attach(bpf_program__fd(program), maps->fd[v->map], v->type, 0) : -ENOENT;
		if (r < 0) {
			log_line("attaching %s to the map %s: %s", v->program, map_names[v->map], strerror(-r));
			return r;
		}
	}
	return 0;
}

/* Attached to nothing: the agent begins a walk by it. */
static int attach_walk(const struct mpbpf *object, const char *pin_root)
{
	int program = bpf_program__fd(object->progs.iter_settle), r;
	_cleanup_close_ int link = -1;
	char path[PIN_PATH_MAX];

	if (program < 0)
		return 0;
	link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	r = link < 0 ? link : pins_path(path, pin_root, "links", "iter_settle");
	if (r == 0)
		r = bpf_obj_pin(link, path);
	if (r < 0)
		log_line("pinning the link of iter_settle: %s", strerror(-r));
	return r;
}

int attach_l7(const struct mpbpf *object, const struct maps *maps, const char *cgroup, const char *pin_root)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = attach_verdicts(object, maps);
	if (r < 0)
		return r;
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		log_line("%s: %s", cgroup, strerror(-r));
		return r;
	}
	r = attach_cgroup(object->progs.cgroup_gate, BPF_CGROUP_INET_INGRESS, fd, cgroup, pin_root);
	if (r < 0)
		return r;
	r = attach_walk(object, pin_root);
	if (r < 0)
		return r;
	return attach_cgroup(object->progs.sockops_track, BPF_CGROUP_SOCK_OPS, fd, cgroup, pin_root);
}

void detach_verdicts(const struct maps *maps, const char *pin_root)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdict_programs); i++) {
		const struct verdict_program *v = &verdict_programs[i];
		_cleanup_close_ int fd = -1;
		char path[PIN_PATH_MAX];

		if (pins_path(path, pin_root, "progs", v->program) < 0)
			continue;
		fd = bpf_obj_get(path);
		if (fd >= 0)
			bpf_prog_detach2(fd, maps->fd[v->map], v->type);
	}
}

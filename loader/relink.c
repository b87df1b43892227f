// SPDX-License-Identifier: MIT
/* Floor 5: links of interfaces that went away, and new ones in their place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "core/pins.h"
#include "core/runtime.h"
#include "core/util.h"
#include "loader/log.h"
#include "loader/relink.h"
#include "loader/syn_links.h"

/* Below progs/, where nobody lists links: from there a new link is renamed over the old one. */
#define STAGED "xdp_link"

bool relink_attached(const char *pin_root, const char *link)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = {};
	char path[PIN_PATH_MAX];
	__u32 len = sizeof(info);

	if (pins_path(path, pin_root, "links", link) < 0)
		return false;
	fd = bpf_obj_get(path);
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.xdp.ifindex;
}

static int put_pin(int link, const char *pin_root, const char *ifname)
{
	char staged[PIN_PATH_MAX], path[PIN_PATH_MAX];
	int r;

	r = pins_path(staged, pin_root, "progs", STAGED);
	if (r == 0)
		r = pins_xdp_path(path, pin_root, ifname);
	if (r < 0)
		return r;
	unlink(staged);
	r = bpf_obj_pin(link, staged);
	if (r == 0 && rename(staged, path) < 0)
		r = -errno;
	return r;
}

static bool *native_of(struct runtime_facts *facts, const char *ifname)
{
	for (size_t i = 0; i < facts->n_ifaces; i++)
		if (!strcmp(facts->ifaces[i].name, ifname))
			return &facts->ifaces[i].native;
	return NULL;
}

/* The interface has another number than the one that went away, and perhaps another link address. */
static int renew_syn_link(const char *pin_root, const char *ifname)
{
	_cleanup_close_ int map = -1;
	char path[PIN_PATH_MAX];
	int r;

	r = pins_path(path, pin_root, "maps", "syn_links");
	if (r == 0)
		r = map = bpf_obj_get(path);
	return r < 0 ? r : syn_link_add(map, ifname);
}

int relink_xdp(const char *pin_root, const struct runtime *runtime, const char *ifname, bool *ret_native)
{
	_cleanup_free_ struct runtime_facts *facts = calloc(1, sizeof(*facts));
	_cleanup_close_ int program = -1, link = -1;
	bool *native = NULL, now;
	char path[PIN_PATH_MAX];
	int r;

	if (facts && runtime_facts_read(runtime, facts) == 0)
		native = native_of(facts, ifname);
	r = pins_path(path, pin_root, "progs", "xdp_ingress");
	if (r == 0)
		r = program = bpf_obj_get(path);
	if (r < 0) {
		log_line("%s: the program to attach: %s", ifname, strerror(-r));
		return r;
	}
	link = attach_xdp_link(program, ifname, native && !*native ? XDP_MODE_SKB : XDP_MODE_AUTO, &now);
	if (link < 0)
		return link;
	r = renew_syn_link(pin_root, ifname);
	if (r < 0)
		log_line("%s: the SYN guard does not know its link address: %s", ifname, strerror(-r));
	r = put_pin(link, pin_root, ifname);
	if (r < 0) {
		log_line("pinning the link of %s: %s", ifname, strerror(-r));
		return r;
	}
	if (native && *native != now) {
		*native = now;
		runtime_facts_write(runtime, facts);
	}
	*ret_native = now;
	return 0;
}

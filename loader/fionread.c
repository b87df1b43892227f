// SPDX-License-Identifier: MIT
/* Floor 5: the kprobes that count what was handed back: whether they are needed and taken, and attaching them. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/pins.h"
#include "core/util.h"
#include "loader/fionread.h"
#include "loader/log.h"
#include "loader/object.h"
#include "mpbpf.skel.h"

bool fionread_is_whole(void)
{
	static int id;

	if (!id)
		id = libbpf_find_vmlinux_btf_id("tcp_bpf_ioctl", BPF_TRACE_FENTRY);
	return id > 0;
}

static enum fionread try_it(void)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	struct bpf_program *program;
	struct bpf_map *map;
	int r;

	if (fionread_is_whole())
		return FIONREAD_KERNEL;
	object = mpbpf__open();
	if (!object)
		return FIONREAD_SHORT;
	bpf_object__for_each_program(program, object->obj) bpf_program__set_autoload(program, false);
	bpf_object__for_each_map(map, object->obj)
		bpf_map__set_autocreate(map, map == object->maps.ioctl_calls || bpf_map__is_internal(map));
	fionread_choose(object, true);
	r = mpbpf__load(object);
	log_libbpf_forget();
	return r < 0 ? FIONREAD_SHORT : FIONREAD_ADDED;
}

enum fionread fionread_try(void)
{
	static bool tried;
	static enum fionread found;

	if (!tried)
		found = try_it();
	tried = true;
	return found;
}

void fionread_choose(struct mpbpf *object, bool with)
{
	bpf_program__set_autoload(object->progs.kprobe_tcp_ioctl, with);
	bpf_program__set_autoload(object->progs.kretprobe_tcp_ioctl, with);
	bpf_map__set_autocreate(object->maps.ioctl_calls, with);
}

static int attach_one(const struct bpf_program *program, bool returning, const char *pin_root)
{
	struct bpf_link *link = bpf_program__attach_kprobe(program, returning, "tcp_ioctl");
	char path[PIN_PATH_MAX];
	int r;

	if (!link)
		return -errno;
	if (!pin_root)
		return 0;
	r = pins_path(path, pin_root, "links", bpf_program__name(program));
	if (r == 0)
		r = bpf_link__pin(link, path);
	bpf_link__destroy(link);
	return r;
}

static int id_of(const struct bpf_program *program, __u32 *ret)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int r = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len);

	if (r == 0)
		*ret = info.id;
	return r;
}

int fionread_attach(const struct mpbpf *object, const char *pin_root)
{
	int r;

	if (bpf_program__fd(object->progs.kretprobe_tcp_ioctl) < 0)
		return 0;
	r = id_of(object->progs.sk_skb_request, &object->bss->tcp_ioctl_verdict);
	if (r == 0)
		r = id_of(object->progs.sk_skb_client, &object->bss->tcp_ioctl_client);
	if (r < 0)
		return r;
	r = attach_one(object->progs.kretprobe_tcp_ioctl, true, pin_root);
	return r < 0 ? r : attach_one(object->progs.kprobe_tcp_ioctl, false, pin_root);
}

void fionread_attach_or_say(const struct mpbpf *object, const char *pin_root)
{
	int r = fionread_attach(object, pin_root);

	log_libbpf_forget();
	if (r == 0 && (bpf_program__fd(object->progs.kretprobe_tcp_ioctl) >= 0 || fionread_try() == FIONREAD_KERNEL))
		return;
	log_line(
		"on this kernel FIONREAD tells a service too little of what was handed back to it, and the programs that would "
		"mend it are refused%s%s (is it locked down?): one that asks, as nginx does, may wait for ever",
		r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
}

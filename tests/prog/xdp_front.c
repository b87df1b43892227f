/* SPDX-License-Identifier: MIT */
/* Tests: a program in front of xdp_ingress that changes each frame of a repeated test run. */
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tap.h"
#include "xdp_front.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

static void set(const struct xdp_front *front, const char *map, const void *value)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(front->object, map), &zero, value, BPF_ANY))
		tap_bail("xdp_front: %s cannot be set", map);
}

static void choose(struct xdp_front *front, const char *program)
{
	front->run.program = bpf_program__fd(bpf_object__find_program_by_name(front->object, program));
}

void xdp_front_open(const struct xdp_run *run, struct xdp_front *ret)
{
	static const char path[] = MPBPF_BUILD "/tests/prog/xdp_front.bpf.o";

	ret->run = *run;
	ret->object = bpf_object__open_file(path, NULL);
	if (!ret->object || bpf_object__load(ret->object))
		tap_bail("%s: cannot be loaded", path);
	set(ret, "next", &run->program);
}

void xdp_front_close(struct xdp_front *front)
{
	bpf_object__close(front->object);
	front->object = NULL;
}

void xdp_front_spread(struct xdp_front *front, uint32_t n)
{
	set(front, "spreads", &(struct spread){ .n = n });
	choose(front, "xdp_spread");
}

void xdp_front_resend(struct xdp_front *front, const struct frame *frame)
{
	set(front, "resents", frame->bytes);
	choose(front, "xdp_resend");
}

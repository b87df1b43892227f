/* SPDX-License-Identifier: GPL-2.0 */
/* Tests: a program of another tool that has the hook of an interface: named as libxdp names its own. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("xdp") int xdp_dispatcher(struct xdp_md *ctx)
{
	(void)ctx;
	return 2; /* XDP_PASS */
}

char _license[] SEC("license") = "GPL";

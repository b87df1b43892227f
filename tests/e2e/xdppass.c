// SPDX-License-Identifier: MIT
/*
 * Test tool: puts an XDP program that passes everything onto an interface, without which veth takes no frame that the program
 * of its peer sends back.
 *
 *   xdppass IFACE
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static const struct bpf_insn pass[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
	{ .code = BPF_JMP | BPF_EXIT },
};

int main(int argc, char **argv)
{
	int ifindex = argc == 2 ? (int)if_nametoindex(argv[1]) : 0, fd, r;

	if (!ifindex) {
		fputs("usage: xdppass IFACE\n", stderr);
		return 2;
	}
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdppass", "GPL", pass, sizeof(pass) / sizeof(pass[0]), NULL);
	r = fd < 0 ? fd : bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
	if (r < 0)
		fprintf(stderr, "xdppass: %s\n", strerror(-r));
	return r < 0;
}

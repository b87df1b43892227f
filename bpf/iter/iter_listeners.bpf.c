/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: each open file of each process, when the agent looks for the listening sockets of endpoints. */
#include "listening.h"

SEC("?iter/task_file") int iter_listeners(struct bpf_iter__task_file *ctx)
{
	listening_visit(ctx->file);
	return 0;
}

char _license[] SEC("license") = "GPL";

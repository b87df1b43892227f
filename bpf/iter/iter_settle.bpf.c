/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: each TCP connection of the agent's network namespace, when it walks them (userspace-auth/settling.h). */
#include "lag.h"

SEC("?iter/tcp") int iter_settle(struct bpf_iter__tcp *ctx)
{
	lag_visit(ctx->sk_common);
	return 0;
}

char _license[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: handshakes that look for a listening socket in a network namespace with gateways. */
#include "steer.h"

SEC("?sk_lookup") int sk_lookup_steer(struct bpf_sk_lookup *ctx)
{
	if (ctx->protocol == IPPROTO_TCP)
		steer(ctx);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";

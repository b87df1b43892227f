/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: handshakes that look for a listening socket in a network namespace with gateways or captures of what comes to it. */
#include "capture_in.h"

SEC("?sk_lookup") int sk_lookup_steer(struct bpf_sk_lookup *ctx)
{
	struct control *c = control_get();
	struct steer_flow flow = {};
	__u32 generation;

	if (ctx->protocol != IPPROTO_TCP || !c)
		return SK_PASS;
	generation = READ_ONCE(c->generation);
	steer_read(ctx, &flow);
	return steer(ctx, &flow, c, generation) ? SK_PASS : capture_in(ctx, &flow, c, generation);
}

char _license[] SEC("license") = "GPL";

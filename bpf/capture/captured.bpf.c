/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: what processes of a captured cgroup, and the relay, are told of connections that go elsewhere than they were told. */
#include "captured.h"

SEC("?cgroup/getpeername4") int capture_getpeername4(struct bpf_sock_addr *ctx)
{
	struct captured *of = captured_of(ctx->sk);

	if (!of)
		return 1;
	ctx->user_ip4 = of->original.w[3];
	ctx->user_port = of->original_port;
	return 1;
}

SEC("?cgroup/getpeername6") int capture_getpeername6(struct bpf_sock_addr *ctx)
{
	struct captured *of = captured_of(ctx->sk);

	if (!of)
		return 1;
	ctx->user_ip6[0] = of->original.w[0];
	ctx->user_ip6[1] = of->original.w[1];
	ctx->user_ip6[2] = of->original.w[2];
	ctx->user_ip6[3] = of->original.w[3];
	ctx->user_port = of->original_port;
	return 1;
}

SEC("?cgroup/getsockopt") int capture_getsockopt(struct bpf_sockopt *ctx)
{
	captured_option(ctx);
	return 1;
}

SEC("?sockops") int capture_sockops(struct bpf_sock_ops *ops)
{
	__u32 op = ops->op, before = ops->args[0], state = ops->args[1];

	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		relayed_begin(ops);
	else if (op == BPF_SOCK_OPS_STATE_CB && state == BPF_TCP_CLOSE)
		relayed_end(ops, before);
	return 1;
}

/* On mpbpfd's own cgroup, while something that comes is captured. */
SEC("?sockops") int capture_own(struct bpf_sock_ops *ops)
{
	__u32 op = ops->op, state = ops->args[1];

	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		own_begin(ops);
	else if (op == BPF_SOCK_OPS_STATE_CB && state != BPF_TCP_SYN_SENT)
		own_end(ops);
	return 1;
}

char _license[] SEC("license") = "GPL";

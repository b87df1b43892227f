/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: connect(2) of a process in a captured cgroup. */
#include "capture.h"

SEC("?cgroup/connect4") int capture_connect4(struct bpf_sock_addr *ctx)
{
	struct connecting c = {};
	struct place to = {};
	int r;

	if (ctx->protocol != IPPROTO_TCP)
		return CAPTURE_PASS;
	c.to.addr.w[2] = c.from.w[2] = bpf_htonl(0xffff);
	c.to.addr.w[3] = ctx->user_ip4;
	c.to.port = ctx->user_port;
	c.from.w[3] = ctx->sk->src_ip4;
	r = capture_connect(ctx, &c, &to);
	if (!to.port)
		return r;
	ctx->user_ip4 = to.addr.w[3];
	ctx->user_port = to.port;
	return r;
}

/* An IPv4 address may be written as an IPv6 one. */
SEC("?cgroup/connect6") int capture_connect6(struct bpf_sock_addr *ctx)
{
	struct connecting c = {};
	struct place to = {};
	int r;

	if (ctx->protocol != IPPROTO_TCP)
		return CAPTURE_PASS;
	c.to.addr.w[0] = ctx->user_ip6[0];
	c.to.addr.w[1] = ctx->user_ip6[1];
	c.to.addr.w[2] = ctx->user_ip6[2];
	c.to.addr.w[3] = ctx->user_ip6[3];
	c.to.port = ctx->user_port;
	c.from.w[0] = ctx->sk->src_ip6[0];
	c.from.w[1] = ctx->sk->src_ip6[1];
	c.from.w[2] = ctx->sk->src_ip6[2];
	c.from.w[3] = ctx->sk->src_ip6[3];
	r = capture_connect(ctx, &c, &to);
	if (!to.port)
		return r;
	ctx->user_ip6[0] = to.addr.w[0];
	ctx->user_ip6[1] = to.addr.w[1];
	ctx->user_ip6[2] = to.addr.w[2];
	ctx->user_ip6[3] = to.addr.w[3];
	ctx->user_port = to.port;
	return r;
}

char _license[] SEC("license") = "GPL";

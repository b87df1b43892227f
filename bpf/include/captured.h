/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what is told of a captured connection: to its own process, and to the relay. */
#ifndef MPBPF_BPF_CAPTURED_H
#define MPBPF_BPF_CAPTURED_H

#include "maps.h"

#define CAPTURED_SOL_IP 0
#define CAPTURED_SOL_IPV6 41
#define CAPTURED_ORIGINAL_DST 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST */
#define CAPTURED_AF_INET 2
#define CAPTURED_AF_INET6 10
#define CAPTURED_OPTION_MAX 4096 /* what the kernel copies for a program: a page */

/* NULL: the socket's connection is not captured. */
static __always_inline struct captured *captured_of(struct bpf_sock *sk)
{
	struct captured *of = sk ? bpf_sk_storage_get(&captured, sk, NULL, 0) : NULL;

	return of && !(of->flags & CAPTURED_EXEMPT) ? of : NULL;
}

/* ---- getsockopt ---- */

struct captured_name4 {
	__u16 family;
	__be16 port;
	__be32 addr;
	__u8 zero[8];
};

struct captured_name6 {
	__u16 family;
	__be16 port;
	__be32 flowinfo;
	struct addr addr;
	__u32 scope;
};

/* Two stores, of which clang would make one: the verifier refuses that. */
static __always_inline void option_answered(struct bpf_sockopt *ctx, __s32 len)
{
	__s32 done = 0;

	ctx->optlen = len;
	forget(done);
	ctx->retval = done;
}

static __always_inline void option_answer4(struct bpf_sockopt *ctx, const struct captured *of)
{
	struct captured_name4 *name = ctx->optval;

	if ((void *)(name + 1) > ctx->optval_end)
		return;
	*name = (struct captured_name4){ .family = CAPTURED_AF_INET,
					 .port = of->original_port,
					 .addr = of->original.w[3] };
	option_answered(ctx, sizeof(*name));
}

static __always_inline void option_answer6(struct bpf_sockopt *ctx, const struct captured *of)
{
	struct captured_name6 *name = ctx->optval;

	if ((void *)(name + 1) > ctx->optval_end)
		return;
	*name = (struct captured_name6){ .family = CAPTURED_AF_INET6, .port = of->original_port, .addr = of->original };
	option_answered(ctx, sizeof(*name));
}

static __always_inline void captured_option(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	__s32 level = ctx->level;
	struct captured *of;

	/* Else the kernel would complain of what it cannot copy: then it copies nothing back. */
	if (ctx->optlen > CAPTURED_OPTION_MAX) {
		ctx->optlen = 0;
		return;
	}
	if (ctx->optname != CAPTURED_ORIGINAL_DST || (level != CAPTURED_SOL_IP && level != CAPTURED_SOL_IPV6))
		return;
	of = captured_of(sk);
	if (!of)
		return;
	if (level == CAPTURED_SOL_IPV6 && sk->family == CAPTURED_AF_INET6)
		option_answer6(ctx, of);
	else if (level == CAPTURED_SOL_IP && !of->original.w[0] && !of->original.w[1] &&
		 of->original.w[2] == bpf_htonl(0xffff))
		option_answer4(ctx, of);
}

/* ---- sockops ---- */

static __always_inline void local_place(struct bpf_sock_ops *ops, struct addr *addr, __be16 *ret_port)
{
	__u32 family = ops->family, port = ops->local_port, v4 = ops->local_ip4;

	*ret_port = bpf_htons(port);
	if (family == CAPTURED_AF_INET) {
		addr->w[2] = bpf_htonl(0xffff);
		addr->w[3] = v4;
		return;
	}
	addr->w[0] = ops->local_ip6[0];
	addr->w[1] = ops->local_ip6[1];
	addr->w[2] = ops->local_ip6[2];
	addr->w[3] = ops->local_ip6[3];
}

/* A socket of mpbpfd's is about to send its SYN: by now it has an address and a port, whichever routes gave it. */
static __always_inline void own_begin(struct bpf_sock_ops *ops)
{
	struct captured *of = ops->sk ? bpf_sk_storage_get(&captured, ops->sk, NULL, 0) : NULL;
	struct own_place place = {};
	__u64 cookie;

	if (!of || !(of->flags & CAPTURED_EXEMPT))
		return;
	cookie = bpf_get_socket_cookie(ops);
	local_place(ops, &place.addr, &place.port);
	bpf_map_update_elem(&own_places, &place, &cookie, BPF_ANY);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* It has connected, or will not. */
static __always_inline void own_end(struct bpf_sock_ops *ops)
{
	struct own_place place = {};
	__u64 *cookie;

	local_place(ops, &place.addr, &place.port);
	cookie = bpf_map_lookup_elem(&own_places, &place);
	if (cookie && *cookie && *cookie == bpf_get_socket_cookie(ops))
		bpf_map_delete_elem(&own_places, &place);
}

static __always_inline void relayed_key_of(struct bpf_sock_ops *ops, const struct captured *of, struct relayed_key *ret)
{
	ret->relay = of->target_port;
	local_place(ops, &ret->addr, &ret->port);
}

/* The first segment is about to go out: only now it has an address and port, by which the relay asks. */
static __always_inline void relayed_begin(struct bpf_sock_ops *ops)
{
	struct captured *of = captured_of(ops->sk);
	struct relayed value = {};
	struct relayed_key key = {};

	if (!of || !(of->flags & CAPTURED_RELAYED))
		return;
	value.cookie = bpf_get_socket_cookie(ops);
	value.original = of->original;
	value.port = of->original_port;
	value.bound = !!(of->flags & CAPTURED_BOUND);
	relayed_key_of(ops, of, &key);
	bpf_map_update_elem(&relayed, &key, &value, BPF_ANY);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/*
 * What the relay has not asked for must not be another connection's that has the port next. One that its client ended in good
 * order goes on without the socket: the relay is still to accept it, and all that was sent with it.
 */
static __always_inline void relayed_end(struct bpf_sock_ops *ops, __u32 before)
{
	struct captured *of = captured_of(ops->sk);
	struct relayed_key key = {};
	struct relayed *value;

	if (!of || !(of->flags & CAPTURED_RELAYED) || before == BPF_TCP_FIN_WAIT2)
		return;
	relayed_key_of(ops, of, &key);
	value = bpf_map_lookup_elem(&relayed, &key);
	if (value && value->cookie == bpf_get_socket_cookie(ops))
		bpf_map_delete_elem(&relayed, &key);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the cookie of a socket, by which its record in `conns` is found. */
#ifndef MPBPF_BPF_COOKIE_H
#define MPBPF_BPF_COOKIE_H

#include "kernel.h"

/*
 * 0: the socket has none yet; that of a guarded one is made when it is put under guard. sk_msg programs cannot ask the kernel
 * for it, and to the others this is cheaper.
 */
static __always_inline __u64 cookie_of(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the listening sockets of endpoints, found where their owners hold them.
 *
 * What a process has open can be taken from it with ptrace's rights alone, which the agent does without; a program may walk
 * the same files and put a socket into a map of sockets. A walk of the connections would not do: before Linux 6.5 it holds a
 * lock that the map takes as well.
 */
#ifndef MPBPF_BPF_LISTENING_H
#define MPBPF_BPF_LISTENING_H

#include "maps.h"

/* An open file. The cookie is there: user space has asked for it. */
static __always_inline void listening_visit(struct file *file)
{
	struct socket *socket;
	struct sock *sk;
	__u64 cookie;
	__u32 *found, place;

	if (!file)
		return;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return;
	sk = socket->sk;
	if (!sk || sk->__sk_common.skc_state != BPF_TCP_LISTEN)
		return;
	cookie = sk->__sk_common.skc_cookie.counter;
	found = bpf_map_lookup_elem(&searches, &cookie);
	if (!found)
		return;
	place = *found;
	if (bpf_map_update_elem(&backends, &place, sk, BPF_ANY) == 0)
		bpf_map_delete_elem(&searches, &cookie);
}

#endif

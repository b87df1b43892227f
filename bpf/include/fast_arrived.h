/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: whether what went past TCP is where its reader finds it. The program says where a message goes, and is over; the kernel
 * moves it then, with no lock of the sender's held (tcp_bpf_send_verdict()).
 */
#ifndef MPBPF_BPF_FAST_ARRIVED_H
#define MPBPF_BPF_FAST_ARRIVED_H

#include "conn.h"
#include "psock.h"

#define O_NONBLOCK 00004000

/* Before accept() there is no file, and nobody who could block; a service that asks for MSG_DONTWAIT each time is unknown. */
static __always_inline bool socket_blocks(const struct tcp_sock *tp)
{
	struct socket *socket = tp->inet_conn.icsk_inet.sk.sk_socket;
	struct file *file;

	if (!socket)
		return true;
	file = socket->file;
	return !file || !(file->f_flags & O_NONBLOCK);
}

/*
 * Whether the client can read all that the service has sent: what went past TCP last is on its way while somebody is in a call on
 * the service's socket. One who waits there in recv() is no sender: with one that blocks, and one call, it is he.
 */
static __always_inline bool response_arrived(const struct conn *conn, const struct tcp_sock *tp)
{
	struct sk_psock *psock;
	__u32 users;

	if (!(conn->sending & SENDING_FAST))
		return true;
	psock = psock_at((__u64)tp);
	if (!psock)
		return true;
	users = psock_users(psock);
	return !users || (users == 1 && socket_blocks(tp) && sock_is_waited_for((__u64)tp));
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what the kernel keeps of a socket in a map of sockets (struct sk_psock), and what can be read of a socket of which only
 * the address is known: one end of a connection looks at the other's.
 *
 * Such a socket is under another's lock, or under none, and may be gone: its memory may be another socket's by then, whose cookie
 * is another. So the cookie is compared behind everything that was read.
 */
#ifndef MPBPF_BPF_PSOCK_H
#define MPBPF_BPF_PSOCK_H

#include "cookie.h"

#define SK_USER_DATA_PSOCK 4UL /* net/sock.h: sk_user_data is a struct sk_psock */
#define SK_USER_DATA_FLAGS 7UL /* the bits of it that are not part of the pointer */

static __always_inline struct sk_psock *psock_at(__u64 sk)
{
	const struct sock *at = (const void *)sk;
	unsigned long data = (unsigned long)BPF_CORE_READ(at, sk_user_data);

	return data & SK_USER_DATA_PSOCK ? (void *)(data & ~SK_USER_DATA_FLAGS) : NULL;
}

/* Whether everything that was put into it has been read, but for what its worker has yet to put there. */
static __always_inline bool psock_is_read(struct sk_psock *psock)
{
	void *end = (void *)psock + bpf_core_field_offset(struct sk_psock, ingress_msg);

	return BPF_CORE_READ(psock, ingress_msg.next) == end;
}

/*
 * How many calls of sendmsg() and recvmsg() on the socket are under way, and runs of its worker (tcp_bpf_sendmsg(),
 * tcp_bpf_recvmsg(), sk_psock_backlog()): each holds a reference, beside the one of the socket itself.
 */
static __always_inline __u32 psock_users(struct sk_psock *psock)
{
	return BPF_CORE_READ(psock, refcnt.refs.counter) - 1;
}

/*
 * Whether some task waits for something to happen to it, now: the one that came last. Who only is to be told, as epoll is, has no
 * task, and no thread need be there that waits for it (init_waitqueue_func_entry()).
 */
static __always_inline bool sock_is_waited_for(__u64 sk)
{
	const struct sock *at = (const void *)sk;
	struct socket_wq *wq = BPF_CORE_READ(at, sk_wq);
	void *head = (void *)wq + bpf_core_field_offset(struct socket_wq, wait.head);
	void *first = wq ? BPF_CORE_READ(wq, wait.head.next) : head;
	struct wait_queue_entry *entry = first - bpf_core_field_offset(struct wait_queue_entry, entry);

	return first != head && BPF_CORE_READ(entry, private);
}

static __always_inline bool sock_is(__u64 sk, __u64 cookie)
{
	const struct sock *at = (const void *)sk;

	return BPF_CORE_READ(at, __sk_common.skc_cookie.counter) == (__s64)cookie;
}

/* Whether its owner wants to hear of the first byte, and not of a number of them (SO_RCVLOWAT): past TCP nobody counts. */
static __always_inline bool sock_wants_each(__u64 sk)
{
	const struct sock *at = (const void *)sk;

	return BPF_CORE_READ(at, sk_rcvlowat) <= 1;
}

/* Whether nobody holds the socket's lock, neither a call of its owner's nor the arrival of a segment. Unknown: false. */
static __always_inline bool sock_is_free(__u64 sk)
{
	const struct sock *at = (const void *)sk;

	if (!bpf_core_field_exists(at->sk_lock.slock.rlock.raw_lock.val))
		return false;
	return !BPF_CORE_READ(at, sk_lock.slock.rlock.raw_lock.val.counter) && !BPF_CORE_READ(at, sk_lock.owned);
}

/*
 * Whether a socket with a verdict program has all of a stream up to `seq` where its owner reads it. A segment is put there under
 * the socket's lock, or by its worker: so the lock is looked at last.
 */
static __always_inline bool sock_has_all(__u64 sk, struct sk_psock *psock, __u32 seq)
{
	const struct tcp_sock *at = (const void *)sk;

	return BPF_CORE_READ(at, rcv_nxt) == seq && !BPF_CORE_READ(at, inet_conn.icsk_inet.sk.sk_receive_queue.qlen) &&
	       !BPF_CORE_READ(psock, ingress_skb.qlen);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: bytes that were taken away from a socket, and that its poll() goes on to announce.
 *
 * What comes before accept() is judged when the service calls recv(). The kernel reads copied_seq before that, and puts it back
 * behind it, so bytes that the program took away meanwhile count as unread for ever: POLLIN at once, and EAGAIN, again
 * and again. Nothing can correct copied_seq; but SO_RCVLOWAT says from how many bytes on there is something to read.
 *
 * sockops sees each segment that leaves the socket. One with bytes, an answer mostly, leaves when that recv() is over.
 */
#ifndef MPBPF_BPF_LAG_H
#define MPBPF_BPF_LAG_H

#include "conn.h"
#include "psock.h"
#include "written.h"

#define SOL_SOCKET 1
#define SO_RCVLOWAT 18

/*
 * Whether the socket has nothing for its service to read; `answers` of the kernel's own may be in the queue that bytes wait in
 * when memory is short. Looked at first: from there they go to the other.
 */
static __always_inline bool lag_nothing_waits(struct tcp_sock *tp, __u32 answers)
{
	unsigned long data = (unsigned long)tp->inet_conn.icsk_inet.sk.sk_user_data;
	struct sk_psock *psock = (void *)(data & ~SK_USER_DATA_FLAGS);

	return (data & SK_USER_DATA_PSOCK) && !tp->inet_conn.icsk_inet.sk.sk_receive_queue.qlen &&
	       BPF_CORE_READ(psock, ingress_skb.qlen) <= answers && psock_is_read(psock);
}

/* So many bytes count as unread that are not there, if none is. */
static __always_inline __u32 lag_of(const struct tcp_sock *tp)
{
	__u32 lag = tp->rcv_nxt - tp->copied_seq;

	return (__s32)lag > 0 ? lag : 0;
}

static __always_inline bool lag_alone(struct tcp_sock *tp, const struct conn *conn)
{
	return lag_nothing_waits(tp,
				 (conn->flags & CONN_REPLIED) && !seq_before(conn->reply_end, conn_written(conn, tp)));
}

/* What SO_RCVLOWAT has to be; conn->lag is what it was raised by before, unless the service has set it since. */
static __always_inline int lag_lowat(const struct tcp_sock *tp, struct conn *conn)
{
	int own = tp->inet_conn.icsk_inet.sk.sk_rcvlowat;
	__u32 before = conn->lag;

	if (before && own > (int)before)
		own -= before;
	conn->lag = lag_of(tp);
	return own + conn->lag;
}

/* BPF_SOCK_OPS_HDR_OPT_LEN_CB: a segment leaves, or is about to be made. */
static __always_inline void lag_settle(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	struct conn *conn;
	__u64 cookie;
	int lowat;

	if (!tp)
		return;
	cookie = bpf_get_socket_cookie(ops);
	conn = bpf_map_lookup_elem(&conns, &cookie);
	/* No bytes are under way, or some wait to be read: the next segment will do. */
	if (!conn || tp->write_seq == tp->snd_una || !lag_alone(tp, conn))
		return;
	if (lag_of(tp) != conn->lag) {
		lowat = lag_lowat(tp, conn);
		bpf_setsockopt(ops, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
	}
	bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
}

/*
 * For a head that is not complete no segment leaves: the agent has all connections of its network namespace walked, and this
 * runs for each, under its lock, so that no recv() is under way.
 */
static __always_inline void lag_visit(struct sock_common *skc)
{
	struct tcp_sock *tp = skc ? bpf_skc_to_tcp_sock(skc) : NULL;
	struct conn *conn;
	__u64 cookie;
	int lowat;

	if (!tp || !lag_of(tp))
		return;
	cookie = bpf_get_socket_cookie(tp);
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn || !lag_alone(tp, conn) || lag_of(tp) == conn->lag)
		return;
	lowat = lag_lowat(tp, conn);
	bpf_setsockopt(tp, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
}

#endif

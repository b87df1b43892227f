/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the fast path: both ends of a connection are on this node, and what one sends is put where the other reads, past TCP.
 *
 * TCP stays: its handshake, its ends, and each message for which the fast path is not open. Order is kept by the rule that one way
 * is taken only when the other is empty. From TCP to the fast path: the other end has all that TCP was given. Back: what
 * went past TCP is where the other end reads before TCP is given anything, since both happen within send(); and the other
 * end's verdict program puts what TCP brings behind it.
 *
 * A sender is not stopped by what its reader has not read. So that is bounded here, and beyond it TCP stops the sender.
 */
#ifndef MPBPF_BPF_FAST_H
#define MPBPF_BPF_FAST_H

#include "conn.h"
#include "psock.h"

#define FAST_QUEUED_MAX (4 * 1024 * 1024) /* bytes that may wait to be read: about what TCP's buffers may grow to, */
#define FAST_QUEUED_MANY (512 * 1024)	  /* and where TCP has given out much memory already */
#define FAST_QUEUED_AGAIN 4		  /* TCP is left again when so small a part of that waits */
#define FAST_MANY_SHARE 8		  /* that is, so small a part of what it has before it begins to save */
#define FAST_SMALL 2048			  /* a message under this costs more than its bytes */
#define FAST_SMALL_MAX 256		  /* so many may have come since the reader had read all */

/*
 * How many bytes may wait to be read at the other end. 0: none, from where on TCP begins to save memory (net.ipv4.tcp_mem): what
 * goes past TCP is counted there too, but where TCP would wait for memory, it is refused. Many connections get less each, as
 * with TCP: a reader who has much before it seems to stand still to whoever sends.
 */
static __always_inline __u32 fast_bound(const struct tcp_sock *tp)
{
	const struct proto *proto = tp->inet_conn.icsk_inet.sk.__sk_common.skc_prot;
	__s64 used = proto->memory_allocated->counter;
	long low = 0;

	if (bpf_probe_read_kernel(&low, sizeof(low), proto->sysctl_mem) || used >= low)
		return 0;
	return used * FAST_MANY_SHARE < low ? FAST_QUEUED_MAX : FAST_QUEUED_MANY;
}

/* Whether `size` more bytes may wait at the other end. Kernels that do not count them: what was sent since it had read all. */
static __always_inline bool fast_has_room(struct fast_way *way, struct sk_psock *psock, __u32 size, __u32 bound,
					  bool open)
{
	if (psock_is_read(psock)) {
		way->queued = 0;
		way->small = 0;
	} else if (bpf_core_field_exists(psock->msg_tot_len)) {
		way->queued = BPF_CORE_READ(psock, msg_tot_len);
	}
	if (size < FAST_SMALL && way->small >= FAST_SMALL_MAX)
		return false;
	return way->queued <= (open ? bound : bound / FAST_QUEUED_AGAIN) && size <= bound - way->queued;
}

static __always_inline void fast_note(struct fast_way *way, __u32 size)
{
	way->queued += size;
	way->small += size < FAST_SMALL;
}

#define SEND_SHUTDOWN 2 /* net/sock.h */

/* Whether the sender may send: TCP asks that itself, and says how it may not. */
static __always_inline bool fast_may_send(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	return !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       (sk->__sk_common.skc_state == BPF_TCP_ESTABLISHED || sk->__sk_common.skc_state == BPF_TCP_CLOSE_WAIT);
}

/*
 * Whether a message of `size` bytes may go past TCP to `to`; tp: its sender. If it does not then, the
 * count of what waits is too high until the reader has read all.
 */
static __always_inline bool fast_enter(struct fast_way *way, const struct fast_end *to, const struct tcp_sock *tp,
				       __u32 size)
{
	__u32 write_seq = tp->write_seq, bound = fast_bound(tp);
	__u64 sk = to->sk, cookie = to->cookie;
	struct sk_psock *psock = psock_at(sk);
	bool open = way->open && way->seq == write_seq;

	way->open = 0;
	if (!psock || !bound || !sock_wants_each(sk) || !fast_may_send(tp))
		return false;
	if (!fast_has_room(way, psock, size, bound, open)) {
		STATS_INC(fast_full);
		return false;
	}
	if (!open && !(sock_has_all(sk, psock, write_seq) && sock_is_free(sk)))
		return false;
	if (!sock_is(sk, cookie))
		return false;
	way->open = 1;
	way->seq = write_seq;
	fast_note(way, size);
	return true;
}

/* Takes the message there. false: the other end is gone. */
static __always_inline bool fast_carry(struct sk_msg_md *msg, void *map, __u64 cookie)
{
	if (bpf_msg_redirect_hash(msg, map, &cookie, BPF_F_INGRESS) != SK_PASS)
		return false;
	STATS_INC(fast_messages);
	return true;
}

#endif

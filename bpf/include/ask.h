/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: handing bytes to the helper.
 *
 * They are copied into the ring buffer and dropped from the socket. A redirect to the helper's socket would need a header in
 * the skb, and the kernel then takes the longer length off its receive sequence: the next short segment would not wake the
 * verdict program. The ring buffer is bounded, keeps the order, and leaves the sequence right.
 */
#ifndef MPBPF_BPF_ASK_H
#define MPBPF_BPF_ASK_H

#include "clients.h"
#include "close.h"

#define ASK_PIECES 16 /* of ASK_LARGE bytes: longer than any skb that TCP merges (17 fragments of 32 KiB) */

#define ASK_RECORD(size)         \
	struct {                 \
		struct ask ask;  \
		__u8 data[size]; \
	}

#define ASK_SUBMIT(size)                                                                        \
	({                                                                                      \
		ASK_RECORD(size) *_r = bpf_ringbuf_reserve(&asks, sizeof(*_r), 0);              \
		int _err = -1;                                                                  \
		if (_r) {                                                                       \
			_r->ask = *ask;                                                         \
			_err = n ? bpf_skb_load_bytes(skb, off, _r->data, within(n, size)) : 0; \
			if (_err)                                                               \
				bpf_ringbuf_discard(_r, BPF_RB_NO_WAKEUP);                      \
			else                                                                    \
				bpf_ringbuf_submit(_r, 0);                                      \
		}                                                                               \
		_err;                                                                           \
	})

/* One record: ask->len bytes of the skb from off. Returns 0 or -1. */
__weak __noinline int ask_submit(struct __sk_buff *skb, struct ask *ask, __u32 off)
{
	__u32 n;

	if (!ask)
		return -1;
	n = ask->len;
	if (n <= ASK_SMALL)
		return ASK_SUBMIT(ASK_SMALL);
	if (n <= ASK_MEDIUM)
		return ASK_SUBMIT(ASK_MEDIUM);
	if (n <= ASK_LARGE)
		return ASK_SUBMIT(ASK_LARGE);
	return -1;
}

/* Whether an agent serves. */
static __always_inline bool ask_served(void)
{
	struct bpf_sock *sk;
	__u32 zero = 0;

	sk = bpf_map_lookup_elem(&helper, &zero);
	if (sk)
		bpf_sk_release(sk);
	return sk;
}

/* And the ring has room for n bytes: its own, and those that other CPUs may be adding. */
static __always_inline bool ask_possible(__u32 n)
{
	return ask_served() && bpf_ringbuf_query(&asks, BPF_RB_AVAIL_DATA) + 2 * n + 4 * ASK_LARGE < MPBPF_ASKS_SIZE;
}

/* What is asked: bytes of an skb, and whose. */
struct asking {
	__u64 cookie;
	__u32 off, len; /* where they stand in the skb */
	__u32 ahead;	/* 1: the gate asks, for TCP does not have them yet; they begin at `seq` */
	__u32 seq;
	__u32 lags; /* 1: taken within a call of the service */
	__u32 held; /* 1: the connection was the helper's when the bytes were looked at; it may have been given back since */
};

/* For the gate: sk_skb has done all that comes before the bytes, and from now on it knows that these are taken. */
static __always_inline bool ask_ahead(struct conn *conn, const struct ask *ask, const struct asking *what)
{
	__u64 front = front_make(what->seq, 0);

	/* The end alone concerns only a helper that has bytes before it. */
	if (conn->state == CONN_HELPER ? conn->helper_epoch != ask->helper_epoch
				       : conn->state == CONN_TUNNEL || !what->len)
		return false;
	return __sync_val_compare_and_swap(&conn->front, front, front_make(what->seq, what->len)) == front;
}

/*
 * The connection is the helper's from here on, and the bytes are under way to it. Returns 0; ASK_CLOSED: they may not be taken, as
 * when the helper has just closed it, on another CPU: what comes behind the end must not begin anew; ASK_TUNNEL: nor need they be,
 * for since they were looked at the helper has given it back, or the service has answered 101.
 */
static __always_inline int ask_enter(struct conn *conn, struct ask *ask, const struct asking *what)
{
	bool open, watched, tunnel;
	__s64 change;

	bpf_spin_lock(&conn->lock);
	watched = conn_watched(conn);
	tunnel = conn->state == CONN_TUNNEL && !what->ahead;
	open = conn->state != CONN_CLOSED && !tunnel && (!what->ahead || ask_ahead(conn, ask, what));
	if (open) {
		ask->first = conn->state != CONN_HELPER;
		if (ask->first) {
			ask->discard = conn->state == CONN_DISCARD;
			ask->request = conn->request;
			conn->helper_epoch = ask->helper_epoch;
		}
		ask->offset = conn->asked;
		conn_become(conn, CONN_HELPER);
		conn->asked += what->len;
	}
	change = conn_watched(conn) - watched; /* ask_ahead() may have changed that too */
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (!open)
		return tunnel ? ASK_TUNNEL : ASK_CLOSED;
	if (ask->first)
		STATS_INC(asked);
	STATS_ADD(asked_bytes, what->len);
	return 0;
}

/*
 * ask_bytes - hand bytes of the skb to the helper; the caller then drops the skb
 *
 * Returns 0; ASK_IMPOSSIBLE: nobody is there to be asked, nothing was done; ASK_BUSY: one connection more is too many; over
 * 0: the source has asked too often, and may again after so many seconds; ASK_CLOSED: not allowed, or the connection was
 * closed because not all could be kept; ASK_TUNNEL: nobody is to be asked, the bytes pass.
 */
__weak __noinline int ask_bytes(struct __sk_buff *skb, struct asking *what)
{
	struct ask ask = { .kind = ASK_BYTES, .lags = what && what->lags };
	struct control *c = control_get();
	__u32 i, off = 0, len;
	struct conn *conn;
	__u64 cookie;
	int refusal;

	if (!what || !c)
		return ASK_IMPOSSIBLE;
	cookie = ask.cookie = what->cookie;
	len = what->len;
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (conn && conn->state == CONN_TUNNEL && !what->ahead)
		return ASK_TUNNEL;
	if (!conn || !ask_possible(len))
		return ASK_IMPOSSIBLE;
	if (!what->held && conn->state != CONN_HELPER) {
		refusal = ask_admit(bucket_source(&conn->remote));
		if (refusal)
			return refusal;
	}
	ask.helper_epoch = READ_ONCE(c->helper_epoch);
	refusal = ask_enter(conn, &ask, what);
	if (refusal)
		return refusal;
	for (i = 0; i < ASK_PIECES && (off < len || !i); i++) {
		ask.len = len - off > ASK_LARGE ? ASK_LARGE : len - off;
		ask.end = what->ahead && off + ask.len == len;
		if (ask_submit(skb, &ask, what->off + off))
			break;
		off += ask.len;
		ask.offset += ask.len;
		ask.first = 0;
	}
	if (off == len)
		return 0;
	STATS_INC(broken);
	ask_close(conn, cookie);
	return ASK_CLOSED;
}

#endif

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

/* Whether an agent serves and the ring has room for n bytes: its own, and those that other CPUs may be adding. */
static __always_inline bool ask_possible(__u32 n)
{
	struct bpf_sock *sk;
	__u32 zero = 0;

	sk = bpf_map_lookup_elem(&helper, &zero);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return bpf_ringbuf_query(&asks, BPF_RB_AVAIL_DATA) + 2 * n + 4 * ASK_LARGE < MPBPF_ASKS_SIZE;
}

/*
 * The connection is the helper's from here on, and `len` bytes more are under way to it. False: the helper has just closed it,
 * on another CPU; what comes behind the end must not begin anew.
 */
static __always_inline bool ask_enter(struct conn *conn, struct ask *ask, __u32 len, __u32 write_seq)
{
	__s64 change = 0;
	bool open;

	bpf_spin_lock(&conn->lock);
	open = conn->state != CONN_CLOSED;
	if (open) {
		ask->first = conn->state != CONN_HELPER;
		if (ask->first) {
			ask->discard = conn->state == CONN_DISCARD;
			ask->request = conn->request;
			conn->helper_epoch = ask->helper_epoch;
		}
		ask->offset = conn->asked;
		change = conn_become(conn, CONN_HELPER);
		conn->asked += len;
		conn->write_seq = write_seq;
	}
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (!open)
		return false;
	if (ask->first)
		STATS_INC(asked);
	STATS_ADD(asked_bytes, len);
	return true;
}

/*
 * ask_bytes - hand all `len` bytes of the skb to the helper; the caller then drops the skb
 *
 * Returns 0; ASK_IMPOSSIBLE: nobody is there to be asked, nothing was done; ASK_BUSY: one connection more is too many; over
 * 0: the source has asked too often, and may again after so many seconds; ASK_CLOSED: the connection is closed, before or
 * because not all bytes could be kept.
 */
__weak __noinline int ask_bytes(struct __sk_buff *skb, __u64 cookie, __u32 len, __u32 write_seq)
{
	struct ask ask = { .cookie = cookie, .kind = ASK_BYTES };
	struct conn *conn = bpf_map_lookup_elem(&conns, &cookie);
	struct control *c = control_get();
	__u32 i, off = 0;
	int refusal;

	if (!c || !conn || !ask_possible(len))
		return ASK_IMPOSSIBLE;
	refusal = conn->state == CONN_HELPER ? 0 : ask_admit(bucket_source(&conn->remote));
	if (refusal)
		return refusal;
	ask.helper_epoch = READ_ONCE(c->helper_epoch);
	if (!ask_enter(conn, &ask, len, write_seq))
		return ASK_CLOSED;
	for (i = 0; i < ASK_PIECES && off < len; i++) {
		ask.len = len - off > ASK_LARGE ? ASK_LARGE : len - off;
		if (ask_submit(skb, &ask, off))
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

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: how far a client's bytes are judged, so that the gate knows whether it may act on those that follow.
 *
 * sk_skb runs under the socket's lock, the gate under none. So sk_skb says that it is at work, and in the end what it has done;
 * in between the gate keeps its hands off. What the gate has taken comes by once more, for the client sends it again: it is told
 * from what is new by its place in the stream alone.
 */
#ifndef MPBPF_BPF_JUDGING_H
#define MPBPF_BPF_JUDGING_H

#include "conn.h"

/* sk_skb begins with the next bytes. Returns conn.front as it was. */
static __always_inline __u64 judging_begin(struct conn *conn)
{
	return __sync_fetch_and_or(&conn->front, FRONT_AT_WORK);
}

/* `len` bytes are dealt with. last: nothing waits behind them, so they end at rcv_nxt. */
static __always_inline void judging_end(struct conn *conn, __u64 front, __u32 len, __u32 last, __u32 rcv_nxt)
{
	__u32 judged = last ? rcv_nxt : (__u32)front, ahead = front_ahead(front);
	__s64 change;

	if (!ahead) {
		__sync_lock_test_and_set(&conn->front, front_make(judged, 0));
		return;
	}
	bpf_spin_lock(&conn->lock);
	change = conn_set_front(conn, front_make(judged, ahead > len ? ahead - len : 0));
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
}

#endif

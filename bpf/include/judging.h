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

#define TRIM_STEP 0xfff /* the most that sk_skb_adjust_room() takes away at a time */
#define TRIM_STEPS 17	/* in all more than a segment is long */

/*
 * TCP queues a segment whole that begins with bytes which it has already, as retransmissions do; its own readers leave those out
 * (tcp_recvmsg_locked(), `offset`). What hands segments to this program does not (tcp_read_skb()): so the first `old` bytes
 * are cut off, or they would reach the service twice. Returns 0, or -1: it cannot be done.
 */
__weak __noinline int judging_trim(struct __sk_buff *skb, __u32 old)
{
	__u32 i, n;

#pragma clang loop unroll(disable)
	for (i = 0; i < TRIM_STEPS && old; i++) {
		n = old > TRIM_STEP ? TRIM_STEP : old;
		if (bpf_skb_adjust_room(skb, -(__s32)n, 0, 0))
			return -1;
		old -= n;
		forget(old);
	}
	return old ? -1 : 0;
}

/*
 * What a client of this machine sends by sendfile() or splice() stays in pages that it may change until the service has copied
 * them, and a veth pair hands such pages on. So what is judged becomes the skb's own first. Returns 0, or -1: memory is short.
 */
static __always_inline int judging_own(struct __sk_buff *skb, __u32 len)
{
	return bpf_skb_pull_data(skb, len) ? -1 : 0;
}

/* sk_skb begins with the next bytes. Returns conn.front as it was. */
static __always_inline __u64 judging_begin(struct conn *conn)
{
	return __sync_fetch_and_or(&conn->front, FRONT_AT_WORK);
}

/* `len` bytes are dealt with, and all up to `judged`. */
static __always_inline void judging_end(struct conn *conn, __u64 front, __u32 len, __u32 judged)
{
	__u32 ahead = front_ahead(front);
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

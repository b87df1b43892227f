/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what slow and hostile clients are held to: how many wait for the helper, how often a source asks it, and how
 * long a request body stands still.
 */
#ifndef MPBPF_BPF_CLIENTS_H
#define MPBPF_BPF_CLIENTS_H

#include "bucket.h"
#include "policy.h"

#define ESTALE 116
#define ASKS_BUCKET 0			    /* bucket_key.limit: no request limit has this id */
#define ASKS_FULL (MPBPF_ASKS_SIZE / 4 * 3) /* the rest of the ring is for connections that the helper has already */

enum ask_refusal { ASK_IMPOSSIBLE = -1, ASK_CLOSED = -2, ASK_BUSY = -3, ASK_TUNNEL = -4 };

/* Counts one request that the helper is given. Returns 0, or after how many seconds the source may ask again. */
static __always_inline int ask_count(const struct policy *policy, __u64 source)
{
	struct bucket_key key = { .limit = ASKS_BUCKET, .who = { source } };
	struct limit limit = { .interval = policy->ask_interval, .burst = policy->ask_burst };
	__u64 wait = BUCKET_TICKS;
	struct bucket *bucket;

	if (!limit.interval)
		return 0;
	bucket = bucket_get(&key);
	if (bucket)
		wait = bucket_take(bucket, &limit, bpf_ktime_get_boot_ns() * BUCKET_TICKS);
	return bucket_seconds(wait);
}

/* The same, for whoever has no policy at hand. source: bucket_source(). */
__weak __noinline int ask_take(__u64 source)
{
	const struct policy *policy = policy_get();

	return policy ? ask_count(policy, source) : 0;
}

/*
 * Whether one more connection of this source may go to the helper. Returns 0, ASK_BUSY, or after how many seconds. Each
 * CPU may let one pass beyond max_waiting, for the connection is counted when it is there.
 */
__weak __noinline int ask_admit(__u64 source)
{
	const struct policy *policy = policy_get();
	struct control *c = control_get();

	if (!policy || !c)
		return 0;
	if (READ_ONCE(c->conns_asking) >= (__s64)policy->max_waiting || READ_ONCE(c->overfull) ||
	    bpf_ringbuf_query(&asks, BPF_RB_AVAIL_DATA) > ASKS_FULL)
		return ASK_BUSY;
	return ask_count(policy, source);
}

/* A piece of a request came, and `body` is what follows. */
static __always_inline void body_moved(struct conn *conn, const struct http1_body *body)
{
	if (body->kind != BODY_NONE)
		conn->moved_at = bpf_ktime_get_coarse_ns();
}

/*
 * A body was found to stand still. A verdict program that runs at this moment may put the state back: then that piece
 * passes, or is dropped, as what it is, and the connection, which is about to be destroyed, is judged on until then.
 */
static __always_inline int body_expire(struct conn *conn, const struct conn_op *op)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__s64 change = 0;
	bool still;

	bpf_spin_lock(&conn->lock);
	still = conn->cookie == op->cookie && (conn->state == CONN_BODY || conn->state == CONN_DISCARD) &&
		conn->moved_at == op->moved_at;
	if (still && op->op == CONN_OP_EXPIRE && !op->dry)
		change = conn_become(conn, CONN_CLOSED);
	else if (still)
		conn->moved_at = op->op == CONN_OP_EXPIRE ? 0 : now;
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
	if (!still)
		return -ESTALE;
	if (op->op == CONN_OP_EXPIRE && op->dry)
		stats_would(REQUEST_TIMEOUT);
	else if (op->op == CONN_OP_EXPIRE)
		stats_reason(REQUEST_TIMEOUT);
	return 0;
}

#endif

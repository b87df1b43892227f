/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: what the helper decided, put into the connection's record under its lock. */
#include "ban.h"
#include "clients.h"
#include "ending.h"
#include "fast_arrived.h"
#include "metrics.h"
#include "replies.h"
#include "written.h"

#define EAGAIN 11
#define ENOENT 2
#define EINVAL 22
#define EDQUOT 122

/* The service has ended HTTP (101): no request may be left that it would not read as one. A dry run closes nothing for it. */
static __always_inline bool conn_strict(const struct conn *conn)
{
	return (conn->flags & CONN_SWITCHED) && !(conn->listener.flags & LISTENER_DRY_RUN);
}

/* Back into the kernel: only when the helper has dealt with every byte that it was given. */
static __always_inline int conn_return(struct conn *conn, const struct conn_op *op, __s64 *change)
{
	if (conn_strict(conn) && op->state != CONN_HEAD && op->state != CONN_TUNNEL)
		return -ESTALE;
	conn->returned = op->taken;
	if (conn->asked != op->taken)
		return -EAGAIN;
	conn->request = op->request;
	conn->moved_at = op->moved_at;
	*change = conn_become(conn, conn->flags & CONN_SWITCHED ? CONN_TUNNEL : op->state);
	return 0;
}

/* gone: the service has closed the connection. Then there is no order to keep, nor anybody to hear of it. */
static __always_inline int conn_apply(struct conn *conn, const struct conn_op *op, __u64 now, __u32 write_seq,
				      bool gone, bool arrived, __s64 *change)
{
	if (op->op == CONN_OP_CLOSE) {
		*change = conn_become(conn, CONN_CLOSED);
		return 0;
	}
	if (conn->state != CONN_HELPER || conn->helper_epoch != op->helper_epoch)
		return -ESTALE;
	if ((op->op == CONN_OP_ALLOW || op->op == CONN_OP_DENY) && conn_strict(conn))
		return -ESTALE;
	if ((op->op == CONN_OP_ALLOW || op->op == CONN_OP_DENY) && gone)
		return 0;
	if ((op->op == CONN_OP_ALLOW || op->op == CONN_OP_DENY) && conn_reply_queued(conn, write_seq))
		return -EAGAIN;
	if ((op->op == CONN_OP_TAKEN || op->op == CONN_OP_RETURN) && !op->answering)
		conn->flags &= ~CONN_ANSWERING;
	switch (op->op) {
	case CONN_OP_ALLOW:
		if (conn_pending(conn, write_seq) >= MPBPF_PIPELINE_MAX && !conn_lost(conn, write_seq))
			return -EAGAIN;
		/* As the policy that it was judged under has it: the rest of the listener is read again with the next head. */
		conn->listener.flags =
			op->dry ? conn->listener.flags | LISTENER_DRY_RUN : conn->listener.flags & ~LISTENER_DRY_RUN;
		metrics_begin(conn, now, !conn_pending(conn, write_seq), op->method, op->prefix, op->host);
		conn_allow(conn, write_seq, op->generation, op->no_body, op->upgrade);
		return 0;
	case CONN_OP_DENY:
		conn_settle(conn, write_seq);
		if (!conn_idle(conn, write_seq) || !arrived)
			return -EAGAIN;
		conn->flags |= CONN_ANSWERING;
		return 0;
	case CONN_OP_TAKEN: conn->returned = op->taken; return 0;
	case CONN_OP_RETURN:
		return op->state == CONN_HEAD || op->state == CONN_BODY || op->state == CONN_DISCARD ||
				       op->state == CONN_TUNNEL
			       ? conn_return(conn, op, change)
			       : -EINVAL;
	default: return -EINVAL;
	}
}

/* What the helper asks and says of clients; a state other than CONN_HELPER is changed here alone. */
static __always_inline void client_update(struct conn *conn, const struct conn_op *in, struct conn_op *op)
{
	int wait;

	if (in->op != CONN_OP_ASK) {
		op->result = body_expire(conn, in);
		return;
	}
	wait = ask_take(bucket_source(&conn->remote));
	op->result = wait ? -EDQUOT : 0;
	op->retry_s = wait;
}

/* Counts a request that is about to pass. Whether it is over a limit; then nothing was counted. */
static __always_inline int conn_count(const struct conn *conn, const struct conn_op *op, struct bucket_run *run)
{
	run->limits = op->limits;
	run->token[0] = op->token[0];
	run->token[1] = op->token[1];
	run->subject = op->subject;
	run->source = conn->remote;
	run->listener = op->listener;
	run->generation = op->generation;
	run->now = bpf_ktime_get_boot_ns() * BUCKET_TICKS;
	return buckets_take(run);
}

/* What the operation tells of requests; a denial's bytes are those of the request that it denies. */
static __always_inline void conn_measure(const struct conn *conn, const struct conn_op *op)
{
	__u32 reason = op->reason;

	if (op->op == CONN_OP_ALLOW)
		metrics_request(conn, 1, 0);
	forget(reason);
	if (op->op != CONN_OP_DENY || reason >= REQUEST_REASON_MAX)
		return;
	metrics_denied(conn, op->method, op->prefix, op->host, reply_status(reason), op->passed,
		       replies[reason].len + REPLY_END_LEN);
}

/*
 * The socket's write_seq is read under the record's lock. Before the service's bytes are written, sk_msg_response takes that
 * lock: what is written was seen by then, or will never be.
 */
static __always_inline void conn_locked(struct conn *conn, struct conn_op *op, const struct tcp_sock *tp)
{
	__u64 now = metrics_timed(conn) ? bpf_ktime_get_boot_ns() : 0;
	__u32 fast_out = READ_ONCE(conn->fast_out);
	bool arrived = !tp || response_arrived(conn, tp);
	__s64 change = 0;
	__u32 write_seq;

	bpf_spin_lock(&conn->lock);
	write_seq = conn->response_seq;
	forget(write_seq); /* clang would make one load of the two */
	if (tp)
		write_seq = conn_written(conn, tp);
	/* What went past TCP since then was not looked at. */
	arrived = arrived && conn->fast_out == fast_out;
	/* The map does not wait for who still looks at a record (conns is not preallocated): it may be another connection's by now. */
	op->result = conn->cookie == op->cookie ? conn_apply(conn, op, now, write_seq, !tp, arrived, &change) : -ENOENT;
	op->out_state = conn->state;
	op->out_lost = conn_lost(conn, write_seq);
	op->pending = conn_pending(conn, write_seq);
	op->out_asked = conn->asked;
	op->out_switched = !!(conn->flags & CONN_SWITCHED);
	op->out_acked = tp ? tp->snd_una + conn->fast_out : 0;
	bpf_spin_unlock(&conn->lock);
	conns_asking_add(change);
}

/* What is counted of an operation that was done. `over`: it is over a limit that is a dry run. */
static __always_inline void conn_count_done(const struct conn *conn, const struct conn_op *op, bool over)
{
	if (op->op == CONN_OP_ALLOW || op->op == CONN_OP_TAKEN)
		stats_would(over ? REQUEST_RATE : op->would);
	if (op->op == CONN_OP_ALLOW)
		conn_unadded(conn);
	/* Closing without an answer is counted under its reason too; REQUEST_ALLOWED, 0, gives none. */
	if (op->op == CONN_OP_ALLOW || op->op == CONN_OP_DENY || (op->op == CONN_OP_CLOSE && op->reason))
		stats_reason(op->reason);
	if (op->op == CONN_OP_DENY)
		ban_note(&conn->remote, op->reason);
	conn_measure(conn, op);
}

static __always_inline void conn_op_out(struct conn_op *op, const struct conn_op *done)
{
	op->result = done->result;
	op->out_state = done->out_state;
	op->out_lost = done->out_lost;
	op->pending = done->pending;
	op->out_asked = done->out_asked;
	op->out_switched = done->out_switched;
	op->out_acked = done->out_acked;
}

/*
 * An XDP program that stands on no interface: the helper runs it with the operation as the packet. A SYSCALL program would take
 * it as its context, but those sleep, and in Linux 6.1 nothing that sleeps may hold a bpf_spin_lock.
 */
SEC("xdp") int conn_update(struct xdp_md *ctx)
{
	struct conn_op *op = (void *)(long)ctx->data;
	struct bpf_sock *sk;
	struct conn_op in;
	struct conn *conn;
	struct bucket_run run = {};

	if ((void *)(op + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	in = *op;
	op->result = -ENOENT;
	conn = bpf_map_lookup_elem(&conns, &in.cookie);
	if (!conn)
		return XDP_PASS;
	/* Of the request before this operation. */
	if (in.op != CONN_OP_DENY && in.passed)
		metrics_request(conn, 0, in.passed);
	if (in.op == CONN_OP_ASK || in.op == CONN_OP_EXPIRE || in.op == CONN_OP_SPARE) {
		client_update(conn, &in, op);
		return XDP_PASS;
	}
	/* Before the lock, under which no function may be called; given back when the request does not pass. */
	if (in.op == CONN_OP_ALLOW && in.limits && conn_count(conn, &in, &run) && !in.dry) {
		op->result = -EDQUOT;
		op->retry_s = run.retry_s;
		return XDP_PASS;
	}
	sk = bpf_map_lookup_elem(&sockets, &in.cookie);
	if (in.op == CONN_OP_FORGET) {
		if (sk)
			bpf_sk_release(sk);
		else if (conn->flags & CONN_ENDED)
			conn_forget(conn, in.cookie);
		op->result = 0;
		return XDP_PASS;
	}
	conn_locked(conn, &in, sk ? bpf_skc_to_tcp_sock(sk) : NULL);
	if (sk)
		bpf_sk_release(sk);
	if (in.result && run.taken)
		buckets_return(&run);
	if (!in.result)
		conn_count_done(conn, &in, run.would || run.retry_s);
	conn_op_out(op, &in);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";

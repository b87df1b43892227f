/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: carrying out what was decided on bytes from a client: they pass, are answered, are taken away, or go to the helper. */
#ifndef MPBPF_BPF_REQUEST_ACT_H
#define MPBPF_BPF_REQUEST_ACT_H

#include "ask.h"
#include "ban.h"
#include "metrics.h"
#include "reply.h"
#include "request.h"

/* Answer here and now. Returns the verdict on the skb, or -1: there is no such answer. */
__weak __noinline int request_answer(struct __sk_buff *skb, struct scratch *s, struct request *rq)
{
	struct conn *conn;
	__u64 cookie;

	if (!s || !rq)
		return -1;
	cookie = rq->cookie;
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn || rq->reason >= REQUEST_REASON_MAX || !conn_idle(conn, rq->write_seq) ||
	    (conn->flags & CONN_ANSWERING) || rq->overtakes)
		return -1;
	if (reply_write(skb, s, rq->reason, rq->len, rq->head))
		return -1;
	stats_reason(rq->reason);
	ban_note(&conn->remote, rq->reason);
	metrics_denied(conn, rq->method, rq->prefix, rq->host, reply_status(rq->reason), rq->len, rq->len);
	conn_settle(conn, rq->write_seq);
	if (!conn_reply_queued(conn, rq->write_seq))
		conn->reply_end = rq->write_seq;
	conn->reply_end += rq->len;
	conn->flags |= CONN_REPLIED;
	if (replies[rq->reason].close) {
		ask_close(conn, cookie);
	} else {
		conn->request = rq->body;
		conn->state = rq->body.kind == BODY_NONE ? CONN_HEAD : CONN_DISCARD;
		body_moved(conn, &rq->body);
	}
	return bpf_sk_redirect_hash(skb, &sockets, &cookie, 0);
}

static __always_inline int request_pass(const struct request *rq, struct conn *conn)
{
	if (rq->allowed) {
		metrics_begin(conn, metrics_timed(conn) ? rq->now : 0, !conn_pending(conn, rq->write_seq), rq->method,
			      rq->prefix, rq->host);
		conn_allow(conn, rq->write_seq, conn->generation, rq->head, rq->upgrade);
		stats_reason(rq->reason);
		stats_would(rq->would);
		conn_unadded(conn);
	}
	if (conn->state == CONN_TUNNEL)
		return SK_PASS;
	metrics_request(conn, rq->allowed, rq->len);
	conn->request = rq->body;
	conn->state = rq->body.kind == BODY_NONE ? CONN_HEAD : CONN_BODY;
	body_moved(conn, &rq->body);
	return SK_PASS;
}

/*
 * Take the skb away from the service. After SK_DROP the kernel wakes the service all the same, and one that blocks in recv()
 * gets EAGAIN, which it has no reason to expect; a redirect that fails wakes nobody. It also ends the kernel's loop over the
 * receive queue, so it must be the last skb there.
 */
static __always_inline int request_swallow(struct __sk_buff *skb, const struct request *rq)
{
	return rq->last ? bpf_sk_redirect_map(skb, &sink, 0, 0) : SK_DROP;
}

static __always_inline int request_drop(struct __sk_buff *skb, const struct request *rq, struct conn *conn)
{
	if (conn->state == CONN_DISCARD) {
		conn->request = rq->body;
		if (rq->body.kind == BODY_NONE)
			conn->state = CONN_HEAD;
		body_moved(conn, &rq->body);
	}
	return request_swallow(skb, rq);
}

/*
 * The helper is needed, and is not there or takes no more on: refusal is what ask_bytes() returned. Then the kernel
 * answers, if it can; not where that would disturb a service that blocks, unless nobody is there to close the connection.
 */
static __always_inline int request_refuse(struct __sk_buff *skb, struct request *rq, struct conn *conn,
					  struct scratch *s, int refusal)
{
	__u32 reason = refusal > 0 ? REQUEST_ASK_RATE : refusal == ASK_BUSY ? REQUEST_BUSY : REQUEST_HELPER_DOWN;
	int action = -1;

	if (conn_is_dry(conn) && (conn->state == CONN_HEAD || conn->state == CONN_BODY)) {
		request_dry(rq, conn, reason);
		return SK_PASS;
	}
	if (!rq->denied || reason != REQUEST_HELPER_DOWN) {
		rq->reason = reason;
		__builtin_memset(&rq->body, 0, sizeof(rq->body));
	}
	if (s && refusal > 0)
		s->retry_s = refusal;
	if (!rq->blocks || reason == REQUEST_HELPER_DOWN)
		action = request_answer(skb, s, rq);
	if (action >= 0)
		return action;
	stats_reason(reason);
	ask_close(conn, rq->cookie);
	return request_swallow(skb, rq);
}

static __always_inline int request_act(struct __sk_buff *skb, struct request *rq, struct conn *conn, struct scratch *s,
				       enum outcome outcome)
{
	int refusal = ASK_IMPOSSIBLE, action;

	if (outcome == OUTCOME_PASS)
		return request_pass(rq, conn);
	if (outcome == OUTCOME_TAKEN)
		return rq->len ? request_swallow(skb, rq) : SK_PASS; /* a FIN, as that which comes by itself */
	if (outcome == OUTCOME_DROP)
		return request_drop(skb, rq, conn);
	if (outcome == OUTCOME_DENY) {
		action = request_answer(skb, s, rq);
		if (action >= 0)
			return action;
		outcome = OUTCOME_ASK; /* too short for the answer, or memory is short */
	}
	if (outcome == OUTCOME_ASK) {
		struct asking what = { .cookie = rq->cookie, .len = rq->len, .lags = rq->lags, .held = rq->held };

		refusal = ask_bytes(skb, &what);
		if (refusal == 0 || refusal == ASK_CLOSED)
			return request_swallow(skb, rq);
		if (refusal == ASK_TUNNEL || conn->state == CONN_TUNNEL)
			return SK_PASS;
		outcome = OUTCOME_UNAVAILABLE;
	}
	if (outcome == OUTCOME_UNAVAILABLE)
		return request_refuse(skb, rq, conn, s, refusal);
	ask_close(conn, rq->cookie);
	return request_swallow(skb, rq);
}

#endif

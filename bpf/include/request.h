/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: bytes from a client on a guarded connection, judged: what passes, what is answered here, what the helper gets.
 *
 * The rule for every path: bytes pass only when the whole skb is judged. Until then no state is changed, so that the helper
 * can be given the skb and the state that it began in.
 */
#ifndef MPBPF_BPF_REQUEST_H
#define MPBPF_BPF_REQUEST_H

#include "fast_allowed.h"
#include "fast_arrived.h"
#include "judging.h"
#include "method.h"
#include "request_head.h"

/*
 * A call and no more: behind a global function the verifier takes what it was given for unknown. Else the constants that each way
 * through a head leaves would keep these ways apart to the end.
 */
__weak __noinline int request_blur(struct request *rq)
{
	return !rq;
}

struct body_run {
	struct __sk_buff *skb;
	struct http1_body body;
	__u32 off, len;
	int result; /* 1: the body ended at off; -1: malformed */
};

#define BODY_STEPS 4096 /* runs of content and framing bytes in one skb; more: the helper */

static long body_step(__u32 i __attribute__((unused)), struct body_run *run)
{
	__u64 n;
	__u8 c;

	if (run->off >= run->len || run->result)
		return 1;
	if (http1_body_plain(&run->body)) {
		n = run->len - run->off;
		if (n > run->body.left)
			n = run->body.left;
		http1_body_skip(&run->body, n);
		run->off += n;
		run->result = run->body.kind == BODY_NONE;
		return 0;
	}
	if (bpf_skb_load_bytes(run->skb, run->off, &c, 1))
		return 1;
	run->off++;
	run->result = http1_chunk_byte(&run->body, c);
	return 0;
}

/*
 * Follow `body` through the skb from off to its end. PASS: the skb ends within or with the body, which is updated; ASK: more
 * than the body is there, or too many pieces; DENY: malformed.
 */
__weak __noinline int body_follow(struct __sk_buff *skb, struct http1_body *body, __u32 off, __u32 len)
{
	struct body_run run = { .skb = skb, .off = off, .len = len };

	if (!body)
		return OUTCOME_ASK;
	if (body->kind == BODY_NONE)
		return off == len ? OUTCOME_PASS : OUTCOME_ASK;
	run.body = *body;
	/* Content is nobody's business here; where framing stands between, all up to it is copied. */
	if (!(http1_body_plain(body) && body->left >= len - off) && body->kind == BODY_CHUNKED && judging_own(skb, len))
		return OUTCOME_ASK;
	bpf_loop(BODY_STEPS, body_step, &run, 0);
	if (run.result < 0)
		return OUTCOME_DENY;
	if (run.off != len)
		return OUTCOME_ASK;
	*body = run.body;
	return OUTCOME_PASS;
}

/*
 * What a dry run makes of a denial: it is noted, and the request passes. Where framing is unknown, so does all that follows.
 * Bytes that the helper had, and that are gone with it, cannot pass any more.
 */
static __always_inline enum outcome request_dry(struct request *rq, struct conn *conn, __u32 reason)
{
	rq->would = reason;
	rq->reason = REQUEST_OPEN;
	if (reason == REQUEST_BAD || reason == REQUEST_HELPER_DOWN || reason == REQUEST_BUSY ||
	    reason == REQUEST_ASK_RATE) {
		stats_would(reason);
		conn->state = CONN_TUNNEL;
	}
	return OUTCOME_PASS;
}

static __always_inline bool conn_is_dry(const struct conn *conn)
{
	return conn->listener.flags & LISTENER_DRY_RUN;
}

/* The head is judged; now the rest of the skb. A denied request's body is followed too, to be dropped. */
static __always_inline enum outcome head_rest(struct __sk_buff *skb, struct request *rq, const struct http1 *h,
					      enum outcome outcome)
{
	int rest;

	rq->head = h->method == HTTP1_METHOD_HEAD;
	if (outcome == OUTCOME_DENY && rq->reason == REQUEST_BAD)
		return outcome;
	http1_body_of(h, &rq->body);
	rest = body_follow(skb, &rq->body, h->head_len, rq->len);
	if (rest == OUTCOME_ASK)
		return OUTCOME_ASK;
	if (rest == OUTCOME_DENY) {
		rq->reason = REQUEST_BAD;
		return OUTCOME_DENY;
	}
	rq->upgrade = !!(h->flags & HTTP1_WEBSOCKET);
	return outcome;
}

/* Of the head at the start of the buffer. Global: its branches would multiply those of its caller. */
__weak __noinline int request_method(struct scratch *s)
{
	return s ? method_of(http1_word(&s->buf, 0)) : METHOD_OTHER;
}

/* A head comes next. */
static __always_inline enum outcome request_head(struct __sk_buff *skb, struct request *rq, struct conn *conn,
						 struct scratch *s)
{
	__u32 n = rq->len > MPBPF_HEAD_MAX ? MPBPF_HEAD_MAX : rq->len;
	struct control *c = control_get();
	enum outcome outcome;

	if (!c)
		return OUTCOME_CLOSE;
	conn_renew(conn, c);
	if (conn->listener.flags & LISTENER_GONE) {
		conn->state = CONN_TUNNEL;
		return OUTCOME_PASS;
	}
	if (!s)
		return OUTCOME_ASK;
	rq->now = bpf_ktime_get_boot_ns();
	if (judging_own(skb, n))
		return OUTCOME_ASK;
	if (!n || bpf_skb_load_bytes(skb, 0, s->buf.b, within(n, MPBPF_HEAD_MAX)))
		return OUTCOME_CLOSE;
	outcome = head_judge(s, conn, c, n, rq);
	rq->method = request_method(s);
	if (outcome != OUTCOME_ASK)
		outcome = head_rest(skb, rq, &s->head, outcome);
	if (outcome == OUTCOME_DENY && conn_is_dry(conn))
		outcome = request_dry(rq, conn, rq->reason);
	rq->allowed = outcome == OUTCOME_PASS && conn->state != CONN_TUNNEL;
	return outcome;
}

/*
 * The body of an allowed or, in CONN_DISCARD, of a denied request is under way. `state` is what it was when the bytes came: what
 * becomes of the connection meanwhile lets no denied one's pass.
 */
static __always_inline enum outcome request_body(struct __sk_buff *skb, struct request *rq, struct conn *conn,
						 __u8 state)
{
	rq->body = conn->request;
	switch (body_follow(skb, &rq->body, 0, rq->len)) {
	case OUTCOME_PASS: return state == CONN_DISCARD ? OUTCOME_DROP : OUTCOME_PASS;
	case OUTCOME_ASK: return OUTCOME_ASK;
	default:
		if (state == CONN_BODY && conn_is_dry(conn))
			return request_dry(rq, conn, REQUEST_BAD);
		/* The service may have part of this request already: no answer of ours can be in order. */
		stats_reason(REQUEST_BAD);
		return OUTCOME_CLOSE;
	}
}

/* Every byte is the helper's; unless the agent is another than the one that was asked: what that one held is gone. */
static __always_inline enum outcome request_helper(struct request *rq, const struct conn *conn)
{
	struct control *c = control_get();

	rq->held = 1;
	return c && conn->helper_epoch == READ_ONCE(c->helper_epoch) ? OUTCOME_ASK : OUTCOME_UNAVAILABLE;
}

/* Nobody looks at what passes, but at whether it may go past TCP still. */
static __always_inline enum outcome request_tunnel(struct conn *conn)
{
	struct control *c = control_get();

	if (c)
		conn_renew(conn, c);
	return OUTCOME_PASS;
}

/*
 * What has been dealt with before is no part of the skb; all of it, when it comes again for its FIN alone. Returns 0, or -1: what is
 * new cannot be told from it. Global, as request_blur().
 */
__weak __noinline int request_trim(struct __sk_buff *skb, struct request *rq)
{
	__u32 old;

	if (!rq)
		return -1;
	old = (__u32)rq->front - rq->seq;
	if (likely((__s32)old <= 0))
		return 0;
	if (judging_trim(skb, old < rq->len ? old : rq->len))
		return -1;
	rq->seq += old;
	rq->len -= old < rq->len ? old : rq->len;
	return 0;
}

static __always_inline enum outcome request_decide(struct __sk_buff *skb, struct request *rq, struct conn *conn,
						   struct scratch *s)
{
	__u8 state = READ_ONCE(conn->state);

	/*
	 * What went past TCP is not there yet, and its sender has sent this behind it: then it would have said so (fast_settle()). So
	 * it is forged, or two threads send at once.
	 */
	if (rq->front & (FRONT_AT_WORK | FRONT_FAST))
		return OUTCOME_CLOSE;
	if (request_trim(skb, rq))
		return OUTCOME_CLOSE;
	if (!rq->len)
		return OUTCOME_TAKEN;
	/* Nothing can come behind what the gate takes, but from a client whose stream has two ends. */
	if (front_ahead(rq->front))
		return rq->len <= front_ahead(rq->front) ? OUTCOME_TAKEN : OUTCOME_CLOSE;
	switch (state) {
	case CONN_HEAD: return request_head(skb, rq, conn, s);
	case CONN_BODY:
	case CONN_DISCARD: return request_body(skb, rq, conn, state);
	case CONN_HELPER: return request_helper(rq, conn);
	case CONN_TUNNEL: return request_tunnel(conn);
	default: return OUTCOME_DROP;
	}
}

/*
 * Whether an answer of the kernel's own is with the worker still. What passes now would be put behind it there (sk_psock_verdict_apply())
 * and come to the service late: after a reset, say, of which recv() tells first. A service that reads on then, as nginx does, would
 * take the body of a request that it has given up for a request.
 */
static __always_inline bool request_waits(const struct conn *conn, const struct tcp_sock *tp, __u32 write_seq)
{
	struct sk_psock *psock;

	if (!(conn->flags & CONN_REPLIED))
		return false;
	psock = psock_at((__u64)tp);
	return conn_reply_queued(conn, write_seq) || (psock && BPF_CORE_READ(psock, ingress_skb.qlen));
}

/*
 * What was decided, held against what the connection can take now. A denial waits for the responses that are due, and
 * nothing overtakes the kernel's own answer, which a worker thread sends.
 */
static __always_inline enum outcome request_order(struct request *rq, const struct conn *conn,
						  const struct tcp_sock *tp, enum outcome outcome)
{
	/*
	 * The kernel's own answer wakes the service. One that blocks in recv() gets EAGAIN then, and most close the connection,
	 * which takes an answer with it that is not out yet; so there the helper answers, which wakes nobody.
	 */
	rq->denied = outcome == OUTCOME_DENY;
	rq->overtakes = !response_arrived(conn, tp);
	if (outcome != OUTCOME_PASS)
		rq->blocks = socket_blocks(tp);
	if (outcome == OUTCOME_DENY && (rq->blocks || !conn_idle(conn, rq->write_seq) || rq->overtakes))
		outcome = OUTCOME_ASK;
	/* Answers that a client does not read queue up without bound: then the helper waits, and the gate holds the client. */
	if (outcome == OUTCOME_DENY && conn_reply_queued(conn, rq->write_seq) &&
	    conn->reply_end - rq->write_seq > MPBPF_HOLD_MAX)
		outcome = OUTCOME_ASK;
	if (outcome == OUTCOME_PASS && rq->allowed && !conn_lost(conn, rq->write_seq) &&
	    conn_pending(conn, rq->write_seq) >= MPBPF_PIPELINE_MAX)
		outcome = OUTCOME_ASK;
	/* The helper waits until that answer is out. */
	if (outcome == OUTCOME_PASS && rq->allowed && request_waits(conn, tp, rq->write_seq))
		outcome = OUTCOME_ASK;
	if (outcome == OUTCOME_ASK)
		rq->blocks = socket_blocks(tp);
	return outcome;
}

/* Whether it is over a limit; else it has been counted. */
static __always_inline bool request_over_limit(struct request *rq, const struct conn *conn)
{
	rq->count.source = conn->remote;
	rq->count.listener = conn->listener.index;
	rq->count.generation = conn->generation;
	rq->count.now = rq->now * BUCKET_TICKS;
	if (buckets_take(&rq->count))
		return true;
	if (rq->count.would)
		rq->would = REQUEST_RATE;
	return false;
}

/* The last judgement, and the only one that counts: of what is otherwise about to pass. */
static __always_inline enum outcome request_limit(struct request *rq, struct conn *conn, struct scratch *s,
						  const struct tcp_sock *tp, enum outcome outcome)
{
	outcome = request_order(rq, conn, tp, outcome);
	if (outcome != OUTCOME_PASS || !rq->allowed || !rq->count.limits || !s || !request_over_limit(rq, conn))
		return outcome;
	if (conn_is_dry(conn))
		return request_dry(rq, conn, REQUEST_RATE);
	s->retry_s = rq->count.retry_s;
	rq->reason = REQUEST_RATE;
	rq->allowed = 0;
	return request_order(rq, conn, tp, OUTCOME_DENY);
}

#endif

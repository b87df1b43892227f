/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: bytes from a client on a guarded connection. What passes, what is answered here, what the helper gets.
 *
 * The rule for every path: bytes pass only when the whole skb is judged. Until then no state is changed, so that the helper
 * can be given the skb and the state that it began in.
 */
#ifndef MPBPF_BPF_REQUEST_H
#define MPBPF_BPF_REQUEST_H

#include "ask.h"
#include "ban.h"
#include "bucket.h"
#include "judging.h"
#include "method.h"
#include "metrics.h"
#include "reply.h"
#include "siphash.h"

enum outcome {
	OUTCOME_PASS,	     /* to the service */
	OUTCOME_DROP,	     /* the body of a denied request */
	OUTCOME_TAKEN,	     /* the helper has them already */
	OUTCOME_ASK,	     /* the helper judges */
	OUTCOME_DENY,	     /* an answer with `reason` */
	OUTCOME_UNAVAILABLE, /* the helper is needed and is not there */
	OUTCOME_CLOSE,	     /* nothing sensible can be said any more */
};

/* One skb on its way: what it is, and what was decided. No pointers, so that global functions can take it. */
struct request {
	__u64 cookie;
	__u32 len;
	__u32 write_seq; /* TCP write_seq of the socket now */
	__u32 rcv_nxt;	 /* TCP rcv_nxt of the socket now */
	__u64 front;	 /* conn.front at the start */
	__u32 reason;	 /* enum request_reason: why it passes, or is denied */
	__u32 allowed;	 /* a request begins here, and passes */
	__u32 head;	 /* its method is HEAD */
	__u32 upgrade;
	__u32 last;   /* no received byte follows this skb */
	__u32 blocks; /* the service may block in recv() on this socket */
	__u32 denied; /* `reason` is a denial, whoever gives the answer */
	__u32 would;  /* a denial that a dry run lets pass; 0: none */
	__u8 method;  /* enum method */
	__u8 prefix;  /* path_rule.prefix */
	__u8 pad[2];
	struct bucket_run count; /* what it counts against when it passes */
	__u32 outcome;		 /* enum outcome */
	__u32 pad2;
	struct http1_body body; /* what follows behind this skb, once it is accepted or denied */
};

/*
 * A call and no more: behind a global function the verifier takes what it was given for unknown. Else the constants that each way
 * through a head leaves would keep these ways apart to the end.
 */
__weak __noinline int request_blur(struct request *rq)
{
	return !rq;
}

#define O_NONBLOCK 00004000

/* Before accept() there is no file, and nobody who could block; a service that asks for MSG_DONTWAIT each time is unknown. */
static __always_inline bool request_blocks(const struct tcp_sock *tp)
{
	struct socket *socket = tp->inet_conn.icsk_inet.sk.sk_socket;
	struct file *file;

	if (!socket)
		return true;
	file = socket->file;
	return !file || !(file->f_flags & O_NONBLOCK);
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
	bpf_loop(BODY_STEPS, body_step, &run, 0);
	if (run.result < 0)
		return OUTCOME_DENY;
	if (run.off != len)
		return OUTCOME_ASK;
	*body = run.body;
	return OUTCOME_PASS;
}

/* The rule for the path, or NULL: each stands in `paths` as "/x/" and as "/x" with the terminator (abi.h). */
static __always_inline const struct path_rule *path_rule_of(struct scratch *s, const struct conn *conn)
{
	const struct http1 *h = &s->head;
	__u64 *to = (__u64 *)s->path.path;
	const __u8 *from;
	__u32 i, n = h->path_len;

	for (i = 0; i < MPBPF_PATH_KEY / 8; i++) {
		from = &s->buf.b[HTTP1_AT(h->target_off + 8 * i)];
		forget(from); /* of its alignment */
		to[i] = *(const __u64 *)from;
	}
	if (n < MPBPF_PATH_KEY)
		s->path.path[n++] = 0;
	if (n > MPBPF_PATH_KEY)
		n = MPBPF_PATH_KEY;
	s->path.prefixlen = 64 + 8 * n;
	s->path.generation = conn->generation;
	s->path.rules = conn->listener.rules;
	s->path.pad = 0;
	return bpf_map_lookup_elem(&paths, &s->path);
}

/* Into s->token. Global: verified once, not once for each way to here. */
__weak __noinline int token_hash(struct scratch *s)
{
	struct control *c = control_get();

	if (!s || !c)
		return -1;
	siphash128_at(s->buf.b, s->head.token_off, s->head.token_len, c->hash_key, s->token.hash);
	return 0;
}

/* The cached verdict on the token, its times held against the clock on every hit. */
static __always_inline enum outcome token_judge(struct scratch *s, const struct conn *conn, const struct control *c,
						struct request *rq)
{
	struct verdict *v;
	__s64 now;

	if (token_hash(s))
		return OUTCOME_ASK;
	s->token.auth = conn->listener.auth;
	s->token.pad = 0;
	v = bpf_map_lookup_elem(&verdicts, &s->token);
	now = (__u64)(bpf_ktime_get_boot_ns() + READ_ONCE(c->wall_offset_ns)) / 1000000000;
	if (!v || v->generation != conn->generation || (v->reason != REQUEST_ALLOWED && now >= v->expires)) {
		STATS_INC(misses);
		return OUTCOME_ASK;
	}
	STATS_INC(hits);
	rq->reason = v->reason;
	if (v->reason != REQUEST_ALLOWED)
		return OUTCOME_DENY;
	rq->count.token[0] = s->token.hash[0];
	rq->count.token[1] = s->token.hash[1];
	rq->count.subject = v->subject;
	if (now >= v->not_before && now < v->expires)
		return OUTCOME_PASS;
	rq->reason = REQUEST_EXPIRED;
	return OUTCOME_DENY;
}

static __always_inline enum outcome client_judge(struct scratch *s, const struct conn *conn, const struct control *c,
						 struct request *rq)
{
	rq->reason = REQUEST_OPEN;
	if (!(conn->listener.flags & LISTENER_REQUIRE_AUTH))
		return OUTCOME_PASS;
	rq->reason = REQUEST_NO_TOKEN;
	if (!(s->head.flags & HTTP1_BEARER))
		return OUTCOME_DENY;
	return token_judge(s, conn, c, rq);
}

/* DESIGN's verdict table, in its order, but for limits, which count what passes. rq->reason says why, for PASS and DENY. */
static __always_inline enum outcome head_judge(struct scratch *s, const struct conn *conn, const struct control *c,
					       __u32 n, struct request *rq)
{
	const struct path_rule *rule = NULL;
	enum outcome outcome;
	int result;

	http1_start(&s->head, false);
	result = http1_scan(&s->buf, &s->head, n);
	rq->reason = REQUEST_BAD;
	if (result == HTTP1_BAD)
		return OUTCOME_DENY;
	if (result == HTTP1_MORE || (s->head.flags & HTTP1_ODD) || s->head.method == HTTP1_METHOD_CONNECT)
		return OUTCOME_ASK;
	/* What follows the first '/' tells most paths that have no rule; the path may end there. */
	if (conn->listener.rule_first >> (s->buf.b[HTTP1_AT(s->head.target_off + 1)] & 63) & 1)
		rule = path_rule_of(s, conn);
	rq->prefix = rule ? rule->prefix : 0;
	rq->reason = REQUEST_EXEMPT;
	if (rule && (rule->flags & PATH_EXEMPT))
		return OUTCOME_PASS;
	outcome = client_judge(s, conn, c, rq);
	if (outcome != OUTCOME_PASS)
		return outcome;
	rq->count.limits = rule ? rule->limits : conn->listener.limits;
	if (conn->listener.flags & LISTENER_OVERFULL) {
		rq->reason = REQUEST_PROXY_COUNT;
		return OUTCOME_DENY;
	}
	if (rule && (rule->flags & PATH_UNLICENSED)) {
		rq->reason = REQUEST_FEATURE;
		return OUTCOME_DENY;
	}
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
	conn_refresh(conn, c);
	if (conn->listener.flags & LISTENER_GONE) {
		conn->state = CONN_TUNNEL;
		return OUTCOME_PASS;
	}
	if (!s)
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

/* The body of an allowed or of a denied request is under way. */
static __always_inline enum outcome request_body(struct __sk_buff *skb, struct request *rq, struct conn *conn)
{
	rq->body = conn->request;
	switch (body_follow(skb, &rq->body, 0, rq->len)) {
	case OUTCOME_PASS: return conn->state == CONN_DISCARD ? OUTCOME_DROP : OUTCOME_PASS;
	case OUTCOME_ASK: return OUTCOME_ASK;
	default:
		if (conn->state == CONN_BODY && conn_is_dry(conn))
			return request_dry(rq, conn, REQUEST_BAD);
		/* The service may have part of this request already: no answer of ours can be in order. */
		stats_reason(REQUEST_BAD);
		return OUTCOME_CLOSE;
	}
}

/* Every byte is the helper's; unless the agent is another than the one that was asked: what that one held is gone. */
static __always_inline enum outcome request_helper(const struct conn *conn)
{
	struct control *c = control_get();

	return c && conn->helper_epoch == READ_ONCE(c->helper_epoch) ? OUTCOME_ASK : OUTCOME_UNAVAILABLE;
}

static __always_inline enum outcome request_decide(struct __sk_buff *skb, struct request *rq, struct conn *conn,
						   struct scratch *s)
{
	/* Nothing can come behind what the gate takes, but from a client whose stream has two ends. */
	if (front_ahead(rq->front))
		return rq->len <= front_ahead(rq->front) ? OUTCOME_TAKEN : OUTCOME_CLOSE;
	switch (conn->state) {
	case CONN_HEAD: return request_head(skb, rq, conn, s);
	case CONN_BODY:
	case CONN_DISCARD: return request_body(skb, rq, conn);
	case CONN_HELPER: return request_helper(conn);
	case CONN_TUNNEL: return OUTCOME_PASS;
	default: return OUTCOME_DROP;
	}
}

/*
 * What was decided, held against what the connection can take now. A denial waits for the responses that are due, and
 * nothing overtakes the kernel's own answer, which a worker thread sends.
 */
static __always_inline enum outcome request_order(struct request *rq, const struct conn *conn, enum outcome outcome)
{
	/*
	 * The kernel's own answer wakes the service. One that blocks in recv() gets EAGAIN then, and most close the connection,
	 * which takes an answer with it that is not out yet; so there the helper answers, which wakes nobody.
	 */
	rq->denied = outcome == OUTCOME_DENY;
	if (outcome == OUTCOME_DENY && (rq->blocks || !conn_idle(conn, rq->write_seq)))
		outcome = OUTCOME_ASK;
	/* Answers that a client does not read queue up without bound: then the helper waits, and the gate holds the client. */
	if (outcome == OUTCOME_DENY && conn_reply_queued(conn, rq->write_seq) &&
	    conn->reply_end - rq->write_seq > MPBPF_HOLD_MAX)
		outcome = OUTCOME_ASK;
	if (outcome == OUTCOME_PASS && rq->allowed && !conn_lost(conn, rq->write_seq) &&
	    conn_pending(conn, rq->write_seq) >= MPBPF_PIPELINE_MAX)
		outcome = OUTCOME_ASK;
	/* The helper waits until that answer is out. */
	if (outcome == OUTCOME_PASS && rq->allowed && conn_reply_queued(conn, rq->write_seq))
		outcome = OUTCOME_ASK;
	return outcome;
}

/* Whether it is over a limit; else it has been counted. */
static __always_inline bool request_over_limit(struct request *rq, const struct conn *conn)
{
	rq->count.source = conn->remote;
	rq->count.listener = conn->listener.index;
	rq->count.generation = conn->generation;
	if (buckets_take(&rq->count))
		return true;
	if (rq->count.would)
		rq->would = REQUEST_RATE;
	return false;
}

/* The last judgement, and the only one that counts: of what is otherwise about to pass. */
static __always_inline enum outcome request_limit(struct request *rq, struct conn *conn, struct scratch *s,
						  enum outcome outcome)
{
	outcome = request_order(rq, conn, outcome);
	if (outcome != OUTCOME_PASS || !rq->allowed || !rq->count.limits || !s || !request_over_limit(rq, conn))
		return outcome;
	if (conn_is_dry(conn))
		return request_dry(rq, conn, REQUEST_RATE);
	s->retry_s = rq->count.retry_s;
	rq->reason = REQUEST_RATE;
	rq->allowed = 0;
	return request_order(rq, conn, OUTCOME_DENY);
}

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
	    (conn->flags & CONN_ANSWERING))
		return -1;
	if (reply_write(skb, s, rq->reason, rq->len, rq->head))
		return -1;
	stats_reason(rq->reason);
	ban_note(&conn->remote, rq->reason);
	metrics_denied(conn, rq->method, rq->prefix, reply_status(rq->reason), rq->len, rq->len);
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
		metrics_begin(conn, metrics_now(conn), !conn_pending(conn, rq->write_seq), rq->method, rq->prefix);
		conn_allow(conn, rq->write_seq, rq->head, rq->upgrade);
		stats_reason(rq->reason);
		stats_would(rq->would);
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
		return request_swallow(skb, rq);
	if (outcome == OUTCOME_DROP)
		return request_drop(skb, rq, conn);
	if (outcome == OUTCOME_DENY) {
		action = request_answer(skb, s, rq);
		if (action >= 0)
			return action;
		outcome = OUTCOME_ASK; /* too short for the answer, or memory is short */
	}
	if (outcome == OUTCOME_ASK) {
		struct asking what = { .cookie = rq->cookie, .len = rq->len };

		refusal = ask_bytes(skb, &what);
		if (refusal == 0 || refusal == ASK_CLOSED)
			return request_swallow(skb, rq);
		outcome = OUTCOME_UNAVAILABLE;
	}
	if (outcome == OUTCOME_UNAVAILABLE)
		return request_refuse(skb, rq, conn, s, refusal);
	ask_close(conn, rq->cookie);
	return request_swallow(skb, rq);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the verdict on a request head: its path, its token, and what else is asked before limits. */
#ifndef MPBPF_BPF_REQUEST_HEAD_H
#define MPBPF_BPF_REQUEST_HEAD_H

#include "bucket.h"
#include "conn.h"
#include "http1_host.h"
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

/* What the cache of verdicts had to say. */
enum cached { CACHED_UNASKED, CACHED, CACHED_NOT };

/* One skb on its way: what it is, and what was decided. No pointers, so that global functions can take it. */
struct request {
	__u64 cookie;
	__u64 now; /* CLOCK_BOOTTIME, ns; of heads */
	__u32 len;
	__u32 write_seq; /* TCP write_seq of the socket now */
	__u32 seq;	 /* TCP sequence number of the skb's first byte */
	__u64 front;	 /* conn.front at the start */
	__u32 reason;	 /* enum request_reason: why it passes, or is denied */
	__u32 allowed;	 /* a request begins here, and passes */
	__u32 head;	 /* its method is HEAD */
	__u32 upgrade;
	__u32 last;		 /* no received byte follows this skb */
	__u32 blocks;		 /* the service may block in recv() on this socket; set unless it passes */
	__u32 overtakes;	 /* what the service has sent may not be with the client yet */
	__u32 denied;		 /* `reason` is a denial, whoever gives the answer */
	__u32 would;		 /* a denial that a dry run lets pass; 0: none */
	__u8 method;		 /* enum method */
	__u8 prefix;		 /* path_rule.prefix */
	__u8 host;		 /* metric_key.host */
	__u8 cached;		 /* enum cached */
	struct bucket_run count; /* what it counts against when it passes */
	__u32 outcome;		 /* enum outcome */
	__u32 lags;		 /* a call of the service holds the socket: see lag.h */
	__u32 held;		 /* the connection was the helper's when these bytes were looked at */
	struct http1_body body;	 /* what follows behind this skb, once it is accepted or denied */
};

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

/* metric_key.host, when hosts are measured on this connection. */
static __always_inline __u8 host_of(struct scratch *s, const struct conn *conn)
{
	__u32 *number;

	if (!(conn->listener.metrics & METRICS_HOST) || !(conn->flags & CONN_MEASURED) ||
	    http1_host(&s->buf, &s->head, &s->host))
		return 0;
	s->host.generation = conn->generation;
	number = bpf_map_lookup_elem(&hosts, &s->host);
	return number ? *number : 0;
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
	now = (__u64)(rq->now + READ_ONCE(c->wall_offset_ns)) / 1000000000;
	if (!v || v->generation != conn->generation || (v->reason != REQUEST_ALLOWED && now >= v->expires)) {
		rq->cached = CACHED_NOT;
		return OUTCOME_ASK;
	}
	rq->cached = CACHED;
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

/* Once for each request: one that is judged where it is sent, and left to TCP, is judged again. */
static __always_inline void token_count(const struct request *rq)
{
	if (rq->cached == CACHED)
		STATS_INC(hits);
	else if (rq->cached == CACHED_NOT)
		STATS_INC(misses);
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
	rq->host = host_of(s, conn);
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
	if (rule && (rule->flags & PATH_UNLICENSED_DRY))
		rq->would = REQUEST_FEATURE;
	return OUTCOME_PASS;
}

#endif

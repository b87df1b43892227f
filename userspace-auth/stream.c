/* SPDX-License-Identifier: MIT */
/* Floor 4: judging and handing back what one connection sends. */
#include "userspace-auth/stream_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "core/clock.h"
#include "core/util.h"
#include "method.h"
#include "replies.h"

int conn_op(struct stream_env *env, uint64_t cookie, struct conn_op *op)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = op, .data_size_in = sizeof(*op), .data_out = op,
		    .data_size_out = sizeof(*op), .repeat = 1);

	op->cookie = cookie;
	op->helper_epoch = env->helper_epoch;
	if (bpf_prog_test_run_opts(env->conn_update, &opts))
		return -errno;
	return opts.retval == XDP_PASS ? op->result : -EPROTO;
}

void stream_mark_closed(struct stream_env *env, uint64_t cookie, enum request_reason reason)
{
	struct conn_op op = { .op = CONN_OP_CLOSE, .reason = reason };

	conn_op(env, cookie, &op);
}

/* The same, and tells how many bytes of the request before passed. */
static int stream_op(struct stream_env *env, struct stream *stream, struct conn_op *op)
{
	op->passed = stream->passed;
	stream->passed = 0;
	return conn_op(env, stream->cookie, op);
}

/* How many of the buffered bytes belong to the body under way; the body is moved on. -EBADMSG: malformed. */
static ssize_t body_run(struct stream *stream)
{
	size_t off = 0;
	uint64_t n;
	int r;

	while (off < stream->len && stream->body.kind != BODY_NONE) {
		if (http1_body_plain(&stream->body)) {
			n = stream->len - off < stream->body.left ? stream->len - off : stream->body.left;
			http1_body_skip(&stream->body, n);
			off += n;
			continue;
		}
		r = http1_chunk_byte(&stream->body, stream->buf[off++]);
		if (r < 0)
			return -EBADMSG;
	}
	return off;
}

/*
 * What cannot be judged any more, for `reason`: on a dry run it passes, with `len` bytes more that found no room, and so does all
 * that follows. STREAM_CLOSE: it must not, or cannot, as where the service does not have what comes before it.
 */
static enum stream_result stream_unjudged(struct stream_env *env, struct stream *stream, enum request_reason reason,
					  const void *data, size_t len)
{
	struct conn_op op = { .op = CONN_OP_TAKEN, .taken = stream->taken, .would = reason };
	struct listener listener;
	struct conn conn;
	int r;

	if (stream->denied || (stream->discard && stream->body.kind != BODY_NONE) ||
	    bpf_map_lookup_elem(env->judge.maps->fd[MAP_CONNS], &stream->cookie, &conn))
		return STREAM_CLOSE;
	r = judge_listener(&env->judge, &conn, &listener);
	if (!stream->tunnel && r != -ENOENT && (r < 0 || !(listener.flags & LISTENER_DRY_RUN)))
		return STREAM_CLOSE;
	if (stream->tunnel || r == -ENOENT)
		op.would = 0; /* counted before, or under no policy at all */
	if (stream_op(env, stream, &op) || stream_pass(env, stream, data, len) < 0)
		return STREAM_CLOSE;
	stream->tunnel = true;
	stream->since = clock_ns(CLOCK_MONOTONIC);
	return STREAM_MORE;
}

static enum stream_result stream_body(struct stream_env *env, struct stream *stream)
{
	ssize_t n = body_run(stream);
	enum stream_result result;

	if (n < 0) {
		result = stream_unjudged(env, stream, REQUEST_BAD, NULL, 0);
		/* The service may have the first part: no answer of ours can be in order. */
		if (result == STREAM_CLOSE)
			stream_mark_closed(env, stream->cookie, REQUEST_BAD);
		return result;
	}
	if (stream->discard)
		stream_take(env, stream, n);
	else if (stream_hand(env, stream, n) < 0)
		return STREAM_CLOSE;
	return STREAM_MORE;
}

/*
 * The answer that the kernel would give, of its natural length, or the rest of it. Returns 0: all of it is out, or -errno;
 * -EAGAIN: the connection's send buffer is full, for the client has yet to read what came before.
 */
static int answer_send(struct stream_env *env, struct stream *stream, enum request_reason reason)
{
	const struct reply *reply = &replies[reason];
	size_t len = reply->len + REPLY_END_LEN;
	char text[REPLY_TEXT_MAX + 8], digits[16];
	ssize_t n;

	memcpy(text, reply->text, reply->len);
	if (reply->retry) {
		snprintf(digits, sizeof(digits), "%*u", REPLY_RETRY_LEN, stream->retry_s);
		memcpy(text + reply->retry - REPLY_RETRY_LEN, digits, REPLY_RETRY_LEN);
	}
	memcpy(text + reply->len, "0\r\n\r\n", REPLY_END_LEN);
	while (stream->answered < len) {
		n = channel_answer(&env->channel, stream->cookie, text + stream->answered, len - stream->answered);
		if (n < 0)
			return n;
		stream->answered += n;
	}
	stream->answered = 0;
	return 0;
}

/*
 * The request at the front is denied, and stays so: no reload changes an answer that is under way. conn: the record of the
 * connection now, in which the service may have sent something unasked that the answer would end up in.
 */
static enum stream_result stream_answer(struct stream_env *env, struct stream *stream, const struct conn *conn)
{
	enum request_reason reason = stream->denied;
	int r;

	if (conn->response.kind == BODY_UNTIL_CLOSE)
		return STREAM_CLOSE;
	r = answer_send(env, stream, reason);
	if (r == -EAGAIN)
		return STREAM_WAIT;
	if (r < 0 || replies[reason].close)
		return STREAM_CLOSE;
	stream->denied = 0;
	http1_body_of(&stream->head, &stream->body);
	stream->discard = true;
	stream_take(env, stream, stream->head.head_len);
	return STREAM_MORE;
}

/* Of the head at the front. */
static uint8_t stream_method(const struct stream *stream)
{
	return stream->len < sizeof(uint64_t) ? METHOD_OTHER
					      : method_of(http1_word((const struct http1_buf *)stream->buf, 0));
}

/*
 * For the responses that are due, as long as the client takes bytes of them: only when that stands still does time run. Looked at
 * once a second, for whoever moves gives its place in the list up.
 */
static enum stream_result stream_wait(struct stream *stream, const struct conn_op *op)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	if (op->out_acked != stream->acked && now - stream->since >= NSEC_PER_SEC) {
		stream->acked = op->out_acked;
		stream->since = now;
	}
	return STREAM_WAIT;
}

/* of: what the request is counted under. */
static enum stream_result stream_deny(struct stream_env *env, struct stream *stream, enum request_reason reason,
				      const struct conn_op *of, const struct conn *conn)
{
	struct conn_op op = { .op = CONN_OP_DENY, .reason = reason, .prefix = of->prefix, .host = of->host };
	int r;

	op.method = stream_method(stream);
	op.passed = replies[reason].close ? 0 : stream->head.head_len;
	r = conn_op(env, stream->cookie, &op);
	if (r == -EAGAIN && !op.out_lost)
		return stream_wait(stream, &op);
	if (r == -EAGAIN)
		stream_mark_closed(env, stream->cookie, reason);
	if (r)
		return STREAM_CLOSE;
	stream->denied = reason;
	return stream_answer(env, stream, conn);
}

/*
 * What passes, or what a dry run lets pass: op->would says why it should not. h: NULL when it could not be read, which only a
 * dry run lets pass.
 */
static enum stream_result stream_allow(struct stream_env *env, struct stream *stream, struct conn_op *op,
				       const struct http1 *h, const struct conn *conn)
{
	int r;

	op->op = CONN_OP_ALLOW;
	op->no_body = h && h->method == HTTP1_METHOD_HEAD;
	op->upgrade = h && (h->flags & HTTP1_WEBSOCKET);
	op->method = stream_method(stream);
	r = stream_op(env, stream, op);
	if (r == -EAGAIN)
		return stream_wait(stream, op);
	if (r == -EDQUOT) {
		stream->retry_s = op->retry_s;
		return stream_deny(env, stream, REQUEST_RATE, op, conn);
	}
	/* Where framing is unknown, all that is here passes, and all that follows. */
	if (r || stream_hand(env, stream, h ? h->head_len : stream->len) < 0)
		return STREAM_CLOSE;
	if (h)
		http1_body_of(h, &stream->body);
	stream->tunnel = !h;
	stream->discard = false;
	return STREAM_MORE;
}

static enum stream_result stream_decide(struct stream_env *env, struct stream *stream, const struct conn *conn,
					const struct listener *listener, const struct judgement *j)
{
	const struct http1 *h = &stream->head;
	bool dry = listener->flags & LISTENER_DRY_RUN;
	struct conn_op op = {
		.reason = j->reason,
		.limits = j->limits,
		.token = { j->token[0], j->token[1] },
		.subject = j->subject,
		.prefix = j->prefix,
		.would = j->would,
		.host = j->host,
		.listener = listener->index,
		.generation = env->judge.maps->control->generation,
		.dry = dry,
	};

	if (j->reason >= REQUEST_BAD && !dry)
		return stream_deny(env, stream, j->reason, &op, conn);
	if (j->reason >= REQUEST_BAD) {
		op.reason = REQUEST_OPEN;
		op.would = j->reason;
	}
	return stream_allow(env, stream, &op, h->result == HTTP1_DONE ? h : NULL, conn);
}

/* No listener of the configuration stands for this connection any more: it is under no policy. */
static enum stream_result stream_unguarded(struct stream_env *env, struct stream *stream)
{
	return stream_hand(env, stream, stream->len) < 0 ? STREAM_CLOSE : STREAM_MORE;
}

/* Each request counts once, however often it is judged; that which the connection came with was counted by the kernel. */
static bool stream_over_asks(struct stream_env *env, struct stream *stream)
{
	struct conn_op op = { .op = CONN_OP_ASK };

	if (stream->counted == stream->heads)
		return stream->over_asks;
	stream->counted = stream->heads;
	stream->over_asks = env->judge.config->clients.asks.enabled && conn_op(env, stream->cookie, &op) == -EDQUOT;
	stream->retry_s = op.retry_s;
	return stream->over_asks;
}

static enum stream_result stream_head(struct stream_env *env, struct stream *stream)
{
	size_t len = stream->len < MPBPF_HELPER_HEAD_MAX ? stream->len : MPBPF_HELPER_HEAD_MAX;
	struct judgement judgement = { .reason = REQUEST_BAD };
	struct listener listener;
	struct http1 *h = &stream->head;
	struct conn conn;
	int r;

	if (bpf_map_lookup_elem(env->judge.maps->fd[MAP_CONNS], &stream->cookie, &conn))
		return STREAM_CLOSE;
	if (stream->denied)
		return stream_answer(env, stream, &conn);
	r = judge_listener(&env->judge, &conn, &listener);
	if (r < 0)
		return r == -ENOENT ? stream_unguarded(env, stream) : STREAM_CLOSE;
	if (!stream->scanned) {
		http1_start(h, false);
		stream->heads++;
	}
	r = http1_resume((struct http1_buf *)stream->buf, h, stream->scanned, len);
	stream->scanned = len;
	if (r == HTTP1_MORE && len < MPBPF_HELPER_HEAD_MAX && !stream->ended)
		return STREAM_MORE;
	if (r == HTTP1_MORE)
		judgement.reason = len < MPBPF_HELPER_HEAD_MAX ? REQUEST_TIMEOUT : REQUEST_TOO_LARGE;
	else if (stream_over_asks(env, stream))
		judgement.reason = REQUEST_ASK_RATE;
	else if (r != HTTP1_BAD)
		judge_head(&env->judge, &listener, (const char *)stream->buf, h, &judgement);
	return stream_decide(env, stream, &conn, &listener, &judgement);
}

/*
 * Tells the kernel how far we are; gives the connection back when nothing is left here. A client that sends as fast as we
 * work would keep us, and what we hand back is not charged to the service's receive buffer: so after a burst we pause,
 * the gate holds the client's packets, and the next turn finds the connection quiet.
 */
static enum stream_result stream_settle(struct stream_env *env, struct stream *stream)
{
	struct conn_op op = { .op = CONN_OP_TAKEN, .taken = stream->taken, .answering = !!stream->denied };
	int r;

	if (!stream->len) {
		op.op = CONN_OP_RETURN;
		op.request = stream->body;
		op.state = stream->body.kind == BODY_NONE ? CONN_HEAD : stream->discard ? CONN_DISCARD : CONN_BODY;
		if (stream->tunnel)
			op.state = CONN_TUNNEL;
		op.moved_at = clock_ns(CLOCK_MONOTONIC_COARSE);
	}
	r = stream_op(env, stream, &op);
	if (r < 0 && r != -EAGAIN)
		return STREAM_CLOSE;
	/* What came meanwhile is no HTTP any more. */
	if (r == -EAGAIN && op.out_switched)
		stream->tunnel = true;
	if (r == -EAGAIN && stream->handed > MPBPF_BURST_MAX) {
		stream->handed = 0;
		return STREAM_WAIT;
	}
	if (r == -EAGAIN)
		return STREAM_MORE; /* more was asked in the meantime; its record is in the ring */
	return op.op == CONN_OP_RETURN ? STREAM_RETURNED : STREAM_MORE;
}

static enum stream_result stream_step(struct stream_env *env, struct stream *stream)
{
	if (stream->tunnel)
		return stream_pass(env, stream, NULL, 0) < 0 ? STREAM_CLOSE : STREAM_MORE;
	return stream->body.kind != BODY_NONE ? stream_body(env, stream) : stream_head(env, stream);
}

enum stream_result stream_run(struct stream_env *env, struct stream *stream)
{
	enum stream_result result = STREAM_MORE;
	unsigned int steps = 0;
	size_t before;

	do {
		before = stream->len;
		if (!before)
			break;
		if (steps++ == STREAM_STEPS)
			result = STREAM_AGAIN;
		else
			result = stream_step(env, stream);
	} while (result == STREAM_MORE && stream->len != before);
	if (result == STREAM_MORE)
		return stream_settle(env, stream);
	if (result != STREAM_CLOSE && stream_settle(env, stream) == STREAM_CLOSE)
		return STREAM_CLOSE;
	return result;
}

void stream_expire(struct stream_env *env, struct stream *stream)
{
	struct conn_op op = { .op = CONN_OP_DENY, .reason = REQUEST_TIMEOUT };

	/* Behind half an answer nothing can be said. */
	if (!stream->denied && !conn_op(env, stream->cookie, &op))
		answer_send(env, stream, REQUEST_TIMEOUT);
}

enum stream_result stream_spare(struct stream_env *env, struct stream *stream, enum request_reason reason,
				const void *data, size_t len)
{
	enum stream_result result = stream_unjudged(env, stream, reason, data, len);

	return result == STREAM_MORE ? stream_settle(env, stream) : result;
}

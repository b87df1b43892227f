/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: bytes that the service sends on a guarded connection. They always pass; what is kept is where the response ends,
 * so that a denial never cuts into it.
 *
 * Positions are TCP sequence numbers, not counts: when the send buffer is full, the program has seen bytes that the service
 * sends again, and a count would run ahead.
 */
#ifndef MPBPF_BPF_RESPONSE_H
#define MPBPF_BPF_RESPONSE_H

#include "close.h"
#include "metrics.h"
#include "scratch.h"

#define RESPONSE_STEPS 4096 /* heads, runs of content and framing bytes in one message */

/*
 * What is known of the responses is worked on in a copy and put back at once under the lock: conn_update reads it from
 * another CPU, and half of it would look like a response that is over.
 */
struct response_run {
	struct sk_msg_md *msg;
	struct conn *conn;
	struct scratch *s;
	struct http1_body body; /* conn->response */
	__u32 anchor;		/* conn->response_seq */
	__u32 answered;		/* conn->answered */
	__u32 seq;		/* of the message's first byte */
	__u32 off, size;	/* how far the message is read */
	__u32 tunnel;		/* HTTP ends here */
	__u32 close;		/* HTTP ends here, and what follows could not be judged */
};

/* From here on nobody knows where a response ends: denials on this connection close it. */
static __always_inline void response_lost(struct response_run *run)
{
	run->body.kind = BODY_UNTIL_CLOSE;
}

/* Copy up to n bytes at off into the buffer. Returns how many, or 0. */
static __always_inline __u32 response_load(struct sk_msg_md *msg, struct http1_buf *buf, __u32 off, __u32 n)
{
	void *data, *end;

	if (bpf_msg_pull_data(msg, off, off + n, 0))
		return 0;
	data = msg->data;
	end = msg->data_end;
	if (end - data < n)
		n = end - data;
	if (!n || bpf_probe_read_kernel(buf->b, within(n, MPBPF_HEAD_MAX), data))
		return 0;
	return n;
}

static __always_inline void response_body(struct response_run *run, const struct http1 *h)
{
	bool no_body = run->conn->no_body >> (run->answered & 63) & 1;
	__u64 bytes = h->head_len;

	run->body.kind = BODY_LENGTH;
	run->body.step = h->status < 200;
	run->body.left = h->head_len;
	run->anchor = run->seq + run->off;
	if (h->status < 200)
		return;
	if (no_body || h->status == 204 || h->status == 304) {
		/* nothing follows */
	} else if (h->flags & HTTP1_CHUNKED) {
		run->off += h->head_len;
		run->anchor += h->head_len;
		run->body.kind = BODY_CHUNKED;
		run->body.step = CHUNK_SIZE;
		run->body.line = 0;
		run->body.left = 0;
	} else if (h->flags & HTTP1_LENGTH) {
		run->body.left += h->content_length;
		bytes = run->body.left;
	} else {
		bytes = run->size - run->off;
		response_lost(run);
	}
	metrics_head(run->conn, run->answered, h->status, bytes, run->anchor);
	if (run->body.kind == BODY_UNTIL_CLOSE)
		metrics_response(run->conn, run->answered);
}

static __always_inline void response_head(struct response_run *run)
{
	__u32 n = run->size - run->off;
	struct http1 *h;

	if (!run->s || run->conn->allowed == run->answered) {
		response_lost(run); /* unasked for (a time-out, say), or no buffer to read it in */
		return;
	}
	h = &run->s->head;
	n = response_load(run->msg, &run->s->buf, run->off, n > MPBPF_HEAD_MAX ? MPBPF_HEAD_MAX : n);
	http1_start(h, true);
	if (!n || http1_scan(&run->s->buf, h, n) != HTTP1_DONE) {
		response_lost(run);
	} else if (h->status == 101) {
		/*
		 * A tunnel, if the last request asked for a WebSocket and nothing else is under way. Any other protocol may
		 * carry requests (h2c does) that nobody would judge.
		 */
		run->tunnel = (run->conn->flags & CONN_UPGRADE) && run->conn->allowed - run->answered == 1;
		run->close = !run->tunnel;
		response_lost(run);
		metrics_head(run->conn, run->answered, h->status, h->head_len, run->seq + run->off);
		metrics_response(run->conn, run->answered);
	} else {
		response_body(run, h);
	}
}

static __always_inline void response_chunk(struct response_run *run)
{
	struct sk_msg_md *msg = run->msg;
	void *data, *end;
	int result = -1;

	if (!bpf_msg_pull_data(msg, run->off, run->off + 1, 0)) {
		data = msg->data;
		end = msg->data_end;
		if (data + 1 <= end)
			result = http1_chunk_byte(&run->body, *(__u8 *)data);
	}
	run->off++;
	run->anchor = run->seq + run->off;
	if (result < 0)
		response_lost(run);
	if (result <= 0)
		return;
	metrics_chunks(run->conn, run->anchor);
	run->body.kind = BODY_LENGTH; /* of which nothing is left */
}

/* An interim response answers nothing. */
static __always_inline void response_over(struct response_run *run)
{
	if (!run->body.step)
		metrics_response(run->conn, run->answered);
}

static long response_step(__u32 i __attribute__((unused)), struct response_run *run)
{
	struct http1_body *body = &run->body;
	__u64 n = run->size - run->off;
	__u32 gone;

	if (run->off >= run->size || body->kind == BODY_UNTIL_CLOSE)
		return 1;
	if (body->kind == BODY_NONE) {
		response_head(run);
	} else if (body->kind == BODY_CHUNKED && body->step != CHUNK_DATA) {
		response_chunk(run);
	} else if (body->kind == BODY_CHUNKED) {
		if (n > body->left)
			n = body->left;
		http1_body_skip(body, n);
		run->off += n;
		run->anchor = run->seq + run->off;
	} else {
		gone = run->seq + run->off - run->anchor;
		if (gone >= body->left) {
			response_over(run);
			run->answered += !body->step;
			body->kind = BODY_NONE;
			body->step = 0;
		} else {
			run->off += n > body->left - gone ? body->left - gone : n;
		}
	}
	return 0;
}

/*
 * Bytes of this message that are not to be read: the kernel's own answer, which its worker sends like a service would, and
 * what was read before and is sent again. And the anchor moves up, so that 32 bits suffice.
 */
static __always_inline void response_resume(struct response_run *run)
{
	__s32 ahead = run->anchor - run->seq;

	if (conn_reply_queued(run->conn, run->seq)) {
		run->off = run->conn->reply_end - run->seq;
	} else if (run->body.kind == BODY_CHUNKED) {
		if (ahead < 0)
			response_lost(run);
		else
			run->off = ahead;
	} else if (run->body.kind == BODY_LENGTH && ahead < 0 && -(__s64)ahead <= (__s64)run->body.left) {
		run->body.left += ahead;
		run->anchor = run->seq;
	}
}

/* The message is read. What it completes counts now: the next one may be long in coming. */
static __always_inline void response_measure(struct response_run *run)
{
	if (run->body.kind == BODY_CHUNKED)
		metrics_chunks(run->conn, run->anchor);
	else if (run->body.kind == BODY_LENGTH && !seq_before(run->seq + run->size, run->anchor) &&
		 run->seq + run->size - run->anchor >= run->body.left)
		response_over(run);
}

static __always_inline void response_commit(const struct response_run *run, __u64 cookie)
{
	struct conn *conn = run->conn;
	bool tunnel = false;

	bpf_spin_lock(&conn->lock);
	conn->response = run->body;
	conn->response_seq = run->anchor;
	conn->answered = run->answered;
	if (run->tunnel && conn->state == CONN_HEAD) {
		conn->state = CONN_TUNNEL;
		tunnel = true;
	}
	bpf_spin_unlock(&conn->lock);
	if (run->close || (run->tunnel && !tunnel))
		ask_close(conn, cookie);
}

#endif

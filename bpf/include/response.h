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
#include "response_piece.h"
#include "written.h"

#define RESPONSE_STEPS 4096	 /* heads, runs of content and framing bytes in one message */
#define RESPONSE_ADDED_MAX 65536 /* more than is added to one message */
#define RESPONSE_SEGMENT 2048	 /* more than a segment costs of the send buffer beside its bytes */

/* The first `len` bytes of a head stand in the buffer. */
static __always_inline void response_headers(struct response_run *run, __u32 len)
{
	const struct conn *conn = run->conn;
	struct heading *heading = &run->s->heading;
	int added;

	if (!conn->listener.headers)
		return;
	heading->off = run->at->off;
	heading->size = run->at->size;
	heading->room = run->at->room;
	heading->generation = conn->generation;
	heading->slot = (conn->generation & 1) * MPBPF_HEADERS_MAX + conn->listener.headers - 1;
	added = headers_add(run->msg, run->s, len);
	if (added < 0)
		run->at->spoilt = 1;
	if (added <= 0)
		return;
	run->at->size += added;
	run->conn->pushed_end = run->s->piece.seq + heading->line_end + added;
	run->conn->sending |= SENDING_PUSHED;
}

static __always_inline void response_body(struct response_run *run, const struct http1 *h)
{
	bool no_body = run->conn->no_body >> (run->at->answered & 63) & 1;
	__u64 bytes = h->head_len + run->s->piece.pushed;
	__u32 end = run->s->piece.seq + h->head_len + run->s->piece.pushed;

	run->at->body.kind = BODY_LENGTH;
	run->at->body.step = h->status < 200;
	run->at->body.left = bytes;
	run->at->anchor = run->s->piece.seq;
	if (h->status < 200)
		return;
	if (no_body || h->status == 204 || h->status == 304) {
		/* nothing follows */
	} else if (h->flags & HTTP1_CHUNKED) {
		run->at->off = end - run->at->seq;
		run->at->anchor = end;
		run->at->body.kind = BODY_CHUNKED;
		run->at->body.step = CHUNK_SIZE;
		run->at->body.line = 0;
		run->at->body.left = 0;
	} else if (h->flags & HTTP1_LENGTH) {
		run->at->body.left += h->content_length;
		bytes = run->at->body.left;
	} else {
		bytes = run->at->size - run->at->off;
		response_last(run);
	}
	metrics_head(run->conn, run->at->answered, h->status, bytes, run->at->anchor, &run->at->now);
	if (run->at->body.kind == BODY_UNTIL_CLOSE)
		metrics_response(run->conn, run->at->answered, &run->at->now);
}

static __always_inline void response_head(struct response_run *run)
{
	__u32 n = run->at->size - run->at->off;
	struct http1 *h;
	int result;

	if (run->conn->allowed == run->at->answered) {
		response_last(run); /* unasked for: a time-out, say */
		return;
	}
	h = &run->s->head;
	if (headers_piece(run->s, run->cookie, run->at->seq + run->at->off, run->conn->sending & SENDING_PIECE)) {
		response_lost(run, response_piece_had(run));
		return;
	}
	n = response_load(run->msg, &run->s->buf, run->at->off, n > MPBPF_HEAD_MAX ? MPBPF_HEAD_MAX : n,
			  run->s->piece.len);
	http1_start(h, true);
	result = n ? http1_scan(&run->s->buf, h, run->s->piece.len + n) : HTTP1_BAD;
	if (result != HTTP1_BAD)
		response_headers(run, run->s->piece.len + n);
	if (result == HTTP1_MORE) {
		response_piece_keep(run, run->s->piece.len + n);
		return;
	}
	response_piece_end(run);
	if (result != HTTP1_DONE) {
		response_lost(run, response_piece_had(run));
	} else if (h->status == 101) {
		/*
		 * A tunnel, if the last request asked for a WebSocket and nothing else is under way. Any other protocol may
		 * carry requests (h2c does) that nobody would judge.
		 */
		run->at->tunnel = (run->conn->flags & CONN_UPGRADE) && run->conn->allowed - run->at->answered == 1;
		run->at->close = !run->at->tunnel;
		response_last(run);
		metrics_head(run->conn, run->at->answered, h->status, h->head_len, run->at->seq + run->at->off,
			     &run->at->now);
		metrics_response(run->conn, run->at->answered, &run->at->now);
	} else {
		response_body(run, h);
	}
}

static __always_inline void response_chunk(struct response_run *run)
{
	struct sk_msg_md *msg = run->msg;
	void *data, *end;
	int result = -1;

	if (!bpf_msg_pull_data(msg, run->at->off, run->at->off + 1, 0)) {
		data = msg->data;
		end = msg->data_end;
		if (data + 1 <= end)
			result = http1_chunk_byte(&run->at->body, *(__u8 *)data);
	}
	run->at->off++;
	run->at->anchor = run->at->seq + run->at->off;
	if (result < 0)
		response_lost(run, true);
	if (result <= 0)
		return;
	metrics_chunks(run->conn, run->at->anchor);
	run->at->body.kind = BODY_LENGTH; /* of which nothing is left */
}

/* An interim response answers nothing. */
static __always_inline void response_over(struct response_run *run)
{
	if (!run->at->body.step)
		metrics_response(run->conn, run->at->answered, &run->at->now);
}

static long response_step(__u32 i __attribute__((unused)), struct response_run *run)
{
	struct http1_body *body = &run->at->body;
	__u64 n = run->at->size - run->at->off;
	__u32 gone;

	if (run->at->off >= run->at->size || body->kind == BODY_UNTIL_CLOSE)
		return 1;
	if (body->kind == BODY_NONE) {
		response_head(run);
	} else if (body->kind == BODY_CHUNKED && body->step != CHUNK_DATA) {
		response_chunk(run);
	} else if (body->kind == BODY_CHUNKED) {
		if (n > body->left)
			n = body->left;
		http1_body_skip(body, n);
		run->at->off += n;
		run->at->anchor = run->at->seq + run->at->off;
	} else {
		gone = run->at->seq + run->at->off - run->at->anchor;
		if (gone >= body->left) {
			response_over(run);
			run->at->answered += !body->step;
			body->kind = BODY_NONE;
			body->step = 0;
		} else {
			run->at->off += n > body->left - gone ? body->left - gone : n;
		}
	}
	return 0;
}

/*
 * Bytes of this message that are not to be read: the kernel's own answer, which its worker sends like a service would, and
 * what was read before and is sent again. And bytes before this message that were not shown: content need not be seen. The
 * anchor moves up with it, so that 32 bits suffice.
 */
static __always_inline void response_resume(struct response_run *run)
{
	__u32 gone = run->at->seq - run->at->anchor;

	if (conn_reply_queued(run->conn, run->at->seq)) {
		run->at->off = run->conn->reply_end - run->at->seq;
	} else if (conn_unseen(run->conn, run->at->seq)) {
		response_lost(run, response_had_head(&run->at->body));
	} else if ((__s32)gone < 0) {
		run->at->off = -gone;
	} else if (run->at->body.kind == BODY_LENGTH && gone <= run->at->body.left) {
		run->at->body.left -= gone;
		run->at->anchor = run->at->seq;
	} else if (run->at->body.kind == BODY_CHUNKED && gone) {
		http1_body_skip(&run->at->body, gone);
		run->at->anchor = run->at->seq;
	}
}

/* The message is read. What it completes counts now: the next one may be long in coming. */
static __always_inline void response_measure(struct response_run *run)
{
	if (run->at->body.kind == BODY_CHUNKED)
		metrics_chunks(run->conn, run->at->anchor);
	else if (run->at->body.kind == BODY_LENGTH && !seq_before(run->at->seq + run->at->size, run->at->anchor) &&
		 run->at->seq + run->at->size - run->at->anchor >= run->at->body.left)
		response_over(run);
}

/* How many bytes the socket surely takes now: its room, and half of what that is good for in segments of one MSS. */
static __always_inline __u32 response_room(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 lowat = tp->notsent_lowat, mss = tp->mss_cache;
	__s64 room = (__s64)sk->sk_sndbuf - sk->sk_wmem_queued, unsent;

	if (!lowat)
		lowat = sk->__sk_common.skc_net.net->ipv4.sysctl_tcp_notsent_lowat;
	unsent = (__s64)lowat - (tp->write_seq - tp->snd_nxt);
	if (unsent < room)
		room = unsent;
	return room > 0 ? (__u64)room / 2 * mss / (mss + RESPONSE_SEGMENT) : 0;
}

/*
 * When the socket takes only a part of what the verdict is for, the kernel keeps the verdict, and without asking lets as many
 * bytes pass by it again: the rest, and whatever the service adds to it. So where the socket may be short of room, the verdict
 * is for half of the message at most: what passes unasked is then bytes that were seen. And that must not come again before
 * they are through: half a segment fits as soon as anything does.
 */
static __always_inline void response_portion(const struct response_run *run, const struct tcp_sock *tp)
{
	__u32 room = response_room(tp), portion = tp->mss_cache / 2, half = (run->at->size + 1) / 2;

	if (portion < room)
		portion = room;
	if (portion > half)
		portion = half;
	/* What was added must be out before the program is run again; it does fit. */
	if ((run->conn->sending & SENDING_PUSHED) && seq_before(run->at->seq + portion, run->conn->pushed_end))
		portion = run->conn->pushed_end - run->at->seq;
	bpf_msg_apply_bytes(run->msg, run->at->body.kind == BODY_UNTIL_CLOSE || run->at->size <= room ? 0 : portion ?: 1);
}

/*
 * The service has answered 101. Under the lock: whether the connection may be a tunnel. What the helper has comes back as one,
 * when all before it is handed on (conn_return()). A dry run closes nothing.
 */
static __always_inline bool response_switch(struct conn *conn, const struct response_at *at)
{
	bool dry = conn->listener.flags & LISTENER_DRY_RUN, tunnel = at->tunnel && conn->allowed - at->answered == 1;

	if (!dry && !(tunnel && (conn->state == CONN_HEAD || conn->state == CONN_HELPER)))
		return false;
	if (conn->state == CONN_HELPER)
		conn->flags |= CONN_SWITCHED;
	else if (conn->state != CONN_CLOSED)
		conn->state = CONN_TUNNEL;
	return true;
}

static __always_inline void response_commit(const struct response_run *run, __u64 cookie)
{
	struct conn *conn = run->conn;
	bool close = false;

	bpf_spin_lock(&conn->lock);
	conn->response = run->at->body;
	conn->response_seq = run->at->anchor;
	conn->answered = run->at->answered;
	if (run->at->tunnel || run->at->close)
		close = !response_switch(conn, run->at);
	bpf_spin_unlock(&conn->lock);
	if (close)
		ask_close(conn, cookie);
}

/* There is no buffer to read the message in. */
static __always_inline void response_unread(struct conn *conn)
{
	STATS_ADD(unadded, response_due(conn, conn->answered, response_had_head(&conn->response)));
	bpf_spin_lock(&conn->lock);
	conn->response.kind = BODY_UNTIL_CLOSE;
	bpf_spin_unlock(&conn->lock);
}

/*
 * A message that the service sends, or the kernel's own answer. fast: all of it goes past TCP, if it goes. Returns what becomes of
 * it.
 */
static __always_inline int response_follow(struct sk_msg_md *msg, struct conn *conn, __u64 cookie,
					   const struct tcp_sock *tp, bool fast)
{
	struct response_run run = { .msg = msg, .conn = conn, .cookie = cookie };
	struct response_at *at;
	__u32 slot = SCRATCHES;
	int verdict;

	if (headers_cut(conn, conn_written(conn, tp))) {
		STATS_INC(broken);
		ask_close(conn, cookie);
		return SK_DROP;
	}
	if (conn->response.kind == BODY_UNTIL_CLOSE)
		return SK_PASS;
	run.s = scratch_claim(&slot);
	if (!run.s) {
		response_unread(conn);
		return SK_PASS;
	}
	run.at = at = &run.s->response;
	at->now = 0;
	at->seq = conn_written(conn, tp);
	at->off = 0;
	at->size = msg->size;
	at->room = fast ? at->size + RESPONSE_ADDED_MAX : conn->listener.headers ? headers_room(tp) : 0;
	at->tunnel = at->spoilt = at->close = at->unadded = 0;
	at->body = conn->response;
	at->anchor = conn->response_seq;
	at->answered = conn->answered;
	response_resume(&run);
	bpf_loop(RESPONSE_STEPS, response_step, &run, 0);
	if (at->off < at->size)
		response_lost(&run, response_had_head(&at->body)); /* more pieces than one message should have */
	response_measure(&run);
	response_commit(&run, cookie);
	STATS_ADD(unadded, at->unadded);
	if (!fast)
		response_portion(&run, tp);
	verdict = at->spoilt ? SK_DROP : SK_PASS;
	scratch_release(slot);
	return verdict;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what a message of the service is read with: the bytes of a head, in whatever messages they come, and when that fails. */
#ifndef MPBPF_BPF_RESPONSE_PIECE_H
#define MPBPF_BPF_RESPONSE_PIECE_H

#include "headers.h"
#include "scratch.h"

/*
 * What is known of the responses is worked on in a copy and put back at once under the lock: conn_update reads it from
 * another CPU, and half of it would look like a response that is over.
 */
struct response_run {
	struct sk_msg_md *msg;
	struct conn *conn;
	struct scratch *s;
	struct response_at
		*at; /* of the scratch buffer: what the verifier knows of a stack, it walks through value by value */
	__u64 cookie;
};

/* The responses that are due and have not had their head read; `had`: that of the one under way has been dealt with. */
static __always_inline __u32 response_due(const struct conn *conn, __u32 answered, bool had)
{
	__u32 due = conn->allowed - answered;

	return conn->listener.headers && due ? due - had : 0;
}

/* Whether the head of the response under way has been read to its end. One of an interim response (1xx) is nobody's. */
static __always_inline bool response_had_head(const struct http1_body *body)
{
	return body->kind != BODY_NONE && !(body->kind == BODY_LENGTH && body->step);
}

/* From here on nobody knows where a response ends: denials on this connection close it, and no head gets headers. */
static __always_inline void response_lost(struct response_run *run, bool had)
{
	if (run->at->body.kind != BODY_UNTIL_CLOSE)
		run->at->unadded += response_due(run->conn, run->at->answered, had);
	run->at->body.kind = BODY_UNTIL_CLOSE;
}

/* It is the last one: it ends with the connection, or what follows is no HTTP. */
static __always_inline void response_last(struct response_run *run)
{
	run->at->body.kind = BODY_UNTIL_CLOSE;
}

/* Copy up to n bytes at off behind the `have` that stand in the buffer. Returns how many, or 0. */
static __always_inline __u32 response_load(struct sk_msg_md *msg, struct http1_buf *buf, __u32 off, __u32 n, __u32 have)
{
	void *data, *end;

	if (bpf_msg_pull_data(msg, off, off + n, 0))
		return 0;
	data = msg->data;
	end = msg->data_end;
	if (end - data < n)
		n = end - data;
	if (!n)
		return 0;
	if (!have)
		return bpf_probe_read_kernel(buf->b, within(n, MPBPF_HEAD_MAX), data) ? 0 : n;
	if (have >= MPBPF_PIECES_SIZE)
		return 0;
	forget(have); /* of the bound, which older verifiers do not see in a copy */
	if (n > MPBPF_PIECES_SIZE)
		n = MPBPF_PIECES_SIZE;
	return bpf_probe_read_kernel(buf->b + (have & (MPBPF_PIECES_SIZE - 1)), within(n, MPBPF_PIECES_SIZE), data) ? 0
														    : n;
}

static __always_inline void response_piece_end(struct response_run *run)
{
	if (!(run->conn->sending & SENDING_PIECE))
		return;
	bpf_map_delete_elem(&pieces, &run->cookie);
	run->conn->sending &= ~SENDING_PIECE;
}

/* Whether it is settled already what is added to the head in the buffer. */
static __always_inline bool response_piece_had(const struct response_run *run)
{
	return run->s->piece.pushed || run->s->piece.unadded;
}

/* `len` bytes of a head that goes on in the next message stand in the buffer. */
static __always_inline void response_piece_keep(struct response_run *run, __u32 len)
{
	struct piece *piece = &run->s->piece;

	piece->len = len;
	if (len > MPBPF_PIECES_SIZE || bpf_probe_read_kernel(piece->b, MPBPF_PIECES_SIZE, run->s->buf.b) ||
	    bpf_map_update_elem(&pieces, &run->cookie, piece, BPF_ANY)) {
		response_lost(run, response_piece_had(run));
		return;
	}
	run->conn->sending |= SENDING_PIECE;
	run->at->off = run->at->size;
	run->at->anchor = run->at->seq + run->at->size;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what a client of this node sends to a guarded service, judged where it is sent.
 *
 * Only what can be settled here and now is: a request that is whole in one message, that follows a complete response, and that
 * is allowed, or denied and answered at once. All else goes by TCP, and is judged at the service's socket as if it came from afar: so
 * nothing is decided here that could not be left to that.
 *
 * A redirect happens when the program is over and the client's socket is unlocked. If a second thread could have its bytes judged, and
 * sent, between the verdict on a request and its arrival, the service would read them in another order than they were judged
 * in. So FRONT_FAST stands in the record until the request is known to have arrived. Whatever else comes meanwhile ends the connection.
 */
#ifndef MPBPF_BPF_REQUEST_FAST_H
#define MPBPF_BPF_REQUEST_FAST_H

#include "fast.h"
#include "fast_allowed.h"
#include "fast_source.h"
#include "request_act.h"

#define FAST_REQUEST_MAX 16384 /* longer ones go by TCP */
#define FAST_BLOCK 64	       /* of an answer are stored at a time; none is as short */

/* A client's message on its way. No pointers, so that global functions can take it. */
struct fast_run {
	struct request rq; /* cookie: of the service's socket */
	__u64 client;	   /* cookie of the sender */
	__u32 written;	   /* what the service gave TCP */
};

/* What the service gave TCP, of whose socket only the address is known. */
static __always_inline __u32 fast_write_seq(const struct fast_end *service)
{
	const struct tcp_sock *at = (const void *)service->sk;

	return BPF_CORE_READ(at, write_seq);
}

/* Whether the request that went past TCP last is with the service. Else nobody can tell: then the connection ends. */
static __always_inline bool fast_arrived(const struct fast_client *client, const struct tcp_sock *tp)
{
	struct sk_psock *psock = psock_at((__u64)tp);

	/* Whoever sent it is back from that call; or nobody but this one is in any. */
	return client->task == bpf_get_current_pid_tgid() || (psock && psock_users(psock) == 1);
}

/* false: it may be under way still. */
static __always_inline bool fast_settle(struct conn *conn, const struct fast_client *client, const struct tcp_sock *tp)
{
	if (!fast_arrived(client, tp))
		return false;
	__sync_fetch_and_and(&conn->front, ~FRONT_FAST);
	return true;
}

/* Whether policy, as it is now, leaves this client its fast path. TCP renews what was read under an older one. */
static __always_inline bool fast_holds(const struct conn *conn)
{
	struct control *c = control_get();

	return c && conn->generation == READ_ONCE(c->generation) && !source_refused(&conn->remote);
}

/* What is no HTTP, or not any more. */
static __always_inline void fast_tunnel(struct sk_msg_md *msg, const struct tcp_sock *tp, struct fast_client *client)
{
	if (fast_enter(&client->up, &client->service, tp, msg->size))
		fast_carry(msg, &sockets, client->service.cookie);
}

/*
 * Takes the place of sk_skb, of which there is nothing to judge as long as TCP brings nothing. Returns false: it is at work, or has been
 * given what the client does not know of.
 */
static __always_inline bool fast_claim(struct conn *conn, __u32 sent)
{
	return __sync_val_compare_and_swap(&conn->front, (__u64)sent, sent | FRONT_AT_WORK) == sent;
}

/* Not of a record that has become another connection's meanwhile. */
static __always_inline void fast_release(struct conn *conn, __u32 sent, __u64 arriving)
{
	__sync_val_compare_and_swap(&conn->front, sent | FRONT_AT_WORK, sent | arriving);
}

/* Whether it can be judged by itself: it follows a complete response. */
static __always_inline bool fast_fits(const struct conn *conn, __u32 written, __u32 len)
{
	return conn->state == CONN_HEAD && len <= FAST_REQUEST_MAX && !(conn->flags & CONN_ANSWERING) &&
	       conn_idle(conn, written) && !conn_reply_queued(conn, written);
}

/* Whether the head in the buffer and what it announces are the whole message. */
static __always_inline bool fast_is_whole(const struct http1 *h, struct http1_body *body, __u32 len)
{
	http1_body_of(h, body);
	if (body->kind == BODY_NONE)
		return h->head_len == len;
	return body->kind == BODY_LENGTH && h->head_len + body->left == len;
}

/*
 * The verdict on the message, which is made one piece first: what it was sent from may change until the service has read it, and
 * of several pieces only some might arrive.
 */
static __always_inline int fast_judge(struct sk_msg_md *msg, const struct conn *conn, const struct control *c,
				      struct scratch *s, struct fast_run *run)
{
	__u32 n, len = msg->size;
	enum outcome outcome;
	void *data, *end;

	if (!len || bpf_msg_pull_data(msg, 0, len, 0))
		return OUTCOME_ASK;
	data = (void *)(long)msg->data;
	end = (void *)(long)msg->data_end;
	n = len > MPBPF_HEAD_MAX ? MPBPF_HEAD_MAX : len;
	if (end - data < len || bpf_probe_read_kernel(s->buf.b, within(n, MPBPF_HEAD_MAX), data))
		return OUTCOME_ASK;
	run->rq.now = bpf_ktime_get_boot_ns();
	outcome = head_judge(s, conn, c, n, &run->rq);
	if (outcome == OUTCOME_ASK || run->rq.reason == REQUEST_BAD || !fast_is_whole(&s->head, &run->rq.body, len))
		return OUTCOME_ASK;
	__builtin_memset(&run->rq.body, 0, sizeof(run->rq.body));
	run->rq.method = request_method(s);
	run->rq.head = s->head.method == HTTP1_METHOD_HEAD;
	run->rq.upgrade = !!(s->head.flags & HTTP1_WEBSOCKET);
	return outcome;
}

/* Lets the request go to the service, if all is as it was when it was judged. */
static __always_inline bool fast_allow(struct conn *conn, struct request *rq, __u64 client)
{
	__u64 begun = metrics_timed(conn) ? rq->now : 0;
	bool fits;

	bpf_spin_lock(&conn->lock);
	fits = conn->client.cookie == client && conn->state == CONN_HEAD && conn_idle(conn, rq->write_seq);
	if (fits) {
		metrics_begin(conn, begun, true, rq->method, rq->prefix, rq->host);
		conn_allow(conn, rq->write_seq, conn->generation, rq->head, rq->upgrade);
	}
	bpf_spin_unlock(&conn->lock);
	if (!fits && rq->count.taken)
		buckets_return(&rq->count);
	if (!fits)
		return false;
	token_count(rq);
	stats_reason(rq->reason);
	stats_would(rq->would);
	conn_unadded(conn);
	metrics_request(conn, 1, rq->len);
	return true;
}

/* Stores FAST_BLOCK bytes of the buffer, from `off` on, at `to`. */
static __always_inline void fast_block(__u8 *to, const struct scratch *s, __u32 off)
{
	const __u8 *from = &s->buf.b[HTTP1_AT(off)];
	__u32 k;

	forget(from); /* of its alignment: clang would make eight loads of one that may be odd */
#pragma unroll
	for (k = 0; k < FAST_BLOCK; k += 8)
		*(__u64 *)(to + k) = *(const __u64 *)(from + k);
}

/* The answer in the place of the request, of the same length. */
__weak __noinline int fast_reply(struct sk_msg_md *msg, struct scratch *s, __u32 reason, __u32 head)
{
	__u32 i, n, len = msg->size;
	__u8 *data, *end;

	if (!s || len > MPBPF_HEAD_MAX || reply_compose(s, reason, len, head))
		return -1;
	data = (void *)(long)msg->data;
	end = (void *)(long)msg->data_end;
	if (end - data < len)
		return -1;
	for (i = 0; i < MPBPF_HEAD_MAX; i += FAST_BLOCK) {
		if (data + i + FAST_BLOCK > end)
			break;
		fast_block(data + i, s, i);
	}
	/* The last ones once more: the length need not be a multiple of that. One under it is refused here. */
	n = (len - FAST_BLOCK) & (MPBPF_HEAD_MAX - 1);
	if (data + n + FAST_BLOCK > end)
		return -1;
	fast_block(data + n, s, n);
	return 0;
}

/* Whether the client's own queue has all that TCP brought, and room. */
static __always_inline bool fast_is_next(const struct tcp_sock *tp, const struct fast_run *run,
					 struct fast_client *client, __u32 len)
{
	struct sk_psock *own = psock_at((__u64)tp);

	return own && sock_has_all((__u64)tp, own, run->written) &&
	       fast_has_room(&client->own, own, len, FAST_QUEUED_MANY, true);
}

/*
 * Answers a denied request where it was sent. Not where that would overtake what the service has sent: if it may be about to put a
 * response into this socket, or TCP about to bring one. Nor where the connection is to be closed behind the answer.
 */
static __always_inline bool fast_deny(struct sk_msg_md *msg, const struct tcp_sock *tp, struct conn *conn,
				      struct scratch *s, struct fast_run *run, struct fast_client *client)
{
	__u64 cookie = run->rq.cookie;
	struct sk_psock *service = psock_at(client->service.sk);
	__u32 reason = run->rq.reason, len = msg->size;

	if (conn_is_dry(conn) || reason >= REQUEST_REASON_MAX || replies[reason].close || !service ||
	    psock_users(service) || !sock_is(client->service.sk, cookie) || len > MPBPF_HEAD_MAX)
		return false;
	if (!fast_is_next(tp, run, client, len) || fast_reply(msg, s, reason, run->rq.head))
		return false;
	/* Its own socket is there; else the answer must not go to the service. */
	if (!fast_carry(msg, &client_sockets, run->client))
		ask_close(conn, cookie);
	STATS_INC(fast_denied);
	token_count(&run->rq);
	stats_reason(reason);
	ban_note(&conn->remote, reason);
	metrics_denied(conn, run->rq.method, run->rq.prefix, run->rq.host, reply_status(reason), len, len);
	return true;
}

/* Whether the request is over a limit; then its answer is a denial, unless that is a dry run. */
static __always_inline int fast_limit(struct fast_run *run, struct conn *conn, struct scratch *s, int outcome)
{
	if (outcome != OUTCOME_PASS || !run->rq.count.limits || !request_over_limit(&run->rq, conn))
		return outcome;
	s->retry_s = run->rq.count.retry_s;
	run->rq.reason = REQUEST_RATE;
	return OUTCOME_DENY;
}

/* Carries the verdict out. Returns whether the message is taken from TCP. */
static __always_inline bool fast_act(struct sk_msg_md *msg, const struct tcp_sock *tp, struct conn *conn,
				     struct scratch *s, struct fast_run *run, struct fast_client *client, int outcome)
{
	if (outcome == OUTCOME_DENY) {
		if (!fast_deny(msg, tp, conn, s, run, client))
			return false;
		fast_note(&client->own, run->rq.len);
		return true;
	}
	if (outcome != OUTCOME_PASS || !fast_allow(conn, &run->rq, run->client))
		return false;
	/* Where that fails the service is gone, which TCP will say. */
	STATS_INC(fast_requests);
	return fast_carry(msg, &sockets, run->rq.cookie);
}

/* A request, if it is one. */
static __always_inline void fast_request(struct sk_msg_md *msg, const struct tcp_sock *tp, struct conn *conn,
					 struct fast_client *client, struct fast_run *run)
{
	__u32 slot = SCRATCHES, sent = tp->write_seq, written = fast_write_seq(&client->service);
	struct control *c = control_get();
	__u64 arriving = 0;
	struct scratch *s;
	int outcome;

	run->rq.len = msg->size;
	run->written = written;
	run->rq.write_seq = written + READ_ONCE(conn->fast_out);
	if (!c || !fast_fits(conn, run->rq.write_seq, run->rq.len) ||
	    !fast_enter(&client->up, &client->service, tp, run->rq.len))
		return;
	if (!fast_claim(conn, sent))
		return;
	/* From here on no answer of the kernel's own is added to what the service has written; until now one may have been. */
	s = run->rq.write_seq == fast_write_seq(&client->service) + READ_ONCE(conn->fast_out) ? scratch_claim(&slot)
											      : NULL;
	if (s) {
		outcome = fast_limit(run, conn, s, fast_judge(msg, conn, c, s, run));
		if (fast_act(msg, tp, conn, s, run, client, outcome) && outcome == OUTCOME_PASS) {
			client->task = bpf_get_current_pid_tgid();
			arriving = FRONT_FAST;
		}
		scratch_release(slot);
	}
	fast_release(conn, sent, arriving);
}

/* A message of the client's. What is not taken past TCP goes by it. */
static __always_inline void fast_send(struct sk_msg_md *msg, const struct tcp_sock *tp, struct conn *conn,
				      struct fast_client *client, struct fast_run *run)
{
	if ((READ_ONCE(conn->front) & FRONT_FAST) && !fast_settle(conn, client, tp)) {
		STATS_INC(broken);
		ask_close(conn, run->rq.cookie); /* where nothing passes any more */
		return;
	}
	if (!fast_holds(conn))
		return;
	if (conn->state == CONN_TUNNEL)
		fast_tunnel(msg, tp, client);
	else
		fast_request(msg, tp, conn, client, run);
}

#endif

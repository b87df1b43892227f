/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the record of a guarded connection: finding it, its listener, and whether its responses are complete. */
#ifndef MPBPF_BPF_CONN_H
#define MPBPF_BPF_CONN_H

#include "http1_body.h"
#include "stats.h"

/* TCP sequence numbers (RFC 9293, section 3.4): a lies before b. */
static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline void addr_set4(struct addr *addr, __be32 ip)
{
	addr->w[0] = 0;
	addr->w[1] = 0;
	addr->w[2] = bpf_htonl(0xffff);
	addr->w[3] = ip;
}

/* The listener for (addr, port) in a generation: its own address, then any IPv4 address, then any address. */
static __always_inline struct listener *listener_find(__u32 generation, const struct addr *addr, __be16 port)
{
	struct listener_key key = { .generation = generation, .port = port, .addr = *addr };
	struct listener *l;

	l = bpf_map_lookup_elem(&listeners, &key);
	if (l)
		return l;
	if (!addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(0xffff)) {
		key.addr.w[3] = 0;
		l = bpf_map_lookup_elem(&listeners, &key);
		if (l)
			return l;
	}
	__builtin_memset(&key.addr, 0, sizeof(key.addr));
	return bpf_map_lookup_elem(&listeners, &key);
}

/*
 * The listener in force, read again after each reload. A connection whose listener is gone from the configuration is under
 * no policy any more, and stays so.
 */
static __always_inline void conn_refresh(struct conn *conn, const struct control *c)
{
	__u32 generation = READ_ONCE(c->generation);
	struct listener *l;

	if (conn->generation == generation)
		return;
	l = listener_find(generation, &conn->local, conn->local_port);
	/* A reload may have happened in between and taken the keys of this generation away. */
	if (!l && generation != READ_ONCE(c->generation)) {
		generation = READ_ONCE(c->generation);
		l = listener_find(generation, &conn->local, conn->local_port);
	}
	if (l)
		conn->listener = *l;
	else
		conn->listener.flags = LISTENER_GONE;
	conn->generation = generation;
}

/* Whether the response under way has been written to its end, up to write_seq, which may be older than response_seq. */
static __always_inline bool conn_response_over(const struct conn *conn, __u32 write_seq)
{
	return conn->response.kind == BODY_LENGTH && !seq_before(write_seq, conn->response_seq) &&
	       write_seq - conn->response_seq >= conn->response.left;
}

/* Allowed requests whose response is not complete. */
static __always_inline __u32 conn_pending(const struct conn *conn, __u32 write_seq)
{
	/* An interim response (1xx, marked by step) answers nothing. */
	__u32 over = conn_response_over(conn, write_seq) && !conn->response.step;

	return conn->allowed - conn->answered - over;
}

/*
 * Whether the service wrote bytes up to write_seq that were not seen, and that may be more than content of the response under
 * way. While a response is due nobody else writes.
 */
static __always_inline bool conn_unseen(const struct conn *conn, __u32 write_seq)
{
	__u64 content = http1_body_plain(&conn->response) ? conn->response.left : 0;

	return seq_before(conn->response_seq, write_seq) && write_seq - conn->response_seq > content &&
	       conn_pending(conn, write_seq);
}

/* The responses' framing was not understood, or not seen, or they end with the connection. */
static __always_inline bool conn_lost(const struct conn *conn, __u32 write_seq)
{
	return conn->response.kind == BODY_UNTIL_CLOSE || conn_unseen(conn, write_seq);
}

/* A request has passed. Where responses are not followed any more, its own will not get the headers that it should have. */
static __always_inline void conn_unadded(const struct conn *conn)
{
	if (conn->response.kind == BODY_UNTIL_CLOSE && conn->listener.headers)
		STATS_INC(unadded);
}

/* Whether an answer given now would come after every response that is due: not lost, and bytes are unseen only while one is. */
static __always_inline bool conn_idle(const struct conn *conn, __u32 write_seq)
{
	return conn->response.kind != BODY_UNTIL_CLOSE && !conn_pending(conn, write_seq);
}

/* The kernel's own last answer is still on its way into the socket, by a worker thread. */
static __always_inline bool conn_reply_queued(const struct conn *conn, __u32 write_seq)
{
	return (conn->flags & CONN_REPLIED) && seq_before(write_seq, conn->reply_end);
}

/*
 * conn.front: the TCP sequence up to which sk_skb has dealt with what the client sent, in the lower half; in the upper half how
 * many bytes behind that the gate has given to the helper before TCP had them, and whether sk_skb, or sk_msg in its place, is at
 * work on any.
 */
#define FRONT_AT_WORK (1ULL << 63)
#define FRONT_FAST (1ULL << 62) /* a request went past TCP, and is perhaps not with the service yet */

static __always_inline __u64 front_make(__u32 judged, __u32 ahead)
{
	return (__u64)ahead << 32 | judged;
}

static __always_inline __u32 front_ahead(__u64 front)
{
	return (front & ~(FRONT_AT_WORK | FRONT_FAST)) >> 32;
}

/* Whether packets of this connection may have to be held. */
static __always_inline bool conn_watched(const struct conn *conn)
{
	return conn->state == CONN_HELPER || (front_ahead(conn->front) && conn->state != CONN_CLOSED);
}

/*
 * The only way into and out of CONN_HELPER, under the lock: conns_asking counts, so that the gate costs nothing while there is
 * no connection to watch. Returns what the caller adds to it when the lock is released.
 */
static __always_inline __s64 conn_become(struct conn *conn, __u8 state)
{
	bool before = conn_watched(conn);

	conn->state = state;
	return conn_watched(conn) - before;
}

/* The same for what the gate has taken. */
static __always_inline __s64 conn_set_front(struct conn *conn, __u64 front)
{
	bool before = conn_watched(conn);

	conn->front = front;
	return conn_watched(conn) - before;
}

static __always_inline void conns_asking_add(__s64 change)
{
	struct control *c = control_get();

	if (c && change)
		__sync_fetch_and_add(&c->conns_asking, change);
}

/*
 * If no response is due, the next one begins at write_seq or later. Called whenever a request is allowed, so that it begins there
 * exactly, or denied, so that the positions that are kept never grow old: two of them can be 2 GiB apart.
 */
static __always_inline void conn_settle(struct conn *conn, __u32 write_seq)
{
	if (!conn_idle(conn, write_seq))
		return;
	conn->answered = conn->allowed;
	conn->response.kind = BODY_NONE;
	conn->response.step = 0;
	conn->response_seq = write_seq;
}

static __always_inline __u64 judged_word(__u32 generation, __u32 from)
{
	union conn_judged judged = { .generation = generation, .from = from };

	return judged.word;
}

/* A request goes to the service, as that generation says. None does before the kernel's own answers are out. */
static __always_inline void conn_allow(struct conn *conn, __u32 write_seq, __u32 generation, bool no_body, bool upgrade)
{
	__u64 bit = 1ULL << (conn->allowed & 63);

	conn_settle(conn, write_seq);
	if (conn->judged.generation != generation)
		WRITE_ONCE(conn->judged.word, judged_word(generation, conn->allowed));
	conn->flags &= ~CONN_REPLIED;
	if (no_body)
		conn->no_body |= bit;
	else
		conn->no_body &= ~bit;
	if (upgrade)
		conn->flags |= CONN_UPGRADE;
	else
		conn->flags &= ~CONN_UPGRADE;
	conn->allowed++;
}

#endif

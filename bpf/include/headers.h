/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: header lines that are added behind the status line of a service's final responses.
 *
 * What is pushed into a message lies on the wire, but not in what the service sends. After a send that is cut short, the kernel
 * takes all that was added off the count of bytes that went out, whether it went out or not: right if the cut lies behind
 * the last byte that was added, else the service sends again what is out already. And it does not show the message that comes
 * next. So nothing is added unless everything up to there is certain to go out (headers_room()).
 */
#ifndef MPBPF_BPF_HEADERS_H
#define MPBPF_BPF_HEADERS_H

#include "bytes.h"
#include "conn.h"
#include "scratch.h"

#define STATUS_LINE_MAX 256	 /* longer ones are left alone */
#define HEADERS_WHOLE_MAX 4096	 /* bytes of a message that are copied for one segment to hold them */
#define HEADERS_BEHIND_MAX 32768 /* bytes of a message that may lie before a head that gets headers */

struct line_search {
	struct scratch *s;
	__u32 end; /* behind the first line feed; 0: none */
};

/* Called by bpf_loop, so that the verifier walks one step; 1 ends it. */
static long headers_word(__u32 i, struct line_search *search)
{
	__u64 feeds = line_feeds(http1_word(&search->s->buf, 8 * i));

	if (!feeds)
		return 0;
	search->end = 8 * i + byte_lowest(feeds) + 1;
	return 1;
}

/* Where the first line in the first n bytes of the buffer ends, its line feed included, or 0. Global: verified once. */
__weak __noinline int headers_line(struct scratch *s, __u32 n)
{
	struct line_search search = { .s = s };

	if (!s)
		return 0;
	bpf_loop(STATUS_LINE_MAX / 8, headers_word, &search, 0);
	return search.end <= n ? search.end : 0;
}

/*
 * Returns `size`, a constant; 0: nothing could be added; -1: bytes were added that could not be written.
 *
 * Before its fix of 2026 (f72eed9b84fb) bpf_msg_push_data() reads what is behind its place from elsewhere, unless that lies in the
 * first piece of the message: so all before it is made one piece. A push leaves three pieces, and the kernel sends each as a
 * segment of its own, which costs more than all else here. So a short message is put together again at once, and the start
 * of a long one; where there is no memory for it, it stays as it is.
 */
static __always_inline int headers_push(struct sk_msg_md *msg, const struct header_block *block, __u32 at, __u32 size)
{
	volatile __u64 *to;
	void *data, *end;
	__u32 i;

	if (at > HEADERS_BEHIND_MAX || bpf_msg_pull_data(msg, 0, at + 1, 0) || bpf_msg_push_data(msg, at, size, 0))
		return 0;
	i = msg->size;
	if (i <= HEADERS_WHOLE_MAX)
		bpf_msg_pull_data(msg, 0, i, 0);
	else if (at + size <= HEADERS_WHOLE_MAX)
		bpf_msg_pull_data(msg, 0, at + size, 0);
	if (bpf_msg_pull_data(msg, at, at + size, 0))
		return -1;
	data = msg->data;
	end = msg->data_end;
	if (data + size > end)
		return -1;
	to = data;
	for (i = 0; i < size / 8; i++)
		to[i] = ((const __u64 *)block->text)[i];
	return size;
}

static __always_inline int headers_push_block(struct sk_msg_md *msg, const struct header_block *block, __u32 at)
{
	switch (block->len) {
	case 128: return headers_push(msg, block, at, 128);
	case 256: return headers_push(msg, block, at, 256);
	case 512: return headers_push(msg, block, at, 512);
	default: return 0;
	}
}

/* Whether it can be put behind the first line, which ends in this message at `at`. */
static __always_inline bool headers_fit(const struct scratch *s, const struct header_block *block, __u32 line, __u32 at)
{
	return line && line >= s->piece.len && block && block->generation == s->heading.generation &&
	       at + MPBPF_HEADERS_SIZE <= s->heading.room;
}

/*
 * Adds what s->heading names to the head of which the first `len` bytes stand in the buffer, s->piece.len of them from earlier
 * messages: as soon as its first line is complete. At the very end of a message nothing can be added; in front of the next
 * then. Headers of another generation are left alone: the reload that brought them is not over, or this connection has not
 * seen it. What goes without is counted, once. Returns how many bytes were added, or as headers_push(). Global, as its branches would multiply those around it.
 */
__weak __noinline int headers_add(struct sk_msg_md *msg, struct scratch *s, __u32 len)
{
	const struct header_block *block;
	__u32 line, at, slot;
	int added = 0;

	if (!s || s->piece.pushed || s->piece.unadded || s->head.status < 200)
		return 0;
	slot = s->heading.slot;
	block = bpf_map_lookup_elem(&headers, &slot);
	line = headers_line(s, len);
	if (!line && len < STATUS_LINE_MAX)
		return 0;
	at = s->heading.off + line - s->piece.len;
	if (line >= s->piece.len && at >= s->heading.size)
		return 0;
	if (headers_fit(s, block, line, at))
		added = headers_push_block(msg, block, at);
	if (added > 0) {
		s->piece.pushed = added;
		s->heading.line_end = line;
	} else if (!added) {
		s->piece.unadded = 1;
		STATS_INC(unadded);
	}
	return added;
}

/*
 * What came of a head in earlier messages, into the buffer; s->piece says how much. seq: of what comes now; kept: there is
 * something. Returns 0, or -1: it does not fit together. Global, for what it leaves is unknown to the verifier, and its
 * callers are the same to it.
 */
__weak __noinline int headers_piece(struct scratch *s, __u64 cookie, __u32 seq, __u32 kept)
{
	struct piece *piece;

	if (!s)
		return -1;
	s->piece.seq = seq;
	s->piece.len = 0;
	s->piece.pushed = 0;
	s->piece.unadded = 0;
	if (!kept)
		return 0;
	piece = bpf_map_lookup_elem(&pieces, &cookie);
	if (!piece)
		return -1;
	/* What is sent again counts once. */
	s->piece.len = seq - piece->seq - piece->pushed;
	s->piece.seq = piece->seq;
	s->piece.pushed = piece->pushed;
	s->piece.unadded = piece->unadded;
	if (s->piece.len > piece->len || s->piece.len >= MPBPF_PIECES_SIZE)
		return -1;
	return bpf_probe_read_kernel(s->buf.b, MPBPF_PIECES_SIZE, piece->b) ? -1 : 0;
}

#define HEADERS_SKB 2304 /* what a buffer of TCP takes of the socket's send buffer beside its bytes, at most */

/*
 * So many bytes, sent now, are certain to find room: TCP looks for some whenever it begins a buffer, of which there are at most
 * two, and one more for every 512 bytes. Each costs HEADERS_SKB, hence the sixth part.
 */
static __always_inline __u32 headers_room(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u32 lowat = tp->notsent_lowat, unsent = tp->write_seq - tp->snd_nxt;
	__s32 queued = sk->sk_wmem_queued, room = sk->sk_sndbuf - queued - 2 * HEADERS_SKB;
	const struct net *net = sk->__sk_common.skc_net.net;

	if (!lowat)
		lowat = net->ipv4.sysctl_tcp_notsent_lowat;
	room = room > 0 ? room / 6 : 0;
	if (!queued && room < (__s32)tp->mss_cache)
		room = tp->mss_cache; /* the first buffer finds room in any case, and holds as much */
	if (unsent >= lowat)
		return 0;
	return (__u32)room < lowat - unsent ? (__u32)room : lowat - unsent;
}

/*
 * Should never be true: whether the send that headers were added to was cut short before their end. What comes now does not fit
 * what is out.
 */
static __always_inline bool headers_cut(struct conn *conn, __u32 write_seq)
{
	bool pushed = conn->sending & SENDING_PUSHED;

	conn->sending &= ~SENDING_PUSHED;
	return pushed && seq_before(write_seq, conn->pushed_end);
}

#endif

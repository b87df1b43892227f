/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: answers that the kernel writes over a denied request, on the socket that it came from.
 *
 * The answer must have exactly the length of the bytes received, for the kernel takes the rewritten length off its receive
 * sequence. Short rests are filled with optional white space behind Content-Length (RFC 9110, section 5.6.3), long ones with
 * a body of spaces, which a response to HEAD must not have.
 */
#ifndef MPBPF_BPF_REPLY_H
#define MPBPF_BPF_REPLY_H

#include "replies.h"
#include "scratch.h"

#define REPLY_FILL_MAX 256  /* spaces in the head; beyond that they go into a body */
#define REPLY_LEN_MAX 99999 /* five digits of Content-Length */
#define REPLY_BLOCK 2048    /* spaces stored at a time, from the second half of the buffer */

/* The buffer all spaces, but for the text of `reason` at its start. Global: verified once, not for each length. */
__weak __noinline int reply_fill(struct scratch *s, __u32 reason)
{
	const struct reply *r;
	volatile __u64 *w;
	__u32 i, rest;

	if (!s || reason >= REQUEST_REASON_MAX)
		return -1;
	r = &replies[reason];
	rest = s->retry_s;
	w = (volatile __u64 *)s->buf.b; /* volatile: clang would call memset and memcpy, which BPF lacks */
#pragma clang loop unroll_count(8)
	for (i = 0; i < MPBPF_HEAD_MAX / 8; i++)
		w[i] = 0x2020202020202020ULL;
	for (i = 0; i < REPLY_TEXT_MAX && i < r->len; i++)
		((volatile __u8 *)s->buf.b)[i] = r->text[i];
	for (i = 0; r->retry && i < REPLY_RETRY_LEN; i++) {
		s->buf.b[HTTP1_AT(r->retry - 1 - i)] = rest || !i ? '0' + rest % 10 : ' ';
		rest /= 10;
	}
	return 0;
}

static __always_inline void reply_crlf2(struct scratch *s, __u32 off)
{
	s->buf.b[HTTP1_AT(off)] = '\r';
	s->buf.b[HTTP1_AT(off + 1)] = '\n';
	s->buf.b[HTTP1_AT(off + 2)] = '\r';
	s->buf.b[HTTP1_AT(off + 3)] = '\n';
}

static __always_inline void reply_digits(struct scratch *s, __u32 off, __u32 n)
{
	s->buf.b[HTTP1_AT(off)] = '0' + n / 10000 % 10;
	s->buf.b[HTTP1_AT(off + 1)] = '0' + n / 1000 % 10;
	s->buf.b[HTTP1_AT(off + 2)] = '0' + n / 100 % 10;
	s->buf.b[HTTP1_AT(off + 3)] = '0' + n / 10 % 10;
	s->buf.b[HTTP1_AT(off + 4)] = '0' + n % 10;
}

struct reply_run {
	struct __sk_buff *skb;
	struct scratch *s;
	__u32 len;
	__u32 failed;
};

/* Bytes behind the first MPBPF_HEAD_MAX: spaces. */
static long reply_rest(__u32 i, struct reply_run *run)
{
	__u32 off = MPBPF_HEAD_MAX + i * REPLY_BLOCK, n;

	if (off >= run->len || run->failed)
		return 1;
	n = run->len - off;
	if (n > REPLY_BLOCK)
		n = REPLY_BLOCK;
	if (bpf_skb_store_bytes(run->skb, off, run->s->buf.b + REPLY_BLOCK, within(n, REPLY_BLOCK), 0))
		run->failed = 1;
	return 0;
}

/*
 * reply_compose - put the answer for `reason`, `len` bytes long, into the buffer, or as much of it as that holds
 *
 * head: the request was HEAD. Returns 0, or -1: no answer of that length exists. What the buffer does not hold is spaces.
 */
static __always_inline int reply_compose(struct scratch *s, __u32 reason, __u32 len, __u32 head)
{
	const struct reply *r;

	if (reason >= REQUEST_REASON_MAX || len > REPLY_LEN_MAX)
		return -1;
	r = &replies[reason];
	if (len < r->len + sizeof("0\r\n\r\n") - 1)
		return -1;
	reply_fill(s, reason);
	if (head || len <= r->len + REPLY_FILL_MAX) {
		if (len > MPBPF_HEAD_MAX)
			return -1;
		s->buf.b[HTTP1_AT(r->len)] = '0';
		reply_crlf2(s, len - 4);
	} else {
		reply_digits(s, r->len, len - r->len - 9);
		reply_crlf2(s, r->len + 5);
	}
	return 0;
}

/* The same in the place of the skb's `len` bytes. Returns 0, or -1: there is none, or memory is short. */
__weak __noinline int reply_write(struct __sk_buff *skb, struct scratch *s, __u32 reason, __u32 len, __u32 head)
{
	struct reply_run run = { .skb = skb, .s = s, .len = len };
	__u32 n;

	if (!s || reply_compose(s, reason, len, head))
		return -1;
	n = len > MPBPF_HEAD_MAX ? MPBPF_HEAD_MAX : len;
	if (bpf_skb_store_bytes(skb, 0, s->buf.b, within(n, MPBPF_HEAD_MAX), 0))
		return -1;
	bpf_loop(REPLY_LEN_MAX / REPLY_BLOCK + 1, reply_rest, &run, 0);
	return run.failed ? -1 : 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: HTTP/1 message heads (RFC 9112), read strictly; the same code in the kernel and in the helper.
 *
 * One pass, no allocation, no memory beyond struct http1. A table gives each byte its classes; `keep` names the class that
 * the present state passes over, every other byte is an event (http1_grammar.h). So the long runs cost little: field text
 * and tokens go by in words of eight bytes, names and paths by a load and a test a byte.
 */
#ifndef MPBPF_BPF_HTTP1_H
#define MPBPF_BPF_HTTP1_H

#include "bytes.h"
#include "http1_grammar.h"

struct http1_run {
	struct http1_buf *buf;
	struct http1 *h;
	__u32 pos, len;
};

#define HTTP1_STRIDE 32	     /* bytes a turn, one by one */
#define HTTP1_TEXT_STRIDE 64 /* the same in words */

/* A bit 7 in each byte that is below `least` (at most 0x80, in every byte) or DEL; exact up to the lowest such byte. */
static __always_inline __u64 http1_control(__u64 w, __u64 least)
{
	__u64 del = w ^ 0x7f7f7f7f7f7f7f7fULL;

	return (((w - least) & ~w) | ((del - 0x0101010101010101ULL) & ~del)) & 0x8080808080808080ULL;
}

/* How many of the next HTTP1_TEXT_STRIDE bytes precede a control character (HTAB is one here) or, in a word, a space. */
static __always_inline __u32 http1_text(const struct http1_buf *buf, __u32 pos, __u8 keep)
{
	__u64 least = keep == HTTP1_TEXT ? 0x2020202020202020ULL : 0x2121212121212121ULL, mask;
	__u32 n;

#pragma GCC unroll 8
	for (n = 0; n < HTTP1_TEXT_STRIDE; n += 8) {
		mask = http1_control(http1_word(buf, pos + n), least);
		if (mask)
			return n + byte_lowest(mask);
	}
	return n;
}

/* How many of the next bytes, at most HTTP1_STRIDE, the class `keep` passes over. */
static __always_inline __u32 http1_kept(const __u8 *p, __u8 keep, __u32 left)
{
	__u32 n;

#pragma GCC unroll 32
	for (n = 0; n < HTTP1_STRIDE; n++)
		if (n >= left || !(http1_class[p[n]] & keep))
			break;
	return n;
}

/* Pass over what the present state keeps, at most a stride, and take the byte that it does not keep. */
static long http1_step(__u32 i __attribute__((unused)), struct http1_run *run)
{
	__u32 pos = run->pos, left = run->len - pos, stride = HTTP1_STRIDE, n;
	__u8 keep = run->h->keep;

	if (pos >= run->len)
		return 1;
	if ((keep == HTTP1_TEXT || keep == HTTP1_WORD_CHAR) && left + HTTP1_BEYOND >= HTTP1_TEXT_STRIDE) {
		stride = HTTP1_TEXT_STRIDE;
		n = http1_text(run->buf, pos, keep);
		if (n > left)
			n = left;
	} else {
		n = http1_kept(&run->buf->b[HTTP1_AT(pos)], keep, left);
	}
	forget(n);
	pos += n;
	if (n < stride && n < left) {
		n = http1_event(run->buf, run->h, pos, run->len);
		if (!n)
			return 1;
		pos += n;
	}
	run->pos = pos;
	return 0;
}

/*
 * http1_resume - go on reading the head at the start of buf; http1_start() comes first
 *
 * from: bytes that were read before; len: bytes there now, at most HTTP1_BUF_MAX. Returns enum http1_result; MORE also when
 * the buffer is too small for the head.
 */
__weak __noinline int http1_resume(struct http1_buf *buf, struct http1 *h, __u32 from, __u32 len)
{
	struct http1_run run = { .buf = buf, .h = h, .pos = from, .len = len };

	if (!buf || !h)
		return HTTP1_BAD;
	if (h->result != HTTP1_MORE)
		return h->result; /* bytes behind a complete head are not part of it */
	bpf_loop(HTTP1_BUF_MAX, http1_step, &run, 0);
	return h->result;
}

static __always_inline int http1_scan(struct http1_buf *buf, struct http1 *h, __u32 len)
{
	return http1_resume(buf, h, 0, len);
}

#endif

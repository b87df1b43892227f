/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: three fields in the first lines of an HTTP/1 request: Host, `Upgrade: websocket`, gRPC's content type.
 *
 * One pass, by the word, for most words hold no line feed. This tells what is spoken and judges nothing: http1.h does that.
 */
#ifndef MPBPF_BPF_CLASSIFY_HTTP_H
#define MPBPF_BPF_CLASSIFY_HTTP_H

#include "bytes.h"
#include "classify_types.h"

#define HEAD_SEARCH 1024 /* in so many bytes of a request a field may begin */
#define HEAD_CHUNK 32	 /* of which so many are searched at a time */
#define HEAD_BLANKS 4	 /* more white space before the value is not looked through */
#define HEAD_NAME_MAX 64 /* of a longer name, what is kept of it is there */

#define CASE_BITS BYTES(0x20) /* makes letters small; the other characters that are looked for have the bit anyway */

/* How fields begin, small, as little-endian words. */
#define FIELD_UPGRADE 0x3a65646172677075ULL /* "upgrade:" */
#define FIELD_CONTENT 0x2d746e65746e6f63ULL /* "content-" */
#define FIELD_HOST 0x3a74736f68ULL	    /* "host:" */
#define FIELD_TYPE 0x3a65707974ULL	    /* "type:" */
#define FIELD_HOST_MASK 0xffffffffffULL
#define LINE_END_MASK 0xffff
#define LINE_END 0x0a0d /* an empty line: the head ends */

enum head_flags { HEAD_WEBSOCKET = 1 << 0, HEAD_GRPC = 1 << 1, HEAD_END = 1 << 2 };

struct head_walk {
	struct classify_buf *buf;
	struct classified *found;
	__u32 len;
	__u32 flags; /* enum head_flags */
};

/* Eight bytes at any offset, the first in the lowest byte on every machine. */
static __always_inline __u64 head_word(const struct classify_buf *buf, __u32 off)
{
	const __u8 *p = &buf->b[CLASSIFY_AT(off)];
	__u64 w;

#ifdef __bpf__
	forget(p); /* of its alignment: clang would make eight loads of one that may be odd */
	w = *(const __u64 *)p;
#else
	__builtin_memcpy(&w, p, sizeof(w));
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static __always_inline __u32 head_blanks(const struct classify_buf *buf, __u32 off)
{
	__u32 i;

#pragma GCC unroll 1
	for (i = 0; i <= HEAD_BLANKS; i++, off++) {
		forget(off);
		if (classify_u8(buf, off) != ' ' && classify_u8(buf, off) != '\t')
			break;
	}
	return off;
}

/* Do these words, of `n` bytes in all, stand at `off`, whatever the case of letters? */
static __always_inline bool head_is(const struct classify_buf *buf, __u32 off, __u32 len, __u32 n, __u64 first,
				    __u64 second)
{
	__u64 mask = n < 16 ? (1ULL << 8 * (n - 8)) - 1 : ~0ULL;

	return off + n <= len && (head_word(buf, off) | CASE_BITS) == first &&
	       ((head_word(buf, off + 8) | CASE_BITS) & mask) == second;
}

/* The lowest bit that is set is that of the first byte which is white space or a control. */
static __always_inline __u64 name_ends(__u64 word)
{
	return (word - BYTES(' ' + 1)) & ~word & BYTES(0x80);
}

/* Up to white space or the end; one that is cut off by the end counts as far as it is there. */
static __always_inline void head_host(const struct classify_buf *buf, __u32 off, __u32 len, struct classified *found)
{
	__u64 ends;
	__u32 n;

	off = head_blanks(buf, off);
#pragma GCC unroll 1
	for (n = 0; n < HEAD_NAME_MAX; n += 8) {
		ends = name_ends(head_word(buf, off + n));
		if (ends) {
			n += byte_lowest(ends);
			break;
		}
	}
	found->name_off = off;
	found->name_len = off >= len ? 0 : n < len - off ? n : len - off;
}

/*
 * The line that begins at `off`, with these eight bytes; of `len` bytes in all. Global: verified once. Returns the
 * enum head_flags that it sets.
 */
__weak __noinline int head_line(struct classify_buf *buf, __u32 off, __u32 len, __u64 line, struct classified *found)
{
	if (!buf || !found || (line & LINE_END_MASK) == LINE_END)
		return HEAD_END;
	line |= CASE_BITS;
	if ((line & FIELD_HOST_MASK) == FIELD_HOST && off + 5 <= len && !found->name_len)
		head_host(buf, off + 5, len, found);
	if (line == FIELD_UPGRADE &&
	    head_is(buf, head_blanks(buf, off + 8), len, 9, 0x656b636f73626577ULL /* "websocke" */, 't'))
		return HEAD_WEBSOCKET;
	if (line != FIELD_CONTENT || ((head_word(buf, off + 8) | CASE_BITS) & FIELD_HOST_MASK) != FIELD_TYPE)
		return 0;
	/* "application/grpc" */
	return head_is(buf, head_blanks(buf, off + 13), len, 16, 0x746163696c707061ULL, 0x637072672f6e6f69ULL)
		       ? HEAD_GRPC
		       : 0;
}

/* Looks at each line that begins behind a line feed in `word`, which stands at `off`; `next` is the word after it. */
static __always_inline void head_lines(struct head_walk *walk, __u64 word, __u64 next, __u32 off)
{
	__u64 feeds = line_feeds(word), line;
	__u32 n, k;

#pragma GCC unroll 1
	for (n = 0; n < 8 && feeds; n++) {
		k = byte_lowest(feeds);
		feeds &= feeds - 1;
		line = word >> 8 >> 8 * k | next << (56 - 8 * k);
		walk->flags |= head_line(walk->buf, off + k + 1, walk->len, line, walk->found);
		if (walk->flags & HEAD_END)
			break;
	}
}

/* Called by bpf_loop: 1 ends it. */
static long head_chunk(__u32 i, struct head_walk *walk)
{
	__u32 k, off = i * HEAD_CHUNK;
	__u64 word;

#pragma GCC unroll 1
	for (k = 0; k < HEAD_CHUNK / 8; k++, off += 8) {
		if (off >= walk->len || walk->flags & HEAD_END)
			return 1;
		word = head_word(walk->buf, off);
		if (unlikely(line_feeds(word)))
			head_lines(walk, word, head_word(walk->buf, off + 8), off);
	}
	return 0;
}

/* head_read - finds the Host of a request of `len` bytes, or of the first part of one. Returns enum head_flags. */
__weak __noinline int head_read(struct classify_buf *buf, __u32 len, struct classified *found)
{
	struct head_walk walk = { .buf = buf, .found = found, .len = len < CLASSIFY_MAX ? len : CLASSIFY_MAX };

	if (!buf || !found)
		return 0;
	bpf_loop(HEAD_SEARCH / HEAD_CHUNK, head_chunk, &walk, 0);
	return walk.flags;
}

#endif

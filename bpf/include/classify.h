/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: which protocol a packet's payload begins with, from this packet alone.
 *
 * Most payloads end at their first byte. Only a GET is searched for `Upgrade: websocket`, only a POST for gRPC's
 * content type (gRPC knows no other method).
 */
#ifndef MPBPF_BPF_CLASSIFY_H
#define MPBPF_BPF_CLASSIFY_H

#include "bytes.h"
#include "packet.h"

#define GRPC_PORT 50051
#define CLASSIFY_PEEK 16    /* bytes that tell everything but a header field */
#define CLASSIFY_SEARCH 512 /* in so many bytes of a request a header field may begin */
#define CLASSIFY_CHUNK 64   /* of which so many are searched at a time */
#define CLASSIFY_VALUE 16   /* bytes of a field's value that are compared */
#define CLASSIFY_BLANKS 4   /* more white space before the value is not looked through */

#define CLASSIFY_OFFSET_MAX 0x7fff /* of a payload whose first byte is read in place */

#define TLS_HANDSHAKE 0x16
#define TLS_CLIENT_HELLO 1
#define HTTP2_FRAME_HEADER 9
#define HTTP2_SETTINGS 4
#define HTTP2_ACK 1
#define HTTP2_SETTING_SIZE 6
#define HTTP2_STREAM_MASK 0x7f /* of the stream id's first byte: the bit above is reserved and ignored */

/* The words align the bytes, which are compared by the word. */
union peek {
	__u8 b[CLASSIFY_PEEK];
	__u64 w[CLASSIFY_PEEK / 8];
};

#define CASE_BITS BYTES(0x20) /* makes letters small; the other characters that are looked for have the bit anyway */

/* The first eight bytes of the fields that are looked for, small, as a little-endian word. */
#define FIELD_UPGRADE 0x3a65646172677075ULL /* "upgrade:" */
#define FIELD_CONTENT 0x2d746e65746e6f63ULL /* "content-" */
#define FIELD_START 8
#define LINE_END_MASK 0xffff
#define LINE_END 0x0a0d /* an empty line: the head ends */

#define STARTS(bytes, string) (!__builtin_memcmp((bytes), (string), sizeof(string) - 1))
#define STARTS_FOLDED(bytes, string) starts_folded((bytes), (string), sizeof(string) - 1)

/* Compares without regard to the case of letters; `string` is small. */
static __always_inline bool starts_folded(const __u8 *bytes, const char *string, __u32 len)
{
	bool same = true;
	__u32 i;

#pragma unroll
	for (i = 0; i < len; i++)
		same &= (bytes[i] | 0x20) == (__u8)string[i];
	return same;
}

/* Copies what there is from `off` to `end`, up to `size` bytes; what there is not reads as zero. False: nothing. */
static __always_inline bool payload_load(struct xdp_md *ctx, __u32 off, __u32 end, void *bytes, __u32 size)
{
	__u32 len = end - off;

	__builtin_memset(bytes, 0, size);
	/* Else the compiler leaves the check out where it knows better than the verifier. */
	forget(len);
	if ((__s32)len <= 0)
		return false;
	if (len > size)
		len = size;
	return !bpf_xdp_load_bytes(ctx, off, bytes, len);
}

enum search_result { SEARCH_GOES_ON, SEARCH_FOUND, SEARCH_ENDED };

/* Where in a frame a field is looked for, and which. */
struct search {
	struct xdp_md *ctx;
	__u32 off; /* of the payload */
	__u32 end;
	__u64 field; /* FIELD_* */
	enum search_result result;
};

/*
 * Do the bytes at `off`, behind FIELD_START, complete `Upgrade: websocket` or gRPC's content type? Global: see below.
 */
__noinline int classify_field(struct xdp_md *ctx, __u32 off, __u32 end, __u64 field)
{
	__u8 bytes[CLASSIFY_VALUE];
	__u32 i;

	if (field == FIELD_CONTENT) {
		if (!payload_load(ctx, off, end, bytes, sizeof(bytes)) || !STARTS_FOLDED(bytes, "type:"))
			return 0;
		off += sizeof("type:") - 1;
	}
	for (i = 0; i <= CLASSIFY_BLANKS; i++, off++) {
		if (!payload_load(ctx, off, end, bytes, sizeof(bytes)))
			return 0;
		if (bytes[0] != ' ' && bytes[0] != '\t')
			break;
	}
	return field == FIELD_CONTENT ? STARTS_FOLDED(bytes, "application/grpc") : STARTS_FOLDED(bytes, "websocket");
}

/* Looks at each line that begins behind a line feed in `word`, which stands at `off`; `next` is the word after it. */
static __always_inline enum search_result search_word(const struct search *search, __u64 word, __u64 next, __u32 off)
{
	__u64 feeds = line_feeds(word), line;
	__u32 n, k;

#pragma clang loop unroll(disable)
	for (n = 0; n < 8 && feeds; n++) {
		k = byte_lowest(feeds);
		feeds &= feeds - 1;
		line = word >> 8 >> 8 * k | next << (56 - 8 * k);
		if ((line & LINE_END_MASK) == LINE_END)
			return SEARCH_ENDED;
		line = (line | CASE_BITS) ^ search->field;
		forget(line);
		if (unlikely(!line) &&
		    classify_field(search->ctx, off + k + 1 + FIELD_START, search->end, search->field))
			return SEARCH_FOUND;
	}
	return SEARCH_GOES_ON;
}

/* Called by bpf_loop: 1 ends it. */
static long search_chunk(__u32 i, struct search *search)
{
	__u64 words[CLASSIFY_CHUNK / 8 + 1];
	__u32 k, off = search->off + i * CLASSIFY_CHUNK;

	if (!payload_load(search->ctx, off, search->end, words, sizeof(words)))
		return 1;
#pragma clang loop unroll(disable)
	for (k = 0; k < CLASSIFY_CHUNK / 8; k++, off += 8) {
		if (likely(!line_feeds(words[k])))
			continue;
		search->result = search_word(search, words[k], words[k + 1], off);
		if (search->result != SEARCH_GOES_ON)
			return 1;
	}
	return 0;
}

/*
 * Searches a request's first lines for a field. By copy, for the payload may lie outside the linear part; by the word,
 * for most words hold no line feed. Global: verified once, for any offset.
 */
__noinline int classify_search(struct xdp_md *ctx, __u32 off, __u32 end, __u64 field)
{
	struct search search = { .ctx = ctx, .off = off, .end = end, .field = field };

	bpf_loop(CLASSIFY_SEARCH / CLASSIFY_CHUNK, search_chunk, &search, 0);
	return search.result == SEARCH_FOUND;
}

/* Can the first byte begin anything that is known? */
static __always_inline bool classify_first(__u8 first)
{
	switch (first) {
	case 0: /* the length of a SETTINGS frame */
	case TLS_HANDSHAKE:
	case 'C':
	case 'D':
	case 'G':
	case 'H':
	case 'O':
	case 'P':
	case 'T': return true;
	default: return false;
	}
}

static __always_inline bool classify_tls(const __u8 *b)
{
	return b[0] == TLS_HANDSHAKE && b[1] == 3 && b[2] >= 1 && b[2] <= 4 && b[5] == TLS_CLIENT_HELLO;
}

/* The connection preface, or a SETTINGS frame: whole settings, on stream 0, no flag but ACK, which has none. */
static __always_inline bool classify_http2(const __u8 *b, __u32 len)
{
	__u32 size = b[1] << 8 | b[2];

	if (STARTS(b, "PRI * HTTP/2.0"))
		return true;
	if (len < HTTP2_FRAME_HEADER || b[0] || b[3] != HTTP2_SETTINGS || size % HTTP2_SETTING_SIZE)
		return false;
	if (b[4] && (b[4] != HTTP2_ACK || size))
		return false;
	return !((b[5] & HTTP2_STREAM_MASK) | b[6] | b[7] | b[8]);
}

static __always_inline bool classify_http1(const __u8 *b)
{
	return STARTS(b, "GET ") || STARTS(b, "POST ") || STARTS(b, "PUT ") || STARTS(b, "DELETE ") ||
	       STARTS(b, "HEAD ") || STARTS(b, "OPTIONS ") || STARTS(b, "PATCH ") || STARTS(b, "CONNECT ") ||
	       STARTS(b, "TRACE ");
}

/* The payload's first byte, when it is in the linear part; the verifier wants a bound to the offset of a pointer. */
static __always_inline const __u8 *classify_linear(struct xdp_md *ctx, __u32 off)
{
	void *first = (void *)(long)ctx->data + off;

	if (off > CLASSIFY_OFFSET_MAX || first + 1 > (void *)(long)ctx->data_end)
		return NULL;
	return first;
}

/* For a packet with payload. */
static __always_inline enum protocol classify(struct xdp_md *ctx, const struct packet *pkt)
{
	const __u8 *first = classify_linear(ctx, pkt->payload_off);
	__u32 end = pkt->payload_off + pkt->payload_len;
	union peek peek;

	if (pkt->source_port == bpf_htons(GRPC_PORT) || pkt->dest_port == bpf_htons(GRPC_PORT))
		return PROTOCOL_GRPC;
	if (likely(first) && likely(!classify_first(*first)))
		return PROTOCOL_OTHER;
	if (!payload_load(ctx, pkt->payload_off, end, &peek, sizeof(peek)))
		return PROTOCOL_OTHER;
	if (classify_tls(peek.b))
		return PROTOCOL_TLS;
	if (classify_http2(peek.b, pkt->payload_len))
		return PROTOCOL_HTTP2;
	if (!classify_http1(peek.b))
		return PROTOCOL_OTHER;
	if (STARTS(peek.b, "GET ") && classify_search(ctx, pkt->payload_off, end, FIELD_UPGRADE))
		return PROTOCOL_WEBSOCKET;
	if (STARTS(peek.b, "POST ") && classify_search(ctx, pkt->payload_off, end, FIELD_CONTENT))
		return PROTOCOL_GRPC;
	return PROTOCOL_HTTP1;
}

#endif

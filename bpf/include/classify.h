/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: which protocol a payload begins with, from its bytes alone.
 *
 * It knows no context and no map, and compiles natively as well. The first bytes tell nearly all; only an HTTP/1 request is
 * searched for fields, and a ClientHello for what it offers.
 */
#ifndef MPBPF_BPF_CLASSIFY_H
#define MPBPF_BPF_CLASSIFY_H

#include "classify_http.h"
#include "classify_tls.h"

#define HTTP2_FRAME_HEADER 9
#define HTTP2_SETTINGS 4
#define HTTP2_ACK 1
#define HTTP2_SETTING_SIZE 6
#define HTTP2_STREAM_MASK 0x7f /* of the stream id's first byte: the bit above is reserved and ignored */

#define DNS_HEADER 12
#define QUIC_LEAST 1200 /* RFC 9000, section 14.1: what opens a connection is no shorter */

/* What the ports say. */
enum classify_hints { CLASSIFY_DNS_PORT = 1 << 0, CLASSIFY_GRPC_PORT = 1 << 1 };

/* Does the payload begin with these? No byte behind its end counts. */
#define BEGINS(b, len, string) ((len) >= sizeof(string) - 1 && !__builtin_memcmp((b), (string), sizeof(string) - 1))

/* Can the first byte of what TCP carries begin anything that is known? Most payloads end here. */
static __always_inline bool classify_first(__u8 first)
{
	switch (first) {
	case 0:	   /* the length of a SETTINGS frame, or of PostgreSQL's startup */
	case 0x10: /* MQTT's CONNECT */
	case TLS_HANDSHAKE:
	case '*':
	case 'C':
	case 'D':
	case 'G':
	case 'H':
	case 'O':
	case 'P':
	case 'S':
	case 'T': return true;
	default: return false;
	}
}

/* The connection preface, or a SETTINGS frame: whole settings, on stream 0, no flag but ACK, which has none. */
static __always_inline bool classify_http2(const __u8 *b, __u32 len)
{
	__u32 size = b[1] << 8 | b[2];

	if (BEGINS(b, len, "PRI * HTTP/2.0"))
		return true;
	if (len < HTTP2_FRAME_HEADER || b[0] || b[3] != HTTP2_SETTINGS || size % HTTP2_SETTING_SIZE)
		return false;
	if (b[4] && (b[4] != HTTP2_ACK || size))
		return false;
	return !((b[5] & HTTP2_STREAM_MASK) | b[6] | b[7] | b[8]);
}

static __always_inline bool classify_http1(const __u8 *b, __u32 len)
{
	return BEGINS(b, len, "GET ") || BEGINS(b, len, "POST ") || BEGINS(b, len, "PUT ") ||
	       BEGINS(b, len, "DELETE ") || BEGINS(b, len, "HEAD ") || BEGINS(b, len, "OPTIONS ") ||
	       BEGINS(b, len, "PATCH ") || BEGINS(b, len, "CONNECT ") || BEGINS(b, len, "TRACE ");
}

/* A command as RESP has it, an array of bulk strings ("*1\r\n$"); or, as people type it, PING. */
static __always_inline bool classify_redis(const __u8 *b, __u32 len)
{
	__u32 i;

	if (BEGINS(b, len, "PING\r\n"))
		return true;
	if (b[0] != '*' || len < 5 || b[1] < '1' || b[1] > '9')
		return false;
#pragma GCC unroll 6
	for (i = 2; i < 8; i++) {
		if (b[i] >= '0' && b[i] <= '9')
			continue;
		return i + 3 <= len && b[i] == '\r' && b[i + 1] == '\n' && b[i + 2] == '$';
	}
	return false;
}

/* StartupMessage of protocol 3, and the requests that may stand in its place: for TLS, for GSSAPI, to cancel. */
static __always_inline bool classify_postgresql(const __u8 *b, __u32 len)
{
	__u32 size = b[2] << 8 | b[3];

	if (len < 8 || b[0] | b[1])
		return false;
	if (b[4] == 0 && b[5] == 3 && b[6] == 0)
		return size > 8;
	if (b[4] != 0x04 || b[5] != 0xd2 || b[6] != 0x16)
		return false;
	return ((b[7] == 0x2f || b[7] == 0x30) && size == 8) || (b[7] == 0x2e && size >= 16);
}

/* CONNECT: the remaining length in one to four bytes, and the name of the protocol. */
static __always_inline bool classify_mqtt(const __u8 *b, __u32 len)
{
	__u32 n = 2;

	if (b[0] != 0x10 || len < 8)
		return false;
	if (b[1] & 0x80)
		n = !(b[2] & 0x80) ? 3 : !(b[3] & 0x80) ? 4 : 5;
	forget(n);
	n &= 7;
	if (n + 6 > len || b[n])
		return false;
	if (b[n + 1] == 4)
		return b[n + 2] == 'M' && b[n + 3] == 'Q' && b[n + 4] == 'T' && b[n + 5] == 'T';
	return b[n + 1] == 6 && b[n + 2] == 'M' && b[n + 3] == 'Q' && b[n + 4] == 'I' && b[n + 5] == 's';
}

/* A header (RFC 1035, section 4.1.1) of one question, or an answer that may leave it out. */
static __always_inline bool classify_dns(const __u8 *b, __u32 len)
{
	__u32 opcode = b[2] >> 3 & 15, questions = b[4] << 8 | b[5];

	if (len < DNS_HEADER || opcode > 5 || opcode == 3)
		return false;
	return questions == 1 || (b[2] & 0x80 && !questions);
}

/* A long header of version 1 or 2 (RFC 9000, section 17.2.2; RFC 9369) and type Initial. */
static __always_inline bool classify_quic(const __u8 *b, __u32 len, __u32 datagram)
{
	__u32 version = (__u32)b[1] << 24 | b[2] << 16 | b[3] << 8 | b[4];

	if (len < 6 || datagram < QUIC_LEAST || b[5] > 20)
		return false;
	return ((b[0] & 0xf0) == 0xc0 && version == 1) || ((b[0] & 0xf0) == 0xd0 && version == 0x6b3343cf);
}

static __always_inline __u32 classify_head(struct classify_buf *buf, __u32 len, struct classified *found)
{
	int flags = head_read(buf, len, found);

	if (flags & HEAD_WEBSOCKET && BEGINS(buf->b, len, "GET "))
		return PROTOCOL_WEBSOCKET;
	if (flags & HEAD_GRPC && BEGINS(buf->b, len, "POST ")) /* gRPC knows no other method */
		return PROTOCOL_GRPC;
	return PROTOCOL_HTTP1;
}

/* What the first bytes tell; PROTOCOL_OTHER: nothing. */
static __always_inline __u32 classify_start(const __u8 *b, __u32 len, __u32 hints)
{
	if (hints & CLASSIFY_DNS_PORT && len >= 2 && (b[0] | b[1]) && classify_dns(b + 2, len - 2))
		return PROTOCOL_DNS;
	if (classify_http2(b, len))
		return PROTOCOL_HTTP2;
	if (BEGINS(b, len, "SSH-"))
		return PROTOCOL_SSH;
	if (classify_redis(b, len))
		return PROTOCOL_REDIS;
	if (classify_postgresql(b, len))
		return PROTOCOL_POSTGRESQL;
	return classify_mqtt(b, len) ? PROTOCOL_MQTT : PROTOCOL_OTHER;
}

/*
 * classify_tcp - buf: the first `len` bytes of a flow, at least one; hints: enum classify_hints
 *
 * Returns enum classify_result and fills *found, with CLASSIFY_MORE as far as it is known. Global: verified once.
 */
__weak __noinline int classify_tcp(struct classify_buf *buf, __u32 len, __u32 hints, struct classified *found)
{
	__u32 protocol;

	if (!buf || !found)
		return CLASSIFY_DONE;
	*found = (struct classified){};
	if (classify_tls(buf->b, len)) {
		found->protocol = PROTOCOL_TLS;
		return tls_read(buf, len, found);
	}
	protocol = classify_http1(buf->b, len) ? classify_head(buf, len, found) : classify_start(buf->b, len, hints);
	if (hints & CLASSIFY_GRPC_PORT && (protocol == PROTOCOL_OTHER || protocol == PROTOCOL_HTTP2))
		protocol = PROTOCOL_GRPC;
	found->protocol = protocol;
	if (len >= MPBPF_FLOW_START || (protocol != PROTOCOL_OTHER && protocol != PROTOCOL_GRPC))
		return CLASSIFY_DONE;
	return classify_first(buf->b[0]) || hints & CLASSIFY_DNS_PORT ? CLASSIFY_MORE : CLASSIFY_DONE;
}

/* classify_udp - the same of a datagram of `datagram` bytes, of which the first `len` are there; never CLASSIFY_MORE */
__weak __noinline int classify_udp(struct classify_buf *buf, __u32 len, __u32 datagram, __u32 hints,
				   struct classified *found)
{
	if (!buf || !found)
		return CLASSIFY_DONE;
	*found = (struct classified){};
	if (hints & CLASSIFY_DNS_PORT && classify_dns(buf->b, len))
		found->protocol = PROTOCOL_DNS;
	else if (classify_quic(buf->b, len, datagram))
		found->protocol = PROTOCOL_QUIC;
	else if (hints & CLASSIFY_GRPC_PORT)
		found->protocol = PROTOCOL_GRPC;
	return CLASSIFY_DONE;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: a ClientHello (RFC 8446, section 4.1.2): the highest version that it offers, and the server that it names.
 *
 * Each length in it is believed only as far as what encloses it. What lies beyond the first segment, or in a second record, is
 * not seen: then the version is the old field's, which TLS 1.2 and 1.3 share, and the name is unknown.
 */
#ifndef MPBPF_BPF_CLASSIFY_TLS_H
#define MPBPF_BPF_CLASSIFY_TLS_H

#include "classify_types.h"

#define TLS_HANDSHAKE 0x16
#define TLS_CLIENT_HELLO 1
#define TLS_RECORD_HEADER 5
#define TLS_HELLO 9			 /* where the ClientHello begins: behind the headers of record and handshake */
#define TLS_VERSION_END (TLS_HELLO + 2)	 /* so much tells the old version */
#define TLS_SESSION (TLS_HELLO + 2 + 32) /* behind version and random */
#define TLS_SERVER_NAME 0
#define TLS_SUPPORTED_VERSIONS 43
#define TLS_EXTENSIONS_MAX 64 /* more are not looked at */
#define TLS_VERSIONS_MAX 8

struct tls_walk {
	struct classify_buf *buf;
	struct classified *found;
	__u32 pos, end;
};

static __always_inline bool classify_tls(const __u8 *b, __u32 len)
{
	return len >= 6 && b[0] == TLS_HANDSHAKE && b[1] == 3 && b[2] >= 1 && b[2] <= 4 && b[5] == TLS_CLIENT_HELLO;
}

static __always_inline __u32 tls_version_of(__u32 wire)
{
	return wire >= 0x0301 && wire <= 0x0304 ? wire - 0x0300 : TLS_UNKNOWN;
}

/* From `pos` on, at most up to `end`: a length of one or two bytes, and so many bytes. Behind them; `end`: they do not fit. */
static __always_inline __u32 tls_skip(const struct classify_buf *buf, __u32 pos, __u32 end, __u32 size)
{
	__u32 len;

	if (pos + size > end)
		return end;
	len = size == 1 ? classify_u8(buf, pos) : classify_be16(buf, pos);
	return pos + size + len > end ? end : pos + size + len;
}

/* Versions that are not known, GREASE among them (RFC 8701), are passed over. */
static __always_inline void tls_versions(struct tls_walk *walk, __u32 pos, __u32 end)
{
	__u32 stop, version, best = TLS_UNKNOWN, i;

	stop = tls_skip(walk->buf, pos, end, 1);
	pos++;
#pragma GCC unroll 1
	for (i = 0; i < TLS_VERSIONS_MAX; i++, pos += 2) {
		forget(pos);
		if (pos + 2 > stop)
			break;
		version = tls_version_of(classify_be16(walk->buf, pos));
		if (version > best)
			best = version;
	}
	if (best != TLS_UNKNOWN)
		walk->found->version = best;
}

/* A list (RFC 6066, section 3) whose first entry is a host name: there is no other type of name. */
static __always_inline void tls_server_name(struct tls_walk *walk, __u32 pos, __u32 end)
{
	__u32 len;

	end = tls_skip(walk->buf, pos, end, 2);
	pos += 2;
	if (pos + 3 > end || classify_u8(walk->buf, pos))
		return;
	len = classify_be16(walk->buf, pos + 1);
	if (pos + 3 + len > end)
		return;
	walk->found->name_off = pos + 3;
	walk->found->name_len = len;
}

/* Called by bpf_loop: 1 ends it. */
static long tls_extension(__u32 i __attribute__((unused)), struct tls_walk *walk)
{
	__u32 pos = walk->pos, end = walk->end, type, next;

	if (pos + 4 > end)
		return 1;
	type = classify_be16(walk->buf, pos);
	next = pos + 4 + classify_be16(walk->buf, pos + 2);
	if (next > end)
		return 1;
	if (type == TLS_SERVER_NAME)
		tls_server_name(walk, pos + 4, next);
	if (type == TLS_SUPPORTED_VERSIONS)
		tls_versions(walk, pos + 4, next);
	walk->pos = next;
	return 0;
}

/* Cut off by the end of the segment: what stands before the cut may be read, the last extension not. */
static __always_inline __u32 tls_least(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/*
 * tls_read - len: bytes that classify_tls() holds of. Returns enum classify_result; *found is filled as far as it was read.
 */
__weak __noinline int tls_read(struct classify_buf *buf, __u32 len, struct classified *found)
{
	struct tls_walk walk = { .buf = buf, .found = found };
	__u32 end, pos;

	if (!buf || !found)
		return CLASSIFY_DONE;
	end = tls_least(tls_least(len, CLASSIFY_MAX), TLS_RECORD_HEADER + classify_be16(buf, 3));
	end = tls_least(end, TLS_HELLO + (classify_u8(buf, 6) << 16 | classify_be16(buf, 7)));
	if (end < TLS_VERSION_END)
		return len < TLS_VERSION_END ? CLASSIFY_MORE : CLASSIFY_DONE;
	/* 1.3 is offered by its extension alone (section 4.2.1): in this field it means 1.2. */
	found->version = tls_version_of(classify_be16(buf, TLS_HELLO));
	if (found->version > TLS_1_2)
		found->version = TLS_1_2;
	pos = tls_skip(buf, TLS_SESSION, end, 1);
	pos = tls_skip(buf, pos, end, 2); /* cipher suites */
	pos = tls_skip(buf, pos, end, 1); /* compression */
	if (pos + 2 > end)
		return CLASSIFY_DONE;
	walk.end = tls_least(end, pos + 2 + classify_be16(buf, pos));
	walk.pos = pos + 2;
	bpf_loop(TLS_EXTENSIONS_MAX, tls_extension, &walk, 0);
	return CLASSIFY_DONE;
}

#endif

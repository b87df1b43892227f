/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 1: the host that a request is for, as a key of `hosts` (abi_metrics.h); the same code in the kernel, in the helper and
 * where those keys are made.
 *
 * Each loop is a global function: what it returns is unknown to the verifier, which would else go on from every turn apart.
 */
#ifndef MPBPF_BPF_HTTP1_HOST_H
#define MPBPF_BPF_HTTP1_HOST_H

#include "http1_types.h"

#define HTTP1_HOST_OWS 16   /* bytes of white space on either side of a host that are passed over */
#define HTTP1_HOST_WORD 128 /* the longest host with its port that is looked at */
#define HTTP1_PORT_DIGITS 5

/* Where the white space at `at` ends; no further than HTTP1_HOST_OWS. */
__weak __noinline int http1_host_skip(const struct http1_buf *buf, __u32 at)
{
	__u32 n;
	__u8 c;

	for (n = 0; buf && n < HTTP1_HOST_OWS; n++) {
		c = buf->b[HTTP1_AT(at + n)];
		if (c != ' ' && c != '\t')
			break;
	}
	return at + n;
}

/* Where the word at `at` ends; no further than HTTP1_HOST_WORD. A line's CR ends it in any case. */
__weak __noinline int http1_host_word(const struct http1_buf *buf, __u32 at)
{
	__u32 n;

	for (n = 0; buf && n < HTTP1_HOST_WORD; n++)
		if (!(http1_class[buf->b[HTTP1_AT(at + n)]] & HTTP1_WORD_CHAR))
			break;
	return at + n;
}

/* The end of [from, to) without ':' and port (RFC 3986, section 3.2.3: it may be empty). */
__weak __noinline int http1_host_port(const struct http1_buf *buf, __u32 from, __u32 to)
{
	__u32 n;
	__u8 c;

	for (n = 1; buf && n <= HTTP1_PORT_DIGITS + 1 && n <= to - from; n++) {
		c = buf->b[HTTP1_AT(to - n)];
		if (c == ':')
			return to - n;
		if (c < '0' || c > '9')
			break;
	}
	return to;
}

/*
 * The last byte first, letters small: what else the mask maps, no other byte of a host is mapped to. name: 1: only labels with
 * dots between them will do; 0: anything. No turn branches, for the verifier would go through the next once for each way.
 */
__weak __noinline int http1_host_reverse(const struct http1_buf *buf, __u32 to, __u32 len, __u32 name,
					 struct host_key *key)
{
	__u32 i, now, dot = name, bad = 0;
	__u8 c;

	if (!buf || !key)
		return -1;
	for (i = 0; i < MPBPF_HOST_KEY; i++) {
		if (i >= len) {
			key->host[i] = 0;
			return bad || dot ? -1 : 0;
		}
		c = buf->b[HTTP1_AT(to - 1 - i)];
		key->host[i] = c | 0x20;
		now = ((__u32)(c ^ '.') - 1) >> 31 & name;
		bad |= (~http1_class[c] & (name * HTTP1_LABEL)) | (dot & now);
		dot = now;
	}
	return -1;
}

/*
 * http1_host_key - the key for the host in [from, to), which may have a port; but for its generation
 *
 * A dot behind a name is left off. An IPv6 address keeps its brackets and its spelling. Returns 0, or -1: it is no host, or too
 * long; then *key is of no use.
 */
static __always_inline int http1_host_key(const struct http1_buf *buf, __u32 from, __u32 to, struct host_key *key)
{
	__u32 len;
	bool name;

	to = http1_host_port(buf, from, to);
	if (from >= to)
		return -1;
	name = buf->b[HTTP1_AT(from)] != '[' || buf->b[HTTP1_AT(to - 1)] != ']';
	if (name && buf->b[HTTP1_AT(to - 1)] == '.')
		to--;
	len = to - from;
	if (!len || len >= MPBPF_HOST_KEY)
		return -1;
	key->prefixlen = 32 + 8 * (len + 1);
	return http1_host_reverse(buf, to, len, name, key);
}

/* The same of the Host of a head that is complete. -1 as well when it has none, or more than one word in it. */
__weak __noinline int http1_host(const struct http1_buf *buf, const struct http1 *h, struct host_key *key)
{
	__u32 from, to, end;

	if (!buf || !h || !key || !(h->flags & HTTP1_HOST))
		return -1;
	from = http1_host_skip(buf, h->host_off);
	to = http1_host_word(buf, from);
	end = http1_host_skip(buf, to);
	if (buf->b[HTTP1_AT(end)] != '\r')
		return -1;
	return http1_host_key(buf, from, to, key);
}

#endif

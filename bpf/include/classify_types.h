/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: where the first payload of a flow is read, and what was found in it. */
#ifndef MPBPF_BPF_CLASSIFY_TYPES_H
#define MPBPF_BPF_CLASSIFY_TYPES_H

#include "kernel.h"

#define CLASSIFY_MAX 2048 /* bytes of a payload that are read; power of two */
#define CLASSIFY_SLACK 64 /* may be read, and never count */

/* The payload stands at the start. Aligned, for its first bytes are compared by the word. */
struct classify_buf {
	__u8 b[CLASSIFY_MAX];
	__u8 slack[CLASSIFY_SLACK];
} __attribute__((aligned(8)));

/* So that every verifier sees that an offset lies in the buffer. */
#define CLASSIFY_AT(off) ((off) & (CLASSIFY_MAX - 1))

enum classify_result {
	CLASSIFY_DONE,
	CLASSIFY_MORE, /* so few bytes leave it open, or do not tell the version */
};

struct classified {
	__u32 protocol; /* enum protocol: as far as it is known */
	__u32 version;	/* PROTOCOL_TLS: enum tls_version */
	__u32 name_off; /* of the server's name, in the buffer */
	__u32 name_len; /* 0: there is none, or it was not seen */
};

static __always_inline __u32 classify_u8(const struct classify_buf *buf, __u32 off)
{
	forget(off); /* else the compiler, which knows the bound, leaves the mask out, and the verifier does not know it */
	return buf->b[CLASSIFY_AT(off)];
}

static __always_inline __u32 classify_be16(const struct classify_buf *buf, __u32 off)
{
	return classify_u8(buf, off) << 8 | classify_u8(buf, off + 1);
}

#endif

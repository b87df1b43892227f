/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: what reading an HTTP/1 head finds, the classes of its bytes, and the states that it goes through. */
#ifndef MPBPF_BPF_HTTP1_TYPES_H
#define MPBPF_BPF_HTTP1_TYPES_H

#include "kernel.h"

enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

enum http1_method { HTTP1_METHOD_OTHER, HTTP1_METHOD_HEAD, HTTP1_METHOD_OPTIONS, HTTP1_METHOD_CONNECT };

enum http1_flags {
	HTTP1_HOST = 1 << 0,	   /* a Host field was seen */
	HTTP1_AUTH = 1 << 1,	   /* an Authorization field was seen */
	HTTP1_BEARER = 1 << 2,	   /* and it is `Bearer` and one word, whose characters the helper checks */
	HTTP1_LENGTH = 1 << 3,	   /* Content-Length */
	HTTP1_CHUNKED = 1 << 4,	   /* Transfer-Encoding: chunked */
	HTTP1_UPGRADE = 1 << 5,	   /* an Upgrade field was seen */
	HTTP1_ODD = 1 << 6,	   /* the target is not a path in canonical form (RFC 3986, section 6.2.2) */
	HTTP1_TOKEN_LONG = 1 << 7, /* the token is longer than MPBPF_TOKEN_MAX */
	HTTP1_WEBSOCKET = 1 << 8,  /* and its value is exactly `websocket` (RFC 6455, section 4.1) */
};

/* Offsets and lengths are in bytes from the start of the head. */
struct http1 {
	__u64 content_length;
	__u32 head_len; /* empty line included; valid when done */
	__u32 target_off, target_len;
	__u32 path_len;		    /* the target up to '?' */
	__u32 token_off, token_len; /* valid with HTTP1_BEARER */
	__u32 mark;		    /* where the present element began */
	__u32 segment;		    /* where the present path segment began */
	__u16 flags;		    /* enum http1_flags */
	__u16 status;		    /* responses: 100 to 999 */
	__u8 state;		    /* enum http1_state */
	__u8 keep;		    /* class that the state passes over */
	__u8 result;		    /* enum http1_result */
	__u8 method;		    /* enum http1_method */
	__u8 minor;		    /* HTTP/1.minor */
	__u8 response;		    /* set by the caller through http1_start() */
	__u8 pad[2];
	__u32 host_off; /* behind the ':' of Host; valid with HTTP1_HOST */
};

/* In the kernel a head is read in a buffer of its own, so that masked offsets prove the bounds; in user space, in place. */
#ifdef __bpf__
#define HTTP1_BUF_MAX MPBPF_HEAD_MAX
#define HTTP1_BEYOND 64 /* bytes that may be read behind the input */
#define HTTP1_AT(off) ((off) & (MPBPF_HEAD_MAX - 1))
#else
#define HTTP1_BUF_MAX MPBPF_HELPER_HEAD_MAX
#define HTTP1_BEYOND 0
#define HTTP1_AT(off) (off)
#endif

struct http1_buf {
	__u8 b[HTTP1_BUF_MAX];
	__u8 slack[32]; /* a stride read at the last offset stays inside */
};

enum http1_state {
	HTTP1_S_METHOD,
	HTTP1_S_TARGET,
	HTTP1_S_PATH,
	HTTP1_S_QUERY,
	HTTP1_S_VERSION,
	HTTP1_S_STATUS_VERSION,
	HTTP1_S_STATUS,
	HTTP1_S_LF,
	HTTP1_S_LINE,
	HTTP1_S_NAME,
	HTTP1_S_END,
	/* inside a field value */
	HTTP1_S_VALUE,
	HTTP1_S_SCHEME_START,
	HTTP1_S_SCHEME,
	HTTP1_S_TOKEN_START,
	HTTP1_S_TOKEN,
	HTTP1_S_TOKEN_TAIL,
	HTTP1_S_LENGTH_START,
	HTTP1_S_LENGTH,
	HTTP1_S_CODING_START,
	HTTP1_S_CODING,
	HTTP1_S_OWS,
	HTTP1_S_UPGRADE_START,
	HTTP1_S_UPGRADE,
	HTTP1_S_UPGRADE_TAIL,
};

enum http1_class {
	HTTP1_TCHAR = 1 << 0,	  /* RFC 9110, section 5.6.2 */
	HTTP1_PATH = 1 << 1,	  /* pchar (RFC 3986, section 3.3) without '%' and ';', which only the helper reads */
	HTTP1_TARGET = 1 << 2,	  /* printable ASCII but '#' */
	HTTP1_TEXT = 1 << 3,	  /* field-vchar, SP, HTAB (RFC 9110, section 5.5) */
	HTTP1_TOKEN68 = 1 << 4,	  /* RFC 9110, section 11.2 */
	HTTP1_WORD_CHAR = 1 << 5, /* HTTP1_TEXT without SP and HTAB */
	HTTP1_LABEL = 1 << 6,	  /* letters, digits, '-' and '_', and the '.' between labels of a host's name */
};

#define HTTP1_PRINT (HTTP1_TARGET | HTTP1_TEXT | HTTP1_WORD_CHAR)
#define HTTP1_MARK (HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH | HTTP1_TOKEN68)
#define HTTP1_ALNUM (HTTP1_MARK | HTTP1_LABEL)

static const __u8 http1_class[256] = {
	['\t'] = HTTP1_TEXT,
	[' '] = HTTP1_TEXT,
	['!'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['"'] = HTTP1_PRINT,
	['#'] = HTTP1_TEXT | HTTP1_WORD_CHAR | HTTP1_TCHAR,
	['$'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['%'] = HTTP1_PRINT | HTTP1_TCHAR,
	['&'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['\''] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['('] = HTTP1_PRINT | HTTP1_PATH,
	[')'] = HTTP1_PRINT | HTTP1_PATH,
	['*'] = HTTP1_PRINT | HTTP1_TCHAR | HTTP1_PATH,
	['+'] = HTTP1_MARK,
	[','] = HTTP1_PRINT | HTTP1_PATH,
	['-'] = HTTP1_ALNUM,
	['.'] = HTTP1_ALNUM,
	['/'] = HTTP1_PRINT | HTTP1_TOKEN68,
	['0' ... '9'] = HTTP1_ALNUM,
	[':'] = HTTP1_PRINT | HTTP1_PATH,
	[';'] = HTTP1_PRINT,
	['<'] = HTTP1_PRINT,
	['='] = HTTP1_PRINT | HTTP1_PATH | HTTP1_TOKEN68,
	['>'] = HTTP1_PRINT,
	['?'] = HTTP1_PRINT,
	['@'] = HTTP1_PRINT | HTTP1_PATH,
	['A' ... 'Z'] = HTTP1_ALNUM,
	['['] = HTTP1_PRINT,
	['\\'] = HTTP1_PRINT,
	[']'] = HTTP1_PRINT,
	['^'] = HTTP1_PRINT | HTTP1_TCHAR,
	['_'] = HTTP1_ALNUM,
	['`'] = HTTP1_PRINT | HTTP1_TCHAR,
	['a' ... 'z'] = HTTP1_ALNUM,
	['{'] = HTTP1_PRINT,
	['|'] = HTTP1_PRINT | HTTP1_TCHAR,
	['}'] = HTTP1_PRINT,
	['~'] = HTTP1_MARK,
	[0x80 ... 0xff] = HTTP1_TEXT | HTTP1_WORD_CHAR,
};

/* Eight bytes at any offset, the first in the lowest byte on every machine. */
static __always_inline __u64 http1_word(const struct http1_buf *buf, __u32 off)
{
	const __u8 *p = &buf->b[HTTP1_AT(off)];
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

#define HTTP1_WORD(a, b, c, d, e, f, g, h)                                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 | \
	 (__u64)(g) << 48 | (__u64)(h) << 56)
/* Folds ASCII letters to lower case; what else it maps is no tchar, but for pairs that no name below contains. */
#define HTTP1_LOWER 0x2020202020202020ULL

static __always_inline void http1_start(struct http1 *h, bool response)
{
	__builtin_memset(h, 0, sizeof(*h));
	h->response = response;
	h->state = response ? HTTP1_S_STATUS_VERSION : HTTP1_S_METHOD;
	h->keep = response ? HTTP1_TARGET : HTTP1_TCHAR;
}

/* What an event returns: how many bytes it took, or 0 when h->result is final. */
static __always_inline int http1_go(struct http1 *h, __u8 state, __u8 keep)
{
	h->state = state;
	h->keep = keep;
	return 1;
}

/* However the input was cut, the same facts are left behind. */
static __always_inline int http1_stop(struct http1 *h, __u8 result)
{
	h->result = result;
	h->state = HTTP1_S_END;
	h->keep = 0;
	h->mark = 0;
	h->segment = 0;
	return 0;
}

#endif

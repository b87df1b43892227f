/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: what a denied request is answered with; the kernel and the helper say the same words. */
#ifndef MPBPF_BPF_REPLIES_H
#define MPBPF_BPF_REPLIES_H

#include "kernel.h"

#define REPLY_TEXT_MAX 144

struct reply {
	char text[REPLY_TEXT_MAX]; /* up to the value of Content-Length */
	__u32 len;		   /* of text */
	__u32 close;		   /* the connection ends with it */
	__u32 retry; /* where in text REPLY_RETRY_LEN digits of seconds end, padded with spaces; 0: nowhere */
};

#define REPLY_RETRY_LEN 5
#define REPLY_END_LEN 5 /* the helper's answers have no body: "0", and the end of the head */

#define REPLY_TEXT(status, field) "HTTP/1.1 " status "\r\n" field "Content-Length: "
#define REPLY(reason, status, field, end, ...)                     \
	[reason] = { .text = REPLY_TEXT(status, field),            \
		     .len = sizeof(REPLY_TEXT(status, field)) - 1, \
		     .close = end,                                 \
		     __VA_ARGS__ }
#define REPLY_CLOSE "Connection: close\r\n"
/* White space before a value is optional (RFC 9110, section 5.5). */
#define RETRY_FIELD "Retry-After:     1\r\n"
#define RETRY_END(status) (sizeof("HTTP/1.1 " status "\r\n" RETRY_FIELD) - sizeof("\r\n"))

static const struct reply replies[REQUEST_REASON_MAX] = {
	REPLY(REQUEST_BAD, "400 Bad Request", REPLY_CLOSE, 1),
	REPLY(REQUEST_NO_TOKEN, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n", 0),
	REPLY(REQUEST_BAD_TOKEN, "403 Forbidden", "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", 0),
	REPLY(REQUEST_EXPIRED, "403 Forbidden", "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", 0),
	REPLY(REQUEST_FEATURE, "402 Payment Required", "", 0),
	REPLY(REQUEST_PROXY_COUNT, "429 Too Many Requests", "", 0),
	REPLY(REQUEST_RATE, "429 Too Many Requests", RETRY_FIELD, 0, .retry = RETRY_END("429 Too Many Requests")),
	REPLY(REQUEST_HELPER_DOWN, "503 Service Unavailable", REPLY_CLOSE, 1),
	REPLY(REQUEST_TIMEOUT, "408 Request Timeout", REPLY_CLOSE, 1),
	REPLY(REQUEST_TOO_LARGE, "431 Request Header Fields Too Large", REPLY_CLOSE, 1),
	REPLY(REQUEST_BUSY, "503 Service Unavailable", REPLY_CLOSE, 1),
	REPLY(REQUEST_ASK_RATE, "429 Too Many Requests", RETRY_FIELD REPLY_CLOSE, 1,
	      .retry = RETRY_END("429 Too Many Requests")),
};

/* The status that a reason is answered with, or 0. */
__weak __noinline int reply_status(__u32 reason)
{
	const char *digits;

	forget(reason); /* older verifiers lose the bound when clang tests a copy */
	if (reason < REQUEST_BAD || reason >= REQUEST_REASON_MAX)
		return 0;
	digits = replies[reason].text + sizeof("HTTP/1.1 ") - 1;
	return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
}

#endif

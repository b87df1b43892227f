/* SPDX-License-Identifier: MIT */
/*
 * A second reading of HTTP/1 heads, for the tests of bpf/include/http1.h: byte by byte along the grammar of RFC 9112
 * and RFC 9110, slow and obvious, without tables, states or words.
 */
#ifndef MPBPF_TESTS_HTTP1_REFERENCE_H
#define MPBPF_TESTS_HTTP1_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "http1.h"

struct http1_reading {
	enum http1_result result;
	size_t bad_at; /* BAD: the first byte that no good head can have there */
	size_t head_len;
	/* What follows is valid when DONE. */
	enum http1_method method;
	unsigned int minor, status;
	size_t target_off, target_len, path_len; /* path_len: of a target that begins with '/' */
	size_t token_off, token_len;		 /* with HTTP1_BEARER */
	size_t host_off;			 /* with HTTP1_HOST */
	uint64_t content_length;
	unsigned int flags; /* enum http1_flags */
};

/* Reads a request's or a response's head at the start of `data`; what stands behind it is not looked at. */
struct http1_reading http1_read_slowly(const uint8_t *data, size_t len, bool response);

bool is_tchar(int c); /* RFC 9110, section 5.6.2 */
bool is_text(int c);  /* field-vchar, SP or HTAB (RFC 9110, section 5.5) */

#endif

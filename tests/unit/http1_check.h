/* SPDX-License-Identifier: MIT */
/* What the tests of bpf/include/http1.h share: memory that ends where the input ends, feeding in pieces, comparing. */
#ifndef MPBPF_TESTS_HTTP1_CHECK_H
#define MPBPF_TESTS_HTTP1_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http1_reference.h"

#define HTTP1_INPUT_MAX (64 << 10)

/*
 * A copy of data between two pages that cannot be touched, flush against the one behind it (`flush_end`) or the one
 * before it; then junk stands behind it. At most HTTP1_INPUT_MAX bytes; valid until the next call.
 */
struct http1_buf *http1_guarded(const void *data, size_t len, bool flush_end);

/* The head that stands in data, read in one call with nothing behind it that could be touched. */
struct http1 http1_whole(const void *data, size_t len, bool response);

/* The same in two calls: data[0..at) first, then all. */
struct http1 http1_split(const void *data, size_t len, size_t at, bool response);

/*
 * The same byte by byte, wrong bytes (`junk`, repeated) behind those that are there.
 * ret_decided: with how many bytes the result was BAD or DONE for the first time; 0: never.
 */
struct http1 http1_bytewise(const void *data, size_t len, const char *junk, bool response, size_t *ret_decided);

/* Fails, showing the input, unless both are the same in every byte. */
void http1_assert_same(const struct http1 *a, const struct http1 *b, const void *data, size_t len);

/* Fails, showing the input, unless the scanner's facts are those of the reading. */
void http1_assert_facts(const struct http1 *h, const struct http1_reading *r, const void *data, size_t len);

/*
 * The scanner against the second reading, whole and split at `at`. Both must agree on DONE, MORE and every fact, but
 * the scanner may see an element that is wrong only where it ends: at the end of the line at the latest. Returns the
 * reading.
 */
struct http1_reading http1_compare(const void *data, size_t len, size_t at, bool response);

/* Printable, with escapes; valid until the next call. */
const char *http1_shown(const void *data, size_t len);

#endif

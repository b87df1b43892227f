/* SPDX-License-Identifier: MIT */
/*
 * A second reading of chunked bodies, for the tests of bpf/include/http1_body.h: along the grammar of RFC 9112,
 * section 7.1, over the whole body at once.
 */
#ifndef MPBPF_TESTS_HTTP1_BODY_REFERENCE_H
#define MPBPF_TESTS_HTTP1_BODY_REFERENCE_H

#include "http1_body.h"
#include "http1_check.h"

enum chunk_end { GOES_ON, ENDS, WRONG };

struct chunk_reading {
	enum chunk_end end;
	size_t at;	/* ENDS: behind its last byte; WRONG: the wrong byte; GOES_ON: the input's end */
	size_t content; /* bytes of it */
	uint64_t hash;	/* of the content */
};

void chunk_content_add(struct chunk_reading *r, uint8_t c);

bool chunk_same(const struct chunk_reading *a, const struct chunk_reading *b);

struct chunk_reading chunk_read_slowly(const void *data, size_t len);

/*
 * The scanner, given data[0..at) and then the rest, and content in runs of at most `run` bytes, against the second
 * reading: the same end at the same byte, the same content. Returns what both say.
 */
struct chunk_reading chunk_compare(const void *data, size_t len, size_t at, size_t run);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 1: a request's method from its first eight bytes; the same code in the kernel and in the helper. */
#ifndef MPBPF_BPF_METHOD_H
#define MPBPF_BPF_METHOD_H

#include "http1_types.h"

#define METHOD_BYTES(n) (~0ULL >> (64 - 8 * (n)))
#define METHOD_IS(w, n, ...) (((w) & METHOD_BYTES(n)) == HTTP1_WORD(__VA_ARGS__))

/* w: http1_word() at the start of a head that was found to be well-formed. */
static __always_inline __u8 method_of(__u64 w)
{
	if (METHOD_IS(w, 4, 'G', 'E', 'T', ' ', 0, 0, 0, 0))
		return METHOD_GET;
	if (METHOD_IS(w, 5, 'P', 'O', 'S', 'T', ' ', 0, 0, 0))
		return METHOD_POST;
	if (METHOD_IS(w, 5, 'H', 'E', 'A', 'D', ' ', 0, 0, 0))
		return METHOD_HEAD;
	if (METHOD_IS(w, 4, 'P', 'U', 'T', ' ', 0, 0, 0, 0))
		return METHOD_PUT;
	if (METHOD_IS(w, 7, 'D', 'E', 'L', 'E', 'T', 'E', ' ', 0))
		return METHOD_DELETE;
	if (METHOD_IS(w, 6, 'P', 'A', 'T', 'C', 'H', ' ', 0, 0))
		return METHOD_PATCH;
	if (METHOD_IS(w, 8, 'O', 'P', 'T', 'I', 'O', 'N', 'S', ' '))
		return METHOD_OPTIONS;
	if (METHOD_IS(w, 8, 'C', 'O', 'N', 'N', 'E', 'C', 'T', ' '))
		return METHOD_CONNECT;
	if (METHOD_IS(w, 6, 'T', 'R', 'A', 'C', 'E', ' ', 0, 0))
		return METHOD_TRACE;
	return METHOD_OTHER;
}

#endif

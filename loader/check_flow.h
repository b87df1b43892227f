/* SPDX-License-Identifier: MIT */
/* Floor 5: `mpbpf check`, bytes on their way from one end of a connection to the other, compared as they come. */
#ifndef MPBPF_LOADER_CHECK_FLOW_H
#define MPBPF_LOADER_CHECK_FLOW_H

#include <stddef.h>

#include "loader/check.h"

struct check_flow {
	const char *data;
	size_t len, sent, received;
	size_t under_way_most;
	unsigned int stops; /* how often the sender could not go on */
	size_t write_max, read_max;
	unsigned int pause_us; /* between two reads */
};

/* `head` and `body` bytes of pattern behind it, to be freed; NULL: out of memory. */
char *flow_message(const char *head, size_t body, size_t *ret_len);

/* Both return 0 or check_fail(). */

/* Sends until nothing more can be sent, nobody reading. */
int flow_fill(struct check *c, struct check_flow *f, int from);
/* Sends the rest and receives all, in small pieces with pauses between them; nothing comes behind it. */
int flow_run(struct check *c, struct check_flow *f, int from, int to);

#endif

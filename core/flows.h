/* SPDX-License-Identifier: MIT */
/* Floor 3: the flows that a data path remembers. */
#ifndef MPBPF_CORE_FLOWS_H
#define MPBPF_CORE_FLOWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/maps.h"

/* The `most` flows with the most bytes of those that were offered; sorted by flows_sort() alone. */
struct flows {
	struct flow *list;
	size_t n, most;
	uint64_t seen; /* offered in all */
};

#define FLOWS_TOP_MAX 1000000

/* most: 1 to FLOWS_TOP_MAX. 0 or -ENOMEM. */
int flows_new(size_t most, struct flows *ret);
void flows_free(struct flows *flows);
void flows_offer(struct flows *flows, const struct flow *flow);
/* The one with the most bytes first. */
void flows_sort(struct flows *flows);

/* flows_new(), all of the map, and sorted. 0 or -errno. */
int flows_read(const struct maps *maps, size_t most, struct flows *ret);

/* As counters call it: "http1"; "other" for what is none. */
const char *protocol_name(unsigned int protocol);
/* "1.2"; NULL: unknown. */
const char *tls_version_name(unsigned int version);

/* Each byte may take four characters. */
#define FLOW_NAME_TEXT (4 * MPBPF_FLOW_NAME + 1)

/*
 * flow_name_text - what the client sent as the server's name, to be shown: visible ASCII as it is, everything else and the
 * backslash as \xHH. "" for a flow that has none, or whose protocol is open.
 */
const char *flow_name_text(const struct flow *flow, char ret[FLOW_NAME_TEXT]);

#endif

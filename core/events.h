/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: reads events while the kernel goes on writing them. Any number of readers may, each from where it likes: reading
 * takes nothing away.
 */
#ifndef MPBPF_CORE_EVENTS_H
#define MPBPF_CORE_EVENTS_H

#include <stdbool.h>

#include "core/maps.h"

struct cJSON;

struct events {
	const struct event_record *slots; /* mapped */
	const struct event_gate *gates;	  /* mapped */
	int stats;			  /* belongs to the caller's maps */
	uint64_t next;			  /* number of the next event to read */
};

#define EVENTS_EMPTY { .stats = -1 }

/* Begins at the oldest event that is kept. `maps` must outlive it. 0 or -errno; *ret is untouched on failure. */
int events_open(const struct maps *maps, struct events *ret);
/* For _cleanup_(events_close). EVENTS_EMPTY is fine. */
void events_close(struct events *events);

/* The next event: 1; 0: there is none yet. Adds to *missed those that were written over before they were read. */
int events_next(struct events *events, struct event_record *ret, uint64_t *missed);
/* How many were not recorded since the load, for there were too many a second. 0 or -errno. */
int events_suppressed(const struct events *events, uint64_t *ret);

/*
 * event_json - an event as `mpbpf events --json` prints it; to be freed with cJSON_Delete()
 *
 * rule: name of the limit, NULL: none. wall_offset_ns: as in struct control. NULL: out of memory.
 */
struct cJSON *event_json(const struct event_record *event, const char *rule, int64_t wall_offset_ns);

/* Records an event of our own; program: event_note. false: there is no room for it in this second. On any thread. */
bool event_note(int program, const struct event_note *note);

#endif

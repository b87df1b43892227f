/* SPDX-License-Identifier: MIT */
/* Floor 4: the streams of the helper, by cookie and by what they need. */
#ifndef MPBPF_AUTH_STREAMS_H
#define MPBPF_AUTH_STREAMS_H

#include "userspace-auth/stream.h"

TAILQ_HEAD(stream_list, stream);

struct streams {
	void *tree;		    /* tsearch(3), by cookie */
	struct stream_list reading; /* they need more bytes; this list and the next are in the order of `since` */
	struct stream_list waiting; /* they need time */
	struct stream_list ready;   /* they had their turn, and could do more */
	struct stream *next;	    /* of those that wait, whose turn it is; NULL: the first one's */
};

void streams_init(struct streams *streams);
/* NULL: there is none. */
struct stream *streams_find(struct streams *streams, uint64_t cookie);
/* Of a connection that comes with these bytes; among those that read. NULL: memory is short. */
struct stream *streams_add(struct streams *streams, const struct ask *ask);
/* since: stream->since when it was placed before; unchanged, it keeps its place. A wait begins when the list changes. */
void streams_place(struct streams *streams, struct stream *stream, struct stream_list *list, int64_t since);
void streams_forget(struct streams *streams, struct stream_env *env, struct stream *stream);
void streams_free(struct streams *streams, struct stream_env *env);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: what `scratches` and `peeks` hold: memory of each CPU, to read heads and first payloads in. */
#ifndef MPBPF_BPF_SCRATCH_TYPES_H
#define MPBPF_BPF_SCRATCH_TYPES_H

#include "kernel.h"
#include "classify_types.h"
#include "http1.h"

/* Where a head is read: see scratch.h. */
#define SCRATCHES 4

/* Where in a message a response head begins, and what goes into it. */
struct heading {
	__u32 off, size; /* of what is left of the message */
	__u32 room;	 /* so many bytes of the message are certain to go out */
	__u32 slot;	 /* in `headers` */
	__u32 generation;
	__u32 line_end; /* what was added begins here, in the head */
};

/* How far a message of the service is read: see response.h. */
struct response_at {
	struct http1_body body; /* conn->response */
	__u64 now;		/* for metrics.h */
	__u32 anchor;		/* conn->response_seq */
	__u32 answered;		/* conn->answered */
	__u32 seq;		/* of the message's first byte */
	__u32 off, size;	/* how far the message is read */
	__u32 room;		/* so many bytes of the message are certain to go out */
	__u32 tunnel;		/* HTTP ends here */
	__u32 spoilt;		/* the message must not be sent */
	__u32 close;		/* HTTP ends here, and what follows could not be judged */
	__u32 unadded;		/* responses whose head will not be found */
};

struct scratch {
	struct http1_buf buf;
	struct http1 head;
	struct path_key path;
	struct host_key host;
	struct verdict_key token;
	__u32 retry_s;	    /* for REQUEST_RATE: see replies.h */
	struct piece piece; /* of responses: see headers.h */
	struct heading heading;
	struct response_at response;
};

struct scratches {
	__u64 busy[SCRATCHES];
	struct scratch slot[SCRATCHES];
};

/* How a first payload is read: see flow.h. */
struct peek {
	struct classify_buf buf;
	struct classified found;
	struct flow flow; /* that is to be remembered */
	__u32 tick;	  /* when `made` began */
	__u32 made;	  /* flows that were begun since */
};

#endif

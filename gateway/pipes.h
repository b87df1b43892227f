/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: the pipes that relayed bytes go through. A connection has one only while bytes of it are under way, so that idle
 * connections cost none; those that come back are kept for the next.
 *
 * The kernel lets a user without CAP_SYS_RESOURCE have fs.pipe-user-pages-soft pages of pipes (16,384) at their usual size, and
 * gives small ones after that. So only the first pipes are made large; small ones are slower, and as right.
 */
#ifndef MPBPF_GATEWAY_PIPES_H
#define MPBPF_GATEWAY_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define PIPE_BYTES_MAX (256 << 10) /* what one may hold; two directions make 512 KiB a connection */
#define PIPES_LARGE 128		   /* so many are enlarged to that size */
#define PIPES_RESERVED 16	   /* there from the start: with every other descriptor in use bytes still move */
#define PIPES_IDLE_MAX 256	   /* kept for reuse */

struct pipe {
	int in, out;
	size_t held; /* bytes in it */
	SLIST_ENTRY(pipe) link;
};

struct pipe_waiter {
	void (*wake)(struct pipe_waiter *waiter); /* a pipe has come back: try again */
	bool waiting;
	TAILQ_ENTRY(pipe_waiter) link;
};

struct pipes {
	SLIST_HEAD(, pipe) idle;
	TAILQ_HEAD(, pipe_waiter) waiters;
	size_t n_idle, n_open;
};

void pipes_init(struct pipes *pipes);
/* Opens PIPES_RESERVED, or as many as there can be. */
void pipes_reserve(struct pipes *pipes);
/* Closes the idle ones; all others must have come back. */
void pipes_close(struct pipes *pipes);

/* An empty pipe; or NULL, when the process can have no more: then `waiter` is woken once when one comes back. */
struct pipe *pipes_take(struct pipes *pipes, struct pipe_waiter *waiter);
/* Gives it back; what it holds is thrown away. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);
/* Wakes all who wait: the process may have other descriptors free by now. To be called now and then. */
void pipes_retry(struct pipes *pipes);
/* Waits no more. Fine for one that does not wait. */
void pipes_leave(struct pipes *pipes, struct pipe_waiter *waiter);

#endif

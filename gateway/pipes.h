/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: the pipes that relayed bytes go through where they are many. A connection has one only while bytes of it are under
 * way, so that idle connections cost none; those that come back are kept for the next.
 *
 * There are no more than PIPES_MAX: slow readers, who keep theirs, take neither the descriptors nor the memory of others. The
 * kernel lets a user without CAP_SYS_RESOURCE have fs.pipe-user-pages-soft pages of pipes (16,384) at their usual size, and gives
 * small ones after that. So only the first are made large. All threads share the one pool, so that these bounds are those of the
 * process and an idle pipe serves whoever needs one; a turn of a transfer takes one, which is seldom enough for a lock.
 */
#ifndef MPBPF_GATEWAY_PIPES_H
#define MPBPF_GATEWAY_PIPES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define PIPE_BYTES_MAX (256 << 10) /* what one may hold; two directions make 512 KiB a connection */
#define PIPES_LARGE 128		   /* so many are enlarged to that size */
#define PIPES_MAX 512		   /* so many there are at most; with these sizes 56 MiB */
#define PIPES_IDLE_MAX 256	   /* kept for reuse */

struct pipe {
	int in, out;
	size_t held; /* bytes in it */
	SLIST_ENTRY(pipe) link;
};

struct pipes {
	pthread_mutex_t lock;
	SLIST_HEAD(, pipe) idle;
	size_t n_idle, n_open;
};

void pipes_init(struct pipes *pipes);
/* Closes the idle ones; all others must have come back. */
void pipes_close(struct pipes *pipes);

/* An empty pipe; or NULL: there are PIPES_MAX, or the process can have no more. */
struct pipe *pipes_take(struct pipes *pipes);
/* Gives it back; what it holds is thrown away. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);

#endif

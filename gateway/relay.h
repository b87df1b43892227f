/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: carries the bytes of two TCP sockets to each other until both have ended: what is little by recv(2) and send(2),
 * what is much by splice(2) through a pipe.
 *
 * What one side does the other sees: bytes in their order, the end of a direction (shutdown), a reset. A side that does not
 * read stops the other one from sending: nothing is read while what was read before has not gone. Urgent data goes as what it
 * is beside that, bytes in their place (RFC 6093): the sockets must be as socket_open() makes them. Neither may be in a sockmap:
 * splice(2) moves nothing there (docs/kernel-notes.md). The process must ignore SIGPIPE, which splice(2) cannot be told not to
 * send.
 */
#ifndef MPBPF_GATEWAY_RELAY_H
#define MPBPF_GATEWAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event_struct.h>

#include "gateway/pipes.h"

#define RELAY_TURN_BYTES (512 << 10) /* then others have their turn */
#define RELAY_COPY_BYTES (16 << 10)  /* so many at once are worth a pipe */

struct relay;

struct relay_rest {
	size_t at, len;
	uint8_t data[];
};

struct relay_side {
	int fd;
	bool readable, writable; /* until the kernel said otherwise */
	struct event event;
};

/* From one side to the other. */
struct relay_flow {
	struct pipe *pipe;	 /* NULL when no byte is under way in one */
	struct relay_rest *rest; /* what was copied and the target has not taken; NULL: nothing */
	bool bulk;		 /* much came the last time */
	bool ended;		 /* the source has ended */
	bool shut;		 /* and the target was told */
};

struct relay_hooks {
	/* So many bytes have reached the other side's socket; from: 0 or 1. */
	void (*moved)(struct relay *relay, int from, size_t bytes);
	/* Both directions have ended, or one side was reset: call relay_close(). The relay does nothing more. */
	void (*over)(struct relay *relay, bool reset);
};

struct relay {
	const struct relay_hooks *hooks;
	struct pipes *pipes;
	struct relay_side side[2];
	struct relay_flow flow[2]; /* flow[i] begins at side[i] */
	bool broken; /* by an error of one side, which the kernel tells once: an end that is read now is none */
};

/* Takes both sockets over, which must be connected, tuned and O_NONBLOCK. 0, or -ENOMEM: then they stay with the caller. */
int relay_open(struct relay *relay, struct event_base *base, struct pipes *pipes, const struct relay_hooks *hooks,
	       int a, int b);
/* Closes both sockets; `reset`: by RST. What is still under way is lost. */
void relay_close(struct relay *relay, bool reset);

#endif

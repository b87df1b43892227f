/* SPDX-License-Identifier: MIT */
/* Floor 4: the way from the helper into guarded sockets: a loopback TCP pair, one end in the sockmap `helper`. */
#ifndef MPBPF_AUTH_CHANNEL_H
#define MPBPF_AUTH_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/maps.h"

struct channel {
	int target_map; /* not owned */
	int helper_map; /* not owned */
	int fd;		/* what is sent here, sk_msg_handback redirects */
	int peer;	/* gets what no target took; to be drained */
	int sink;	/* in the sockmap `sink`: nothing can be sent on it */
	int sink_peer;	/* holds it open */
};

#define CHANNEL_EMPTY { .target_map = -1, .helper_map = -1, .fd = -1, .peer = -1, .sink = -1, .sink_peer = -1 }

/* Makes the sockets and puts them into their maps, the channel last: from there on the kernel asks. Returns 0 or -errno. */
int channel_open(const struct maps *maps, struct channel *ret);
void channel_close(struct channel *channel);

/*
 * channel_hand - into the service's socket of connection `cookie`
 *
 * Never blocks. Returns 0, or -errno when not all was taken: the stream is broken then and must be closed.
 */
int channel_hand(struct channel *channel, uint64_t cookie, const void *data, size_t len);

/*
 * channel_answer - to the client of connection `cookie`
 *
 * Never blocks. Returns how many bytes the connection's send buffer took, at least 1, or -errno; -EAGAIN: it is full.
 */
ssize_t channel_answer(struct channel *channel, uint64_t cookie, const void *data, size_t len);

/* Throws away what came out at the idle end, because its target was gone. */
void channel_drain(struct channel *channel);

#endif

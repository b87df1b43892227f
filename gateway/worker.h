/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: the threads that carry connections. Each has a loop, buffers and connections of its own; a connection stays for its
 * life with the one that took it.
 *
 * What they share (configuration, routes, clusters, the lists of gates and endpoints) changes only while all of them stand still,
 * between two turns of their loops: they read it without a lock, and keep over a turn only what their connections keep alive
 * (a gate, an upstream). Each counts for itself; who wants to know adds up while they stand still. What changes all the time has
 * an owner of its own: a backend's lock for who takes the next connection, the pool of pipes.
 */
#ifndef MPBPF_GATEWAY_WORKER_H
#define MPBPF_GATEWAY_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/http_flow.h"
#include "gateway/loop.h"

struct gate;
struct gateway;

/* Each has its cache lines to itself. */
#define WORKER_ALIGNED __attribute__((aligned(64)))

#define ARRIVALS_MAX 64 /* under way to a worker; then who accepted them keeps them */

/* Accepted by another, and not yet taken. */
struct arrival {
	struct gate *gate;
	int fd;
	struct sockaddr_storage peer;
};

struct worker {
	struct gateway *gateway;
	size_t index;
	struct event_base *base;
	struct http_buffers buffers;
	_Atomic size_t load; /* connections that it has, or that are on their way to it */
	pthread_t thread;
	struct event tick;
	struct wakeup halt;
	struct wakeup arrived;
	uint64_t unrecorded;		       /* events since the last one that was told */
	int64_t silent_until;		       /* CLOCK_MONOTONIC_COARSE, ns: before there is no room for one */
	pthread_mutex_t lock;		       /* of what follows */
	struct arrival arrivals[ARRIVALS_MAX]; /* a ring */
	size_t first, n_arrivals;
} WORKER_ALIGNED;

/* All but their threads. 0 or -errno; workers_free() is due in either case, once they do not run. */
int workers_new(struct gateway *gateway, size_t n);
void workers_free(struct gateway *gateway);

/* Their threads; 0 or -errno, then none runs. */
int workers_start(struct gateway *gateway);
void workers_end(struct gateway *gateway);

/*
 * workers_halt - returns when all workers stand still, between two turns of their loops, and nothing is on its way to one
 *
 * Until workers_go() the caller may do on behalf of each what it could do itself. For one thread at a time. Without running
 * workers both do nothing.
 */
void workers_halt(struct gateway *gateway);
void workers_go(struct gateway *gateway);

/* Has the one with the fewest connections take one that `worker` has accepted. */
void worker_share(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer);
/* The same while they stand still: it is taken at once. */
void workers_take(struct gateway *gateway, struct gate *gate, int fd, const struct sockaddr_storage *peer);

/* A connection has ended. */
static inline void worker_left(struct worker *worker)
{
	atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
}

/* A head and behind it one WORKER_ALIGNED structure for each of `n` workers, zeroed; NULL: out of memory. */
void *shares_alloc(size_t head, size_t share, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* Tests: a thread on each CPU that this process may use, and the frame that it sends. */
#ifndef MPBPF_TESTS_XDP_WORKERS_H
#define MPBPF_TESTS_XDP_WORKERS_H

#include <pthread.h>
#include <stdint.h>

#include "packets.h"
#include "xdp_run.h"

#define WORKERS_MAX 64

struct worker {
	pthread_t thread;
	int cpu;
	struct frame frame;
	uint64_t packets; /* that it sent in this run */
};

extern struct worker workers[WORKERS_MAX];
extern int n_workers;

/* Once, first. Each worker's frame is a TCP packet from `source`. */
void workers_find(const struct xdp_run *of, const char *source);
/* Runs `body` on every CPU at the same time, with its struct worker; returns the packets that were sent. */
uint64_t workers_run(void *(*body)(void *));

/* In a body: */
void worker_pin(const struct worker *w);
/* Sends the frame `n` times; returns the action for the last one. */
int worker_send(struct worker *w, uint32_t n);
/*
 * Lets all workers go within a few nanoseconds of each other, which waking them up would not. `round` counts from 1 and
 * is the same for all of them.
 */
void workers_meet(unsigned int round);

#endif

/* SPDX-License-Identifier: MIT */
/* Tests: the same frames on all CPUs at once. */
#include <sched.h>
#include <stdatomic.h>
#include <bpf/bpf.h>

#include "tap.h"
#include "xdp_workers.h"

#define SPINS 20000

struct worker workers[WORKERS_MAX];
int n_workers;

static const struct xdp_run *run;
static atomic_uint arrived;

void workers_find(const struct xdp_run *of, const char *source)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP, .source = source };
	cpu_set_t cpus;
	int cpu;

	run = of;
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		tap_bail("cannot read the CPU affinity");
	for (cpu = 0; cpu < CPU_SETSIZE && n_workers < WORKERS_MAX; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		workers[n_workers].cpu = cpu;
		packet_build(&spec, &workers[n_workers++].frame);
	}
}

void worker_pin(const struct worker *w)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(w->cpu, &cpus);
	if (pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus))
		tap_bail("cannot run on CPU %d", w->cpu);
}

int worker_send(struct worker *w, uint32_t n)
{
	int action = xdp_run_frame(run, w->frame.bytes, w->frame.len, ALL_LINEAR, n);

	if (action < 0)
		tap_bail("test run failed");
	w->packets += n;
	return action;
}

void workers_meet(unsigned int round)
{
	unsigned int spins = 0;

	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < round * n_workers) {
		if (++spins % SPINS == 0)
			sched_yield();
	}
}

uint64_t workers_run(void *(*body)(void *))
{
	uint64_t sum = 0;
	int i;

	atomic_store(&arrived, 0);
	for (i = 0; i < n_workers; i++) {
		workers[i].packets = 0;
		if (pthread_create(&workers[i].thread, NULL, body, &workers[i]))
			tap_bail("cannot start a thread");
	}
	for (i = 0; i < n_workers; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].packets;
	}
	return sum;
}

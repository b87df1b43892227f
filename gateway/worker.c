// SPDX-License-Identifier: MIT
/* Floor 4: the threads that carry connections. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "gateway/gateway_internal.h"
#include "gateway/http.h"
#include "gateway/session.h"
#include "gateway/worker.h"

#define TICK_MS 500

void *shares_alloc(size_t head, size_t share, size_t n)
{
	size_t size = head + share * n;
	void *shares = aligned_alloc(64, (size + 63) / 64 * 64);

	return shares ? memset(shares, 0, size) : NULL;
}

/* ---- who takes a connection ---- */

/* Of equals who has accepted it: then nothing has to be handed over. */
static struct worker *least_loaded(struct gateway *gateway, struct worker *best)
{
	size_t least = atomic_load_explicit(&best->load, memory_order_relaxed), load;

	for (size_t i = 0; i < gateway->n_workers && least; i++) {
		load = atomic_load_explicit(&gateway->workers[i].load, memory_order_relaxed);
		if (load < least) {
			least = load;
			best = &gateway->workers[i];
		}
	}
	return best;
}

static void connection_take(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer)
{
	if (worker->gateway->config->listeners[gate->index].protocol == LISTENER_HTTP)
		http_accept(worker, gate, fd, peer);
	else
		session_accept(worker, gate, fd, peer);
}

/* false: too many are on their way to it. */
static bool arrival_put(struct worker *worker, const struct arrival *arrival)
{
	size_t n;

	pthread_mutex_lock(&worker->lock);
	n = worker->n_arrivals;
	if (n < ARRIVALS_MAX)
		worker->arrivals[(worker->first + worker->n_arrivals++) % ARRIVALS_MAX] = *arrival;
	pthread_mutex_unlock(&worker->lock);
	/* Behind others it will be seen with them. */
	if (!n)
		wakeup_ring(&worker->arrived);
	return n < ARRIVALS_MAX;
}

static bool arrival_next(struct worker *worker, struct arrival *ret)
{
	bool any;

	pthread_mutex_lock(&worker->lock);
	any = worker->n_arrivals;
	if (any) {
		*ret = worker->arrivals[worker->first++ % ARRIVALS_MAX];
		worker->n_arrivals--;
	}
	pthread_mutex_unlock(&worker->lock);
	return any;
}

static void arrivals_take(struct worker *worker)
{
	struct arrival arrival;

	while (arrival_next(worker, &arrival))
		connection_take(worker, arrival.gate, arrival.fd, &arrival.peer);
}

void worker_share(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer)
{
	struct worker *to = least_loaded(worker->gateway, worker);
	const struct arrival arrival = { .gate = gate, .fd = fd, .peer = *peer };

	atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
	if (to != worker && arrival_put(to, &arrival))
		return;
	if (to != worker) {
		worker_left(to);
		atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
	}
	connection_take(worker, gate, fd, peer);
}

void workers_take(struct gateway *gateway, struct gate *gate, int fd, const struct sockaddr_storage *peer)
{
	struct worker *worker = least_loaded(gateway, &gateway->workers[0]);

	atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
	connection_take(worker, gate, fd, peer);
}

/* ---- their events ---- */

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	http_sweep(data);
}

static void on_arrived(evutil_socket_t fd, short what, void *data)
{
	struct worker *worker = data;

	(void)fd;
	(void)what;
	wakeup_take(&worker->arrived);
	arrivals_take(worker);
}

static void on_halt(evutil_socket_t fd, short what, void *data)
{
	struct worker *worker = data;
	struct gateway *gateway = worker->gateway;

	(void)fd;
	(void)what;
	wakeup_take(&worker->halt);
	pthread_barrier_wait(&gateway->all_stand);
	pthread_barrier_wait(&gateway->all_go);
	if (gateway->ends)
		event_base_loopbreak(worker->base);
}

/* ---- all of them ---- */

void workers_halt(struct gateway *gateway)
{
	if (!gateway->n_running)
		return;
	for (size_t i = 0; i < gateway->n_running; i++)
		wakeup_ring(&gateway->workers[i].halt);
	pthread_barrier_wait(&gateway->all_stand);
	for (size_t i = 0; i < gateway->n_running; i++)
		arrivals_take(&gateway->workers[i]);
}

void workers_go(struct gateway *gateway)
{
	if (gateway->n_running)
		pthread_barrier_wait(&gateway->all_go);
}

/*
 * Whoever a worker wakes, by a byte for a client or an endpoint, need not take its processor at once: it goes on with its other
 * connections, and finds more of them ready at its next look. Whatever policy was given to mpbpfd otherwise stays.
 */
static void worker_batches(void)
{
	struct sched_param parameter;
	int policy;

	if (pthread_getschedparam(pthread_self(), &policy, &parameter) == 0 && policy == SCHED_OTHER)
		pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameter);
}

static void *worker_run(void *data)
{
	struct worker *worker = data;
	char name[16];

	worker_batches();
	snprintf(name, sizeof(name), "gateway/%u", (unsigned int)worker->index);
	pthread_setname_np(pthread_self(), name);
	event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

int workers_start(struct gateway *gateway)
{
	size_t n = 0;
	int r = 0;

	while (n < gateway->n_workers && r == 0) {
		r = pthread_create(&gateway->workers[n].thread, NULL, worker_run, &gateway->workers[n]);
		n += r == 0;
	}
	gateway->n_running = n;
	pthread_barrier_init(&gateway->all_stand, NULL, n + 1);
	pthread_barrier_init(&gateway->all_go, NULL, n + 1);
	if (r)
		workers_end(gateway);
	return -r;
}

void workers_end(struct gateway *gateway)
{
	if (!gateway->n_running)
		return;
	workers_halt(gateway);
	gateway->ends = true;
	workers_go(gateway);
	for (size_t i = 0; i < gateway->n_running; i++)
		pthread_join(gateway->workers[i].thread, NULL);
	gateway->n_running = 0;
	pthread_barrier_destroy(&gateway->all_stand);
	pthread_barrier_destroy(&gateway->all_go);
}

static int worker_new(struct worker *worker, struct gateway *gateway, size_t n)
{
	static const struct timeval tick = { .tv_sec = TICK_MS / 1000, .tv_usec = TICK_MS % 1000 * 1000 };
	int r;

	worker->gateway = gateway;
	worker->index = gateway->n_workers++;
	worker->halt.fd = worker->arrived.fd = -1;
	pthread_mutex_init(&worker->lock, NULL);
	http_buffers_init(&worker->buffers, HTTP_BUFFERS_IDLE / n);
	worker->base = loop_new();
	if (!worker->base)
		return -ENOMEM;
	r = wakeup_open(&worker->halt, worker->base, PRIORITY_CALL, on_halt, worker);
	if (r == 0)
		r = wakeup_open(&worker->arrived, worker->base, PRIORITY_RELAY, on_arrived, worker);
	if (r == 0)
		r = loop_event(worker->base, &worker->tick, -1, EV_PERSIST, on_tick, worker);
	return r == 0 && event_add(&worker->tick, &tick) < 0 ? -ENOMEM : r;
}

int workers_new(struct gateway *gateway, size_t n)
{
	int r = 0;

	gateway->workers = shares_alloc(0, sizeof(*gateway->workers), n);
	if (!gateway->workers)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = worker_new(&gateway->workers[i], gateway, n);
	return r;
}

static void worker_free(struct worker *worker)
{
	http_buffers_close(&worker->buffers);
	wakeup_close(&worker->halt);
	wakeup_close(&worker->arrived);
	if (worker->base) {
		if (event_initialized(&worker->tick))
			event_del(&worker->tick);
		event_base_free(worker->base);
	}
	pthread_mutex_destroy(&worker->lock);
}

void workers_free(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->n_workers; i++)
		worker_free(&gateway->workers[i]);
	free(gateway->workers);
}

// SPDX-License-Identifier: MIT
/* Floor 4: the gateway's own thread, and the way into it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "gateway/backend.h"
#include "gateway/http.h"
#include "gateway/session.h"

#define TELL_LIMIT_S 60

void gateway_note(struct gateway *gateway, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gateway->hooks->note(text);
}

void gateway_note_limit(struct gateway *gateway)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC), told = atomic_load(&gateway->told_of_limit);

	if (told && now - told < TELL_LIMIT_S * NSEC_PER_SEC)
		return;
	if (atomic_compare_exchange_strong(&gateway->told_of_limit, &told, now))
		gateway_note(gateway,
			     "out of file descriptors or memory: new connections wait (see LimitNOFILE, ulimit -n)");
}

/* ---- events ---- */

#define SILENCE_NS (100 * NSEC_PER_MSEC)

static void tell(struct worker *worker, const struct place *source, const struct place *dest,
		 enum connection_reason reason, enum connection_way way, const struct place *endpoint)
{
	const struct gateway_hooks *hooks = worker->gateway->hooks;
	struct event_note note = { .suppressed = worker->unrecorded };
	int64_t now;

	if (!hooks->event)
		return;
	now = clock_ns(CLOCK_MONOTONIC_COARSE);
	if (now < worker->silent_until) {
		worker->unrecorded++;
		return;
	}
	note.event = (struct event_record){
		.kind = EVENT_CONNECTION,
		.reason = reason,
		.detail = way,
		.protocol = IPPROTO_TCP,
		.family = cidr_is_v4(&dest->addr) ? 4 : 6,
		.source = source->addr,
		.source_port = source->port,
		.dest = dest->addr,
		.dest_port = dest->port,
	};
	if (endpoint) {
		note.event.endpoint = endpoint->addr;
		note.event.endpoint_port = endpoint->port;
	}
	if (!hooks->event(hooks->data, &note))
		worker->silent_until = now + SILENCE_NS;
	worker->unrecorded = 0;
}

void gateway_taken(struct worker *worker, const struct place *source, const struct place *dest, enum connection_way way,
		   const struct place *endpoint)
{
	tell(worker, source, dest, CONNECTION_TAKEN, way, endpoint);
}

void gateway_refused(struct worker *worker, const struct place *source, const struct place *dest, enum refusal why)
{
	static const enum connection_reason reasons[REFUSAL_MAX] = {
		[REFUSED_NO_ROUTE] = CONNECTION_NO_ROUTE,   [REFUSED_NO_ENDPOINT] = CONNECTION_NO_ENDPOINT,
		[REFUSED_BAD_PROXY] = CONNECTION_BAD_PROXY, [REFUSED_RESOURCES] = CONNECTION_RESOURCES,
		[REFUSED_UNJUDGED] = CONNECTION_UNJUDGED,   [REFUSED_UNCAPTURED] = CONNECTION_UNCAPTURED,
	};

	tell(worker, source, dest, reasons[why], CONNECTION_NO_WAY, NULL);
}

/* ---- sockets ---- */

int gateway_connect(struct gateway *gateway, const struct place *place, bool spliced)
{
	_cleanup_close_ int fd = socket_open(place, spliced);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && gateway->hooks->connecting)
		r = gateway->hooks->connecting(gateway->hooks->data, fd);
	if (r == 0)
		r = socket_connect(fd, place);
	return r < 0 ? r : TAKE_FD(fd);
}

/* ---- the loop ---- */

static void on_call(evutil_socket_t fd, short what, void *data)
{
	struct gateway *gateway = data;
	struct call *call;

	(void)fd;
	(void)what;
	wakeup_take(&gateway->called);
	pthread_mutex_lock(&gateway->lock);
	call = TAKE_PTR(gateway->call);
	pthread_mutex_unlock(&gateway->lock);
	if (!call)
		return;
	call->function(gateway, call->data);
	pthread_mutex_lock(&gateway->lock);
	call->done = true;
	pthread_cond_signal(&gateway->answered);
	pthread_mutex_unlock(&gateway->lock);
}

void gateway_call(struct gateway *gateway, void (*function)(struct gateway *gateway, void *data), void *data)
{
	struct call call = { .function = function, .data = data };

	if (!gateway->runs) {
		function(gateway, data);
		return;
	}
	pthread_mutex_lock(&gateway->lock);
	gateway->call = &call;
	wakeup_ring(&gateway->called);
	while (!call.done)
		pthread_cond_wait(&gateway->answered, &gateway->lock);
	pthread_mutex_unlock(&gateway->lock);
}

static void *gateway_run(void *data)
{
	struct gateway *gateway = data;

	pthread_setname_np(pthread_self(), "gateway");
	event_base_loop(gateway->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

int gateway_start(struct gateway *gateway)
{
	int r = workers_start(gateway);

	if (r == 0)
		r = -pthread_create(&gateway->thread, NULL, gateway_run, gateway);
	gateway->runs = r == 0;
	return r;
}

/* ---- the whole ---- */

static int gateway_init(struct gateway *gateway, size_t workers)
{
	int r;

	gateway->base = loop_new();
	if (!gateway->base)
		return -ENOMEM;
	r = wakeup_open(&gateway->called, gateway->base, PRIORITY_CALL, on_call, gateway);
	if (r < 0)
		return r;
	return workers_new(gateway, workers < 1 ? 1 : workers > GATEWAY_WORKERS_MAX ? GATEWAY_WORKERS_MAX : workers);
}

int gateway_open(const struct gateway_hooks *hooks, size_t workers, struct gateway **ret)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));
	int r;

	if (!gateway)
		return -ENOMEM;
	gateway->hooks = hooks;
	gateway->called.fd = -1;
	TAILQ_INIT(&gateway->gates);
	TAILQ_INIT(&gateway->backends);
	pipes_init(&gateway->pipes);
	pthread_mutex_init(&gateway->lock, NULL);
	pthread_cond_init(&gateway->answered, NULL);
	r = gateway_init(gateway, workers);
	if (r < 0) {
		gateway_close(gateway);
		return r;
	}
	*ret = gateway;
	return 0;
}

static void sessions_reset(struct gate_share *share)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&share->sessions)))
		session_reset(session);
}

static void gates_close(struct gateway *gateway)
{
	struct gate *gate;

	TAILQ_FOREACH(gate, &gateway->gates, link)
	{
		if (gate->fds[0] >= 0)
			gate_close(gate);
		for (size_t i = 0; i < gateway->n_workers; i++) {
			sessions_reset(&gate->shares[i]);
			http_reset(&gate->shares[i]);
		}
		gate->gone = true;
	}
	gates_settle(gateway);
}

static void on_end(struct gateway *gateway, void *data)
{
	(void)data;
	event_base_loopbreak(gateway->base);
}

void gateway_close(struct gateway *gateway)
{
	if (!gateway)
		return;
	if (gateway->runs) {
		gateway_call(gateway, on_end, NULL);
		pthread_join(gateway->thread, NULL);
	}
	workers_end(gateway);
	gates_close(gateway);
	backends_free(gateway);
	names_close(gateway);
	workers_free(gateway);
	pipes_close(&gateway->pipes);
	wakeup_close(&gateway->called);
	if (gateway->base)
		event_base_free(gateway->base);
	route_table_free(gateway->routes);
	free(gateway->served);
	pthread_cond_destroy(&gateway->answered);
	pthread_mutex_destroy(&gateway->lock);
	free(gateway);
}

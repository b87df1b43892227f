// SPDX-License-Identifier: MIT
/* Floor 4: the gateway's thread and loop, and the way into it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "gateway/backend.h"
#include "gateway/http.h"
#include "gateway/session.h"

#define TICK_MS 500
#define TELL_LIMIT_S 60
/* After so much work in the relays' priority the loop looks whether the agent calls. */
#define DISPATCH_MS 5
#define DISPATCH_CALLBACKS 64

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
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	if (gateway->told_of_limit && now - gateway->told_of_limit < TELL_LIMIT_S * NSEC_PER_SEC)
		return;
	gateway->told_of_limit = now;
	gateway_note(gateway, "out of file descriptors or memory: new connections wait (see LimitNOFILE, ulimit -n)");
}

int gateway_event(struct gateway *gateway, struct event *event, int fd, short what, event_callback_fn function,
		  void *data)
{
	if (event_assign(event, gateway->base, fd, what, function, data) < 0)
		return -ENOMEM;
	event_priority_set(event, PRIORITY_RELAY);
	return 0;
}

/* ---- the loop ---- */

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct gateway *gateway = data;

	(void)fd;
	(void)what;
	http_sweep(gateway);
}

static void on_call(evutil_socket_t fd, short what, void *data)
{
	struct gateway *gateway = data;
	struct call *call;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&gateway->lock);
	call = TAKE_PTR(gateway->call);
	pthread_mutex_unlock(&gateway->lock);
	if (!call)
		return;
	call->function(gateway, call->data);
	pthread_mutex_lock(&gateway->lock);
	call->done = true;
	pthread_cond_signal(&gateway->called);
	pthread_mutex_unlock(&gateway->lock);
}

void gateway_call(struct gateway *gateway, void (*function)(struct gateway *gateway, void *data), void *data)
{
	struct call call = { .function = function, .data = data };
	const uint64_t one = 1;

	if (!gateway->runs) {
		function(gateway, data);
		return;
	}
	pthread_mutex_lock(&gateway->lock);
	gateway->call = &call;
	/* An eventfd that is not near its end takes it. */
	while (write(gateway->call_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	while (!call.done)
		pthread_cond_wait(&gateway->called, &gateway->lock);
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
	int r = pthread_create(&gateway->thread, NULL, gateway_run, gateway);

	if (r)
		return -r;
	gateway->runs = true;
	return 0;
}

/* ---- the whole ---- */

static struct event_base *base_new(void)
{
	const struct timeval interval = { .tv_usec = DISPATCH_MS * 1000 };
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	/* Its sockets and its thread alone: no locks. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_max_dispatch_interval(config, &interval, DISPATCH_CALLBACKS, PRIORITY_RELAY) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (base && event_base_priority_init(base, PRIORITY_MAX) < 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

static int gateway_events(struct gateway *gateway)
{
	static const struct timeval tick = { .tv_sec = TICK_MS / 1000, .tv_usec = TICK_MS % 1000 * 1000 };

	gateway->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (gateway->call_fd < 0)
		return -errno;
	if (gateway_event(gateway, &gateway->call_event, gateway->call_fd, EV_READ | EV_PERSIST, on_call, gateway) <
		    0 ||
	    gateway_event(gateway, &gateway->tick, -1, EV_PERSIST, on_tick, gateway) < 0)
		return -ENOMEM;
	event_priority_set(&gateway->call_event, PRIORITY_CALL);
	if (event_add(&gateway->call_event, NULL) < 0 || event_add(&gateway->tick, &tick) < 0)
		return -ENOMEM;
	return 0;
}

int gateway_open(const struct gateway_hooks *hooks, struct gateway **ret)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));
	int r;

	if (!gateway)
		return -ENOMEM;
	gateway->hooks = hooks;
	gateway->call_fd = -1;
	TAILQ_INIT(&gateway->gates);
	TAILQ_INIT(&gateway->backends);
	http_buffers_init(&gateway->buffers);
	pipes_init(&gateway->pipes);
	pthread_mutex_init(&gateway->lock, NULL);
	pthread_cond_init(&gateway->called, NULL);
	gateway->base = base_new();
	r = gateway->base ? gateway_events(gateway) : -ENOMEM;
	if (r < 0) {
		gateway_close(gateway);
		return r;
	}
	*ret = gateway;
	return 0;
}

static void gates_close(struct gateway *gateway)
{
	struct session *session;
	struct gate *gate;

	while ((gate = TAILQ_FIRST(&gateway->gates))) {
		if (gate->fd >= 0) {
			event_del(&gate->event);
			event_del(&gate->resume);
		}
		close_fd(&gate->fd);
		gate->gone = false; /* not with its last session, but below */
		while ((session = TAILQ_FIRST(&gate->sessions)))
			session_reset(session);
		http_reset(gate);
		gate->gone = true;
		gate_settle(gate);
	}
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
	gates_close(gateway);
	backends_free(gateway);
	names_close(gateway);
	pipes_close(&gateway->pipes);
	http_buffers_close(&gateway->buffers);
	if (gateway->base) {
		event_del(&gateway->call_event);
		event_del(&gateway->tick);
		event_base_free(gateway->base);
	}
	close_fd(&gateway->call_fd);
	route_table_free(gateway->routes);
	free(gateway->served);
	pthread_cond_destroy(&gateway->called);
	pthread_mutex_destroy(&gateway->lock);
	free(gateway);
}

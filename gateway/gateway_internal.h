/* SPDX-License-Identifier: MIT */
/* Floor 4: what the parts of the gateway share. All of it belongs to the gateway's thread. */
#ifndef MPBPF_GATEWAY_GATEWAY_INTERNAL_H
#define MPBPF_GATEWAY_GATEWAY_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "core/config.h"
#include "core/route.h"
#include "gateway/gateway.h"
#include "gateway/http_flow.h"
#include "gateway/pipes.h"
#include "gateway/socket.h"

struct backend;
struct http_client;
struct session;
struct evdns_base;

/* Events of the agent come before those of connections. */
enum { PRIORITY_CALL, PRIORITY_RELAY, PRIORITY_MAX };

struct traffic {
	uint64_t connections, open;   /* made; and not yet ended */
	uint64_t bytes_in, bytes_out; /* from clients, to them */
};

/* Why a connection was refused: it is closed by RST. */
enum refusal {
	REFUSED_NO_ROUTE,    /* no rule leads anywhere */
	REFUSED_NO_ENDPOINT, /* none is healthy, or none could be reached */
	REFUSED_BAD_PROXY,   /* it has to begin with a PROXY header, and did not within the time */
	REFUSED_RESOURCES,   /* memory, descriptors, ports */
	REFUSED_UNJUDGED,    /* http: it is not under guard, so nobody would judge what it sends */
	REFUSAL_MAX
};

/* What mpbpfd itself answers requests with. */
enum http_answer {
	ANSWER_BAD_REQUEST,  /* 400: what the kernel lets pass on a dry run, or a host that is none */
	ANSWER_TOO_LARGE,    /* 431 */
	ANSWER_BAD_RESPONSE, /* 502: it is malformed, or broke off before it began */
	ANSWER_NO_ROUTE,     /* 503 */
	ANSWER_NO_ENDPOINT,  /* 503 */
	ANSWER_RESOURCES,    /* 503 */
	ANSWER_TIMEOUT,	     /* 504 */
	ANSWER_MAX
};

/* A listener. */
struct gate {
	struct gateway *gateway;
	char *name;
	size_t index; /* in the configuration in force */
	bool gone;    /* not in it any more; ends with its last session */
	bool any;
	struct place place;
	int fd; /* -1: does not listen */
	struct event event, resume;
	uint64_t accepted, refused[REFUSAL_MAX];
	struct traffic traffic;
	TAILQ_HEAD(, session) sessions;
	/* http */
	uint64_t requests, answers[ANSWER_MAX], http_connections;
	TAILQ_HEAD(, http_client) clients;
	TAILQ_ENTRY(gate) link;
};

/* A function that the agent's thread has called here, and waits for. */
struct call {
	void (*function)(struct gateway *gateway, void *data);
	void *data;
	bool done;
};

struct gateway {
	struct event_base *base;
	const struct gateway_hooks *hooks;
	const struct config *config; /* in force */
	struct route_table *routes;  /* of that configuration */
	TAILQ_HEAD(gate_list, gate) gates;
	TAILQ_HEAD(, backend) backends;
	struct backend **served; /* by the index of config->services; NULL: memory was short */
	struct pipes pipes;
	struct http_buffers buffers;
	struct event tick;
	struct evdns_base *dns; /* NULL: no name was to be resolved yet */
	size_t questions;	/* to name servers, without answer yet */
	struct event *names_timer;
	_Atomic uint32_t changes; /* of endpoints and of their health */
	int64_t told_of_limit;	  /* CLOCK_MONOTONIC, ns: when it was last said that descriptors are short */
	/* The way in. */
	pthread_t thread;
	bool runs;
	int call_fd; /* eventfd */
	struct event call_event;
	pthread_mutex_t lock; /* of `call` */
	pthread_cond_t called;
	struct call *call;
};

/* Tells the agent's log. */
void gateway_note(struct gateway *gateway, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Assigns an event in the relays' priority; event_add() is the caller's. 0 or -ENOMEM. */
int gateway_event(struct gateway *gateway, struct event *event, int fd, short what, event_callback_fn function,
		  void *data);
/* The endpoints of a cluster are others, or their health is. */
void gateway_changed(struct gateway *gateway);
/* Descriptors are short: said once in a while. */
void gateway_note_limit(struct gateway *gateway);

/* gate.c: starts to accept; stops; forgets one that is gone and has no session. */
int gate_start(struct gate *gate);
void gate_stop(struct gate *gate);
void gate_settle(struct gate *gate);

/* Has `function` called on the gateway's thread, and waits for that. */
void gateway_call(struct gateway *gateway, void (*function)(struct gateway *gateway, void *data), void *data);

/* names.c: asks for the addresses of the backends' names that are none; again and again. */
void names_ask(struct gateway *gateway);
void names_close(struct gateway *gateway);

#endif

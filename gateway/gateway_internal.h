/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: what the parts of the gateway share.
 *
 * The gateway's own thread keeps what all connections go by: it alone changes that, and while it does the workers, which carry
 * the connections, stand still (worker.h).
 */
#ifndef MPBPF_GATEWAY_GATEWAY_INTERNAL_H
#define MPBPF_GATEWAY_GATEWAY_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "core/config.h"
#include "core/route.h"
#include "gateway/gateway.h"
#include "gateway/loop.h"
#include "gateway/pipes.h"
#include "gateway/socket.h"
#include "gateway/worker.h"

struct backend;
struct http_client;
struct session;
struct evdns_base;

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
	REFUSED_UNCAPTURED,  /* captures: who comes was not sent here by the kernel */
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
	ANSWER_OLD_POLICY,   /* 503: it was judged by a policy that a reload has replaced */
	ANSWER_MAX
};

/* What a listener has counted: by each worker, or all together. See counts_add(). */
struct gate_counts {
	uint64_t accepted, refused[REFUSAL_MAX];
	struct traffic traffic;
	/* http */
	uint64_t requests, answers[ANSWER_MAX], http_connections;
};

/* What a worker has of a listener. */
struct gate_share {
	struct gate_counts counts;
	TAILQ_HEAD(, session) sessions;
	TAILQ_HEAD(, http_client) clients;
} WORKER_ALIGNED;

/* A listener. One worker accepts its connections, so that none is woken in vain, and shares them out. */
struct gate {
	struct gateway *gateway;
	char *name;
	size_t index;  /* in the configuration in force */
	bool gone;     /* not in it any more; ends with its last session */
	bool captures; /* then the kernel alone knows where it listens, on this host, for either family */
	bool in;       /* captures what comes: its sockets show where that wanted to go */
	bool any;
	struct place place;
	int fds[2];	   /* -1: does not listen; the second is a capture's for IPv6 */
	uint16_t ports[2]; /* of captures */
	bool told;	   /* the kernel was told of them */
	struct worker *acceptor;
	struct event events[2], resume; /* the acceptor's */
	TAILQ_ENTRY(gate) link;
	struct gate_share shares[]; /* of each worker */
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
	uint32_t policy;	     /* the generation that it is */
	uint32_t policy_since;	     /* the first since when requests are judged as it says */
	struct route_table *routes;  /* of that configuration */
	TAILQ_HEAD(gate_list, gate) gates;
	TAILQ_HEAD(, backend) backends;
	struct backend **served; /* by the index of config->services; NULL: memory was short */
	struct pipes pipes;
	struct evdns_base *dns; /* NULL: no name was to be resolved yet */
	size_t questions;	/* to name servers, without answer yet */
	struct event *names_timer;
	_Atomic uint32_t changes;      /* of endpoints and of their health */
	_Atomic int64_t told_of_limit; /* CLOCK_MONOTONIC, ns: when it was last said that descriptors are short */
	/* Those who carry connections. */
	struct worker *workers;
	size_t n_workers, n_running;
	size_t n_gates; /* that there were: they take turns in who accepts */
	bool ends;
	pthread_barrier_t all_stand, all_go;
	/* The way in. */
	pthread_t thread;
	bool runs;
	struct wakeup called;
	pthread_mutex_t lock; /* of `call` */
	pthread_cond_t answered;
	struct call *call;
};

/* Tells the agent's log. On any thread. */
void gateway_note(struct gateway *gateway, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * A connection from `source` to `dest` was refused, or else taken; endpoint: NULL: not one alone. On the worker's thread. Costs a
 * call of the kernel as long as there is room for events, and then one ten times a second.
 */
void gateway_taken(struct worker *worker, const struct place *source, const struct place *dest, enum connection_way way,
		   const struct place *endpoint);
void gateway_refused(struct worker *worker, const struct place *source, const struct place *dest, enum refusal why);
/* A socket on its way to `place`: as socket_open() and socket_connect(). On any thread. */
int gateway_connect(struct gateway *gateway, const struct place *place, bool spliced);
/* The endpoints of a cluster are others, or their health is. */
void gateway_changed(struct gateway *gateway);
/* Descriptors are short: said once in a while. On any thread. */
void gateway_note_limit(struct gateway *gateway);

/*
 * gate.c, while the workers stand still: starts to accept; stops, once all that came is accepted, or at once; forgets those that
 * are gone and have no connection.
 */
int gate_start(struct gate *gate);
void gate_stop(struct gate *gate);
void gate_close(struct gate *gate);
void gates_settle(struct gateway *gateway);

static inline struct gate_share *gate_share(struct gate *gate, const struct worker *worker)
{
	return &gate->shares[worker->index];
}

/* Adds structures of uint64_t and nothing else. */
static inline void counts_add(void *sum, const void *counts, size_t size)
{
	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)counts)[i];
}

/* Has `function` called on the gateway's thread, and waits for that. */
void gateway_call(struct gateway *gateway, void (*function)(struct gateway *gateway, void *data), void *data);

/* names.c: asks for the addresses of the backends' names that are none; again and again. */
void names_ask(struct gateway *gateway);
void names_close(struct gateway *gateway);

#endif

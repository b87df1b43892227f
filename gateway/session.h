/* SPDX-License-Identifier: MIT */
/* Floor 4: one connection that a gateway has accepted, from there to its end. */
#ifndef MPBPF_GATEWAY_SESSION_H
#define MPBPF_GATEWAY_SESSION_H

#include "gateway/backend.h"
#include "gateway/gateway_internal.h"
#include "gateway/proxy_protocol.h"
#include "gateway/relay.h"

#define CONNECT_TRIES 3	 /* endpoints that a connection is tried with */
#define SHORTAGES_MAX 30 /* waits for a descriptor, of SHORTAGE_MS */
#define SHORTAGE_MS 100
#define CONNECT_MS 3000 /* for each */

/* Until the relay begins. */
struct session_opening {
	struct event event; /* the client, for its PROXY header; then the connection to the endpoint */
	struct event timer;
	struct place tried[CONNECT_TRIES];
	size_t n_tried;
	unsigned int shortages; /* times that there was no descriptor for its connection */
	size_t skip;		/* bytes of the PROXY header that are still to come, and are thrown away */
	uint8_t data[PROXY_READ_MAX];
	size_t len;		    /* of what came behind the header */
	struct proxy_header header; /* as it came, if it did: its values lie in `values` */
	uint8_t values[PROXY_AUTHORITY_MAX + PROXY_UNIQUE_ID_MAX];
};

struct session {
	struct worker *worker;
	struct gate *gate;
	struct upstream *upstream;	  /* NULL: none is chosen */
	struct place source, destination; /* of the client's connection, or as its PROXY header has it */
	int client, server;		  /* the relay's, once there is one; else -1: there is none */
	struct session_opening *opening;  /* NULL: it is relayed */
	struct relay relay;
	TAILQ_ENTRY(session) gate_link, upstream_link;
};

/* Takes the socket over that `gate` has accepted. */
void session_accept(struct worker *worker, struct gate *gate, int client, const struct sockaddr_storage *peer);
/* Both ends get RST. */
void session_reset(struct session *session);
/* preface.c: waits for the PROXY header, then goes on with session_connect(). */
void preface_await(struct session *session);
/* The PROXY header that the endpoint gets, and what the client sent behind its own. */
int preface_send(const struct session *session);

void session_connect(struct session *session);
void session_refuse(struct session *session, enum refusal why);

#endif

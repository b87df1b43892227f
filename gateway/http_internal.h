/* SPDX-License-Identifier: MIT */
/* Floor 4: what the parts of the HTTP gateway share. */
#ifndef MPBPF_GATEWAY_HTTP_INTERNAL_H
#define MPBPF_GATEWAY_HTTP_INTERNAL_H

#include <netinet/in.h>

#include "gateway/http.h"
#include "gateway/http_flow.h"
#include "gateway/http_head.h"

#define HTTP_TRIES 3	      /* endpoints that a request is tried with */
#define HTTP_CONNECT_S 3      /* for each */
#define HTTP_IDLE_S 75	      /* a client's connection without a request */
#define HTTP_TIMEOUT_S 30     /* for an endpoint, where no route says another */
#define HTTP_LINGER_S 2	      /* behind the last response, for the client to close */
#define HTTP_SERVER_IDLE_S 60 /* a connection to an endpoint without a request */
#define HTTP_SERVERS_IDLE 128 /* of an endpoint that are kept, by all workers */
#define HTTP_TURN (512 << 10) /* bytes; then others have their turn */

/* A connection to an endpoint. */
struct http_server {
	struct http_peer peer;
	struct upstream *upstream;
	struct upstream_share *share; /* of it, this worker's */
	struct http_client *client;   /* whose request it carries; NULL: it is idle */
	struct http_client *owner;    /* NULL: anybody's; else a PROXY header has named that client */
	struct event event;
	bool connected;
	bool reused;   /* carried a request before */
	int64_t since; /* CLOCK_MONOTONIC, ns: it is idle */
	TAILQ_ENTRY(http_server) link, idle_link;
};

enum http_phase {
	HTTP_IDLE, /* a request comes next */
	HTTP_CONNECTING,
	HTTP_EXCHANGE,
	HTTP_TUNNEL, /* upgraded: bytes both ways */
	HTTP_LINGER, /* all is said; what comes is thrown away */
};

/* A request and its response. */
struct http_exchange {
	bool old;	     /* the client speaks HTTP/1.0 */
	bool head;	     /* HEAD */
	bool upgrade;	     /* to a WebSocket */
	bool repeatable;     /* safe to be sent twice: idempotent, without body */
	bool keep_alive;     /* as far as the client is concerned */
	bool request_done;   /* its last byte was read */
	bool request_cut;    /* the endpoint takes no more of it */
	bool server_reset;   /* that was said by a reset, before the response had ended */
	bool response_begun; /* a byte of it was read */
	bool response_head;  /* the final response's head was read */
	bool response_done;  /* its last byte was read */
	bool reusable;	     /* the endpoint keeps its connection */
	bool until_close;
	bool retried;
	uint8_t n_tried;
	uint32_t timeout_s;
	struct place tried[HTTP_TRIES];
};

/* A client's connection. */
struct http_client {
	struct http_peer peer;
	struct worker *worker;
	struct gate *gate;
	struct gate_counts *counts; /* of the gate, this worker's */
	struct http_server *server; /* of this request; NULL: none */
	struct http_server *own;    /* idle, and of no other client's use */
	enum http_phase phase;
	bool leaving; /* its connection ends with the response that is under way */
	bool ended;   /* it has half-closed */
	bool reset;   /* it is to be ended by RST */
	bool shut[2]; /* tunnel: the end was passed on, to the server, to the client */
	bool server_ended;
	uint32_t policy;  /* what is to be taken was judged by this generation or a later one */
	uint32_t taken;	  /* requests */
	int64_t deadline; /* CLOCK_MONOTONIC, ns; 0: none */
	size_t moved;	  /* bytes in this turn */
	struct place source, destination;
	char source_text[INET6_ADDRSTRLEN];
	struct event event;
	struct http1 scan; /* of the head that is being read: request or response */
	uint32_t scanned;
	struct http_flow request, response;
	struct http_exchange x;
	TAILQ_ENTRY(http_client) link;
};

/* What a step found. */
enum http_step {
	STEP_WAIT, /* for one of the sockets */
	STEP_MORE, /* something moved */
	STEP_END,  /* the client's connection is over; by RST if `reset` says so */
};

enum http_judged {
	HTTP_JUDGED,	    /* by a policy that the routes in force go with */
	HTTP_JUDGED_BEFORE, /* by an older one */
	HTTP_JUDGED_LATER,  /* by one whose routes come in a moment: http_wake() */
	HTTP_UNJUDGED,	    /* no policy covers the connection any more */
};

/* ---- http_policy.c ---- */

/* A client that was accepted, and what was said of it. */
void http_policy_begin(struct http_client *client, const struct gateway_judged *judged);
/* Of the request that was read and not taken yet. */
enum http_judged http_policy_judged(struct http_client *client);

/* ---- http_client.c ---- */

void http_pump(struct http_client *client);
void http_end(struct http_client *client, bool reset);
/* Reads more from the client; while a response is due, its end and what it sends ahead. */
enum http_step http_client_read(struct http_client *client);
enum http_step http_client_watch(struct http_client *client);
void http_deadline(struct http_client *client, int64_t seconds);

/* ---- http_request.c ---- */

enum http_step http_request_begin(struct http_client *client);
enum http_step http_request_forward(struct http_client *client);
/* This endpoint did not take the request: another may. Never ends the client. */
void http_request_again(struct http_client *client, const char *why);
/* The connection was another request's before, and has ended without a word: sent once more over a new one, if it may be. */
bool http_request_repeat(struct http_client *client);

/* ---- http_response.c ---- */

enum http_step http_response_forward(struct http_client *client);
enum http_step http_tunnel(struct http_client *client);
/* mpbpfd's own answer, instead of a response that has not begun. */
void http_answer(struct http_client *client, enum http_answer answer);

/* ---- http_server.c ---- */

/* An idle connection to the endpoint, picked for this client, that it may use; or NULL. */
struct http_server *http_server_take(struct http_client *client, struct upstream *upstream);
/* A new one, on its way; on_connected will call. Returns 0 or -errno: the endpoint stays picked. */
int http_server_connect(struct http_client *client, struct upstream *upstream);
/* The client is done with it: kept when `reusable`, else closed. */
void http_server_release(struct http_client *client, bool reusable);
void http_server_close(struct http_server *server);
void http_servers_sweep(struct worker *worker, int64_t now);

#endif

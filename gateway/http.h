/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: HTTP gateways, as the rest of the gateway sees them. A client's connection stays; each request on it goes where the
 * routes say, over a connection to an endpoint that is taken from the endpoint's idle ones or made, and goes back there when the
 * response is complete. Both are the worker's that took the client.
 */
#ifndef MPBPF_GATEWAY_HTTP_H
#define MPBPF_GATEWAY_HTTP_H

#include "gateway/backend.h"
#include "gateway/gateway_internal.h"

/* Takes the socket over that `gate` has accepted. */
void http_accept(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer);
/* The gate speaks no HTTP any more, or is gone; the workers stand still: idle connections end, others with their response. */
void http_leave(struct gate *gate);
/* A configuration comes; the workers stand still: requests that wait for its routes go on. */
void http_wake(struct gate *gate);
/* http_policy.c: `config` comes in the place of gateway->config, which it may judge unlike. */
void http_policy_change(struct gateway *gateway, const struct config *config);
/* Ends all connections of a worker to a gate at once. */
void http_reset(struct gate_share *share);

/* Closes a worker's connections to an endpoint that carry no request; those that do, too, and what they carry. */
void http_drop_idle(struct upstream_share *share);
void http_drop_all(struct upstream_share *share);

/* Once a tick: what has taken too long, and what was idle for too long. */
void http_sweep(struct worker *worker);

#endif

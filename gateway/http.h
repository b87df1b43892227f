/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: HTTP gateways, as the rest of the gateway sees them. A client's connection stays; each request on it goes where the
 * routes say, over a connection to an endpoint that is taken from the endpoint's idle ones or made, and goes back there when the
 * response is complete. All of it belongs to the gateway's thread.
 */
#ifndef MPBPF_GATEWAY_HTTP_H
#define MPBPF_GATEWAY_HTTP_H

#include "gateway/backend.h"
#include "gateway/gateway_internal.h"

/* Takes the socket over that `gate` has accepted. */
void http_accept(struct gate *gate, int fd, const struct sockaddr_storage *peer);
/* The gate speaks no HTTP any more, or is gone: idle connections end, others with their response. */
void http_leave(struct gate *gate);
/* Ends all connections of a gate at once. */
void http_reset(struct gate *gate);

/* Closes connections to the endpoint that carry no request; those that do, too, and what they carry. */
void http_drop_idle(struct upstream *upstream);
void http_drop_all(struct upstream *upstream);

/* Once a tick: what has taken too long, and what was idle for too long. */
void http_sweep(struct gateway *gateway);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 4: tries whether an endpoint is healthy, again and again. */
#ifndef MPBPF_GATEWAY_PROBE_H
#define MPBPF_GATEWAY_PROBE_H

struct probe;
struct upstream;

/*
 * probe_open - tries the upstream at once and then in its service's interval, and says so by upstream_report()
 *
 * Type tcp: it takes a connection. Type http: it answers GET with a status from 200 to 399. Both begin with the PROXY header
 * that connections to the service have. NULL: out of memory.
 */
struct probe *probe_open(struct upstream *upstream);
/* NULL is fine. */
void probe_close(struct probe *probe);

#endif

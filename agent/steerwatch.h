/* SPDX-License-Identifier: MIT */
/* Floor 5: what is steered follows the gateways: their configuration, endpoints, health, and the services' listening sockets. */
#ifndef MPBPF_AGENT_STEERWATCH_H
#define MPBPF_AGENT_STEERWATCH_H

struct agent;
struct steerwatch;

/* Looks at once, then some times a second. 0, also where this kernel cannot steer, which is said; or -errno. */
int steerwatch_open(struct agent *agent, struct steerwatch **ret);
/* Looks now: a configuration was put in force. NULL is fine. */
void steerwatch_look(struct steerwatch *watch);
/* NULL is fine. Connections are steered on, by what was seen last. */
void steerwatch_close(struct steerwatch *watch);

#endif

/* SPDX-License-Identifier: MIT */
/* Floor 5: the kernel's own SYN cookies follow the SYN guard. */
#ifndef MPBPF_AGENT_SYNWATCH_H
#define MPBPF_AGENT_SYNWATCH_H

struct agent;
struct synwatch;

/* Looks at once, then some times a second. 0 or -errno. */
int synwatch_open(struct agent *agent, struct synwatch **ret);
/* NULL is fine. What was set stays, for the data path does. */
void synwatch_close(struct synwatch *watch);

#endif

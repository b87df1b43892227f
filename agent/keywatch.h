/* SPDX-License-Identifier: MIT */
/* Floor 5: puts the configuration in force anew when a file of secrets or keys has changed. */
#ifndef MPBPF_AGENT_KEYWATCH_H
#define MPBPF_AGENT_KEYWATCH_H

struct agent;
struct keywatch;

/* Starts to watch on the agent's event base. 0 or -errno. */
int keywatch_open(struct agent *agent, struct keywatch **ret);
void keywatch_close(struct keywatch *watch);

#endif

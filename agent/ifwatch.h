/* SPDX-License-Identifier: MIT */
/* Floor 5: the agent protects interfaces again that went away and came back under the same name. */
#ifndef MPBPF_AGENT_IFWATCH_H
#define MPBPF_AGENT_IFWATCH_H

struct event_base;
struct ifwatch;
struct runtime;

/* pin_root and runtime must outlive it. 0 or -errno. */
int ifwatch_open(struct event_base *base, const char *pin_root, const struct runtime *runtime, struct ifwatch **ret);
/* NULL is fine. */
void ifwatch_close(struct ifwatch *watch);

#endif

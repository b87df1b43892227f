/* SPDX-License-Identifier: MIT */
/* Floor 5: what is captured follows the configuration, the gateway's endpoints, and cgroups that come and go. */
#ifndef MPBPF_AGENT_CAPTUREWATCH_H
#define MPBPF_AGENT_CAPTUREWATCH_H

#include <stdbool.h>

struct agent;
struct capturewatch;
struct cJSON;

/* 0 and *ret, NULL where the kernel cannot capture; or -errno. To be called when the relay runs. */
int capturewatch_open(struct agent *agent, struct capturewatch **ret);
/* At once, rather than within a fraction of a second: the configuration is another. NULL is fine. */
void capturewatch_look(struct capturewatch *watch);
/* Attachments stay. NULL is fine. */
void capturewatch_close(struct capturewatch *watch);

/* Adds the object `capture`. false: out of memory. */
bool capturewatch_stats(const struct agent *agent, struct cJSON *json);

#endif

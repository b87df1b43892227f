/* SPDX-License-Identifier: MIT */
/* Floor 5: keeps control.wall_offset_ns right when the clock is set. */
#ifndef MPBPF_AGENT_CLOCKWATCH_H
#define MPBPF_AGENT_CLOCKWATCH_H

struct control;
struct event_base;
struct clockwatch;

/* Starts to watch on `base`. 0 or -errno. */
int clockwatch_open(struct event_base *base, struct control *control, struct clockwatch **ret);
void clockwatch_close(struct clockwatch *watch);

#endif

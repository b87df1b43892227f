/* SPDX-License-Identifier: MIT */
/* Floor 5: the agent deletes networks that have expired from the lists of `mpbpf block` and `mpbpf allow`. */
#ifndef MPBPF_AGENT_LISTS_H
#define MPBPF_AGENT_LISTS_H

struct event_base;
struct list_watch;
struct maps;

/* pin_root and maps must outlive it. 0 or -errno. */
int list_watch_open(struct event_base *base, const char *pin_root, const struct maps *maps, struct list_watch **ret);
/* NULL is fine. */
void list_watch_close(struct list_watch *watch);

#endif

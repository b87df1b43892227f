/* SPDX-License-Identifier: MIT */
/* Floor 4: event loops of the gateway's threads, and how one thread wakes another. */
#ifndef MPBPF_GATEWAY_LOOP_H
#define MPBPF_GATEWAY_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

/* What other threads ask for comes before what connections do. */
enum { PRIORITY_CALL, PRIORITY_RELAY, PRIORITY_MAX };

/* A loop for one thread, without locks; or NULL: out of memory. */
struct event_base *loop_new(void);
/* Assigns an event in the relays' priority; event_add() is the caller's. 0 or -ENOMEM. */
int loop_event(struct event_base *base, struct event *event, int fd, short what, event_callback_fn function,
	       void *data);

/* Has a function called on the loop's thread, once for all rings before it is. */
struct wakeup {
	int fd; /* eventfd; -1: not open */
	struct event event;
};

/* 0 or -errno; then wakeup_close() is due as well. The function calls wakeup_take() first. */
int wakeup_open(struct wakeup *wakeup, struct event_base *base, int priority, event_callback_fn function, void *data);
void wakeup_close(struct wakeup *wakeup);
/* On any thread. */
void wakeup_ring(const struct wakeup *wakeup);
void wakeup_take(const struct wakeup *wakeup);

#endif

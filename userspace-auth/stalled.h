/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: request bodies that stand still.
 *
 * The kernel notes when the last piece of a body came (conn.moved_at); this looks through `conns` for those that came too
 * long ago, a batch at a time, so that however many connections there are, the loop is not held up.
 */
#ifndef MPBPF_AUTH_STALLED_H
#define MPBPF_AUTH_STALLED_H

struct closing;
struct event_base;
struct stalled;
struct stream_env;

/* Starts to look, on `base`, by the configuration in force (clients.body_timeout_s). Returns 0 or -errno. */
int stalled_open(struct stream_env *env, struct closing *closing, struct event_base *base, struct stalled **ret);
/* Another configuration is in force. */
void stalled_renew(struct stalled *stalled);
/* NULL is fine. */
void stalled_close(struct stalled *stalled);

#endif

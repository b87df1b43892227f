/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: sockets of sock_diag(7), one for each network namespace that has a connection to close.
 *
 * Such a socket sees the namespace that it was opened in. Those of other namespaces than mpbpfd's own are opened by a
 * process that may enter them (the porter, see agent/porter.h) and passed on. They are closed soon after their last
 * use, for they keep their namespace alive.
 */
#ifndef MPBPF_AUTH_DOORS_H
#define MPBPF_AUTH_DOORS_H

#include <stdint.h>

#define DOORS_MAX \
	256 /* namespaces at a time; beyond it the one that was used longest ago is closed, but each is open for a second */

struct event_base;
struct doors;

/* To the porter: open a socket in the namespace with this cookie (SO_NETNS_COOKIE). One message each, as the answer. */
struct door_request {
	uint64_t netns;
};

/* From the porter, with the socket (SCM_RIGHTS) if `error` is 0; else -ESRCH: no such namespace was found, or -errno. */
struct door_answer {
	uint64_t netns;
	int32_t error;
	int32_t pad;
};

/* The porter's part: sends it, with `fd`; -1: without. Returns 0 or -errno. */
int door_answer_send(int socket, const struct door_answer *answer, int fd);
/*
 * doors_open - opens the door of this thread's own network namespace, which stays open
 *
 * porter: a connected SOCK_SEQPACKET socket, which the caller keeps open as long; -1: there is none. Returns 0 or -errno.
 */
int doors_open(int porter, struct event_base *base, struct doors **ret);
/* NULL is fine. */
void doors_close(struct doors *doors);
/*
 * doors_get - the socket for a namespace, which is the doors' own and good until the loop goes on
 *
 * netns: its cookie; 0: not known, the thread's own is meant. Returns the socket, -EAGAIN: it is being opened, ask again
 * soon, or -errno: it cannot be had; -EPIPE: there is no porter.
 */
int doors_get(struct doors *doors, uint64_t netns);

#endif

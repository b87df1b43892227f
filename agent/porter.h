/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: the porter, a process that may enter the network namespaces of this node, so that mpbpfd itself need not.
 *
 * All it does is to open a socket of sock_diag(7) in the namespace whose cookie it is told, and to hand it over
 * (userspace-auth/doors.h). It begins before mpbpfd has read or opened anything, holds nothing of it but stderr, keeps the
 * three capabilities that this takes, and ends with it.
 */
#ifndef MPBPF_AGENT_PORTER_H
#define MPBPF_AGENT_PORTER_H

#include <stdbool.h>
#include <sys/types.h>

struct porter {
	int fd; /* SOCK_SEQPACKET; -1: there is none */
	pid_t pid;
};

#define PORTER_NONE ((struct porter){ .fd = -1 })

/*
 * porter_start - argv: main()'s, which is the porter's name in its own process; the caller has one thread
 *
 * Without the rights for it there is none, which is logged and no error. Returns 0 or -errno, logged.
 */
int porter_start(int argc, char **argv, struct porter *ret);
/* After SIGCHLD. */
void porter_reap(struct porter *porter);

#endif

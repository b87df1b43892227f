/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: one TCP connection, asked about or cut off through the kernel's socket diagnosis (sock_diag(7)).
 *
 * A connection is named by its addresses, as its owner sees them, and by its socket cookie; the cookie decides, so a
 * new connection with the same addresses is never taken for the old one.
 *
 * To be sure that a connection is gone, the kernel's whole table of connections has to be walked (about half a
 * millisecond): a caller with many to close leaves out those that `conns` does not know any more.
 */
#ifndef MPBPF_CORE_SOCK_DIAG_H
#define MPBPF_CORE_SOCK_DIAG_H

#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

/* A socket for the calls below, bound to the caller's network namespace for good. Returns 0 or -errno. */
int sock_diag_open(int *ret_fd);

/*
 * sock_diag_destroy - cuts the connection off: the peer gets RST, its owner ECONNABORTED; needs CAP_NET_ADMIN
 * local, remote: IPv4 addresses mapped, also for an IPv6 socket that speaks IPv4; ports in wire order
 *
 * Returns 0, -ENOENT: there is no such connection (any more), or -errno (-EPERM; -EOPNOTSUPP: a kernel without
 * CONFIG_INET_DIAG_DESTROY).
 */
int sock_diag_destroy(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		      uint64_t cookie);

/*
 * sock_diag_unacked - bytes that were written to the connection and that the peer has not yet acknowledged
 *
 * Counts what TCP itself has accepted; bytes that a BPF redirect still queues in front of it are not in it. Returns the
 * number (at most INT_MAX; a FIN under way counts as one), -ENOENT as above, or -errno.
 */
int sock_diag_unacked(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		      uint64_t cookie);

/*
 * sock_diag_unread - memory of what came on the connection and was not read by its owner, headers and all; 0: nothing
 *
 * Not the receive queue that ss(8) shows: where a verdict program took bytes away, that may never come back to 0. Bytes
 * that a BPF redirect put into the socket are not in it. Returns at most INT_MAX, -ENOENT as above, or -errno.
 */
int sock_diag_unread(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		     uint64_t cookie);

/*
 * sock_diag_listener - the cookie of the socket that a connection from this host to (local, lport) would come to
 * local: IPv4 addresses mapped
 *
 * Of several that share the port (SO_REUSEPORT) it is one. Returns 0, -ENOENT: nobody listens there, or -errno.
 */
int sock_diag_listener(int fd, const struct addr *local, __be16 lport, uint64_t *ret_cookie);

#endif

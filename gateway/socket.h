/* SPDX-License-Identifier: MIT */
/* Floor 4: TCP sockets: their addresses as the rest of the program has them, their errors, their end. */
#ifndef MPBPF_GATEWAY_SOCKET_H
#define MPBPF_GATEWAY_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

/* An address and a port; IPv4 mapped. */
struct place {
	struct addr addr;
	__be16 port;
};

/* From an IPv4 or IPv6 socket address. */
void place_from(const struct sockaddr_storage *from, struct place *ret);
/* As AF_INET when it is IPv4, else as AF_INET6. Returns the length. */
socklen_t place_to(const struct place *place, struct sockaddr_storage *ret);

/* "192.0.2.1:80" or "[2001:db8::1]:80". */
#define PLACE_TEXT_MAX 56
void place_text(const struct place *place, char ret[PLACE_TEXT_MAX]);

/* The error that waits on a socket, which takes it away; 0: none. */
int socket_error(int fd);
/* The connection is over in both directions. */
bool socket_is_closed(int fd);
/* Of a connection. ICMP's errors, which SO_ERROR tells as well, are none that end it (RFC 5927, section 4.1). */
bool socket_is_reset(int fd);
/* close(2) will send RST, and throw away what was not sent. */
void socket_reset_on_close(int fd);
/* Whether urgent bytes are in their place. Accepted sockets inherit it. */
void socket_inline(int fd, bool in);

/*
 * What every socket of a gateway has: no delay of small segments; recvmsg(2) tells what is left; the peer's silent death is noticed.
 * spliced: bytes will be moved by splice(2), and urgent ones are in their place from the start; a data path leaves such a socket to
 * TCP alone (fast_is_urgent() in bpf/include/pairing.h).
 *
 * socket_listen - a TCP socket that listens at `place`, not blocking
 * any: every address of both families, or of IPv4 where there is no IPv6; place->addr is not looked at. An address of IPv6
 * is that address alone, "::ffff:0.0.0.0" every one of IPv4.
 *
 * Returns the file descriptor or -errno.
 */
int socket_listen(const struct place *place, bool any, bool spliced);
/* A TCP socket that can connect to `place`. Returns the file descriptor or -errno. */
int socket_open(const struct place *place, bool spliced);
/* Puts it on its way; it is writable once that is decided. Returns 0 or -errno. */
int socket_connect(int fd, const struct place *place);
/* The address of this host from which packets to `to` are sent. Returns 0 or -errno. */
int socket_source(const struct place *to, struct addr *ret);

#endif

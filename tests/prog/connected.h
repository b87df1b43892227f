/* SPDX-License-Identifier: MIT */
/* Tests: a TCP connection over loopback, for the maps that want a socket of one. */
#ifndef MPBPF_TESTS_CONNECTED_H
#define MPBPF_TESTS_CONNECTED_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

/* The one that listened, and both ends. */
struct connected {
	int listener, client, server;
};

static inline void connected_open(struct connected *ret)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	ret->listener = socket(AF_INET, SOCK_STREAM, 0);
	ret->client = socket(AF_INET, SOCK_STREAM, 0);
	if (ret->listener < 0 || ret->client < 0 || bind(ret->listener, (struct sockaddr *)&addr, len) ||
	    listen(ret->listener, 1) || getsockname(ret->listener, (struct sockaddr *)&addr, &len) ||
	    connect(ret->client, (struct sockaddr *)&addr, len))
		tap_bail("no connection over loopback: %s", strerror(errno));
	ret->server = accept(ret->listener, NULL, NULL);
	if (ret->server < 0)
		tap_bail("no connection over loopback: %s", strerror(errno));
}

static inline void connected_close(struct connected *c)
{
	close(c->listener);
	close(c->client);
	close(c->server);
}

#endif

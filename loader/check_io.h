/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: `mpbpf check`, connections under guard whose both ends are held by one process. Nothing here blocks: every
 * wait has an end.
 */
#ifndef MPBPF_LOADER_CHECK_IO_H
#define MPBPF_LOADER_CHECK_IO_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/stats.h"
#include "loader/check.h"

struct peers {
	int client, server;
	uint64_t cookie; /* of the server's socket, the key in `conns` */
};

#define PEERS_EMPTY { .client = -1, .server = -1 }

/* SO_SNDBUF and SO_RCVBUF; 0: the kernel's default. */
struct peers_buffers {
	int client_send, client_receive, server_send, server_receive;
};

/* The functions that take a struct check return 0, or check_fail() with `what` in its words. */

/* Connects to c->listener and accepts; the connection is under guard. buffers: NULL for defaults. */
int peers_open(struct check *c, const struct peers_buffers *buffers, struct peers *ret);
/* For _cleanup_(peers_close). */
void peers_close(struct peers *peers);

int io_say(struct check *c, int fd, const void *data, size_t len, const char *what);
/* These bytes come, and none but these. */
int io_expect(struct check *c, int fd, const void *data, size_t len, const char *what);
/* These bytes come first; more may follow them. */
int io_expect_first(struct check *c, int fd, const void *data, size_t len, const char *what);
/* Nothing comes for CHECK_QUIET_MS. */
int io_expect_silence(struct check *c, int fd, const char *what);
/* A whole answer for `reason` (replies.h) comes, of `len` bytes in all (0: any); nothing behind it. */
int io_expect_reply(struct check *c, int fd, enum request_reason reason, size_t len, const char *what);

/* The length of the answer that buf (terminated) begins with; 0: it is not the one for `reason`, or not whole. */
size_t io_reply_length(const char *buf, size_t n, enum request_reason reason);

/* Waits for something to read, at most `ms`. */
bool io_wait(int fd, short events, int ms);
int64_t io_now_ms(void);

/* What is known of the connection. 0 or -errno. */
int peers_conn(const struct check *c, const struct peers *peers, struct conn *ret);
/* Waits until the connection is in this state again. */
int peers_wait_state(struct check *c, const struct peers *peers, enum conn_state state, const char *what);

/* A request head for `path`, with `fields` (each ended by CRLF). Returns its length. */
size_t io_request(char *ret, size_t size, const char *method, const char *path, const char *fields);
/* Bytes that differ from those a few, or a page, or a buffer further on. */
void io_pattern(char *ret, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/* What the tests of streams share: what stands for the kernel and the channel to it, and one stream. */
#ifndef MPBPF_TESTS_STREAM_KERNEL_H
#define MPBPF_TESTS_STREAM_KERNEL_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <bpf/bpf.h>

#include "core/policy_keys.h"
#include "userspace-auth/stream.h"

#define KERNEL_HOST 5 /* metric_key.host of kernel.host */
#define NO_TOKEN "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* What stands for the kernel, and what came to it. */
static struct {
	struct conn conn;
	struct listener listener;
	bool guarded;	   /* the configuration has a listener for the connection */
	int deny;	   /* result of CONN_OP_DENY */
	uint32_t retry_s;  /* over a limit: CONN_OP_ALLOW says so and for how long */
	size_t room;	   /* bytes that the send buffer takes */
	char client[1024]; /* what the client got */
	size_t client_len;
	size_t service_len;	 /* bytes that the service got */
	uint32_t denials, last;	 /* CONN_OP_DENY that succeeded, and their last reason */
	uint32_t state;		 /* what the connection was returned to */
	uint8_t answering;	 /* what the last CONN_OP_TAKEN or CONN_OP_RETURN said */
	uint32_t asks, asks_max; /* CONN_OP_ASK, and how many of them are within the rate */
	uint32_t allowed, would; /* CONN_OP_ALLOW, and the last denial that a dry run let pass */
	uint32_t acked;		 /* what the client has acknowledged */
	int give_back;		 /* result of CONN_OP_RETURN */
	uint8_t switched;	 /* the service has answered 101 */
	const char *host;	 /* of metrics.hosts; NULL: none is */
	uint8_t counted;	 /* the host that the last CONN_OP_ALLOW or CONN_OP_DENY counts under */
} kernel;

static struct control control = { .generation = 1 };
static struct config config;
static struct maps maps;
static struct stream_env env;
static struct stream *stream;

/* Whether the key is for kernel.host, which is no wildcard. */
static inline bool kernel_host(const struct host_key *key)
{
	struct host_key want;

	return kernel.host && !host_key_of(kernel.host, control.generation, &want) &&
	       key->prefixlen == want.prefixlen && key->generation == want.generation &&
	       !memcmp(key->host, want.host, (want.prefixlen - 32) / 8);
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	(void)key;
	if (fd == MAP_CONNS)
		memcpy(value, &kernel.conn, sizeof(kernel.conn));
	else if (fd == MAP_LISTENERS && kernel.guarded)
		memcpy(value, &kernel.listener, sizeof(kernel.listener));
	else if (fd == MAP_HOSTS && kernel_host(key))
		*(__u32 *)value = KERNEL_HOST;
	else
		return -(errno = ENOENT);
	return 0;
}

int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	struct conn_op *op = opts->data_out;

	(void)fd;
	op->result = 0;
	op->out_acked = kernel.acked;
	op->out_switched = kernel.switched;
	if (op->op == CONN_OP_ALLOW || op->op == CONN_OP_DENY)
		kernel.counted = op->host;
	if (op->op == CONN_OP_ALLOW && kernel.retry_s) {
		op->result = -EDQUOT;
		op->retry_s = kernel.retry_s;
	} else if (op->op == CONN_OP_DENY) {
		op->result = kernel.deny;
		kernel.denials += !kernel.deny;
		kernel.last = op->reason;
	} else if (op->op == CONN_OP_ALLOW) {
		kernel.allowed++;
		kernel.would = op->would;
	} else if (op->op == CONN_OP_ASK && ++kernel.asks > kernel.asks_max) {
		op->result = -EDQUOT;
		op->retry_s = 7;
	} else if (op->op == CONN_OP_TAKEN || op->op == CONN_OP_RETURN) {
		kernel.answering = op->answering;
		if (op->would)
			kernel.would = op->would;
		if (op->op == CONN_OP_RETURN)
			op->result = kernel.give_back;
		if (op->op == CONN_OP_RETURN && !op->result)
			kernel.state = op->state;
	}
	opts->retval = XDP_PASS;
	return 0;
}

ssize_t channel_answer(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	size_t n = len < kernel.room ? len : kernel.room;

	(void)channel;
	(void)cookie;
	if (!n)
		return -EAGAIN;
	assert_true(kernel.client_len + n < sizeof(kernel.client));
	memcpy(kernel.client + kernel.client_len, data, n);
	kernel.client_len += n;
	kernel.room -= n;
	return n;
}

int channel_hand(struct channel *channel, uint64_t cookie, const void *data, size_t len)
{
	(void)channel;
	(void)cookie;
	(void)data;
	kernel.service_len += len;
	return 0;
}

static inline enum stream_result asked(const char *bytes)
{
	assert_int_equal(stream_append(&env, stream, bytes, strlen(bytes)), 0);
	return stream_run(&env, stream);
}

static inline enum stream_result again(size_t room)
{
	kernel.room = room;
	return stream_run(&env, stream);
}

static inline int setup(void **state)
{
	int i;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.guarded = true;
	kernel.listener.flags = LISTENER_REQUIRE_AUTH;
	kernel.state = CONN_STATE_MAX;
	for (i = 0; i < MAP_MAX; i++)
		maps.fd[i] = i;
	maps.control = &control;
	config = (struct config){ .clients = { .max_held_bytes = 1 << 20, .asks = { .enabled = true } } };
	kernel.asks_max = UINT32_MAX;
	env = (struct stream_env){ .judge = { .maps = &maps, .config = &config } };
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -1;
	stream->counted = 1;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	stream_free(&env, stream);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

/* SPDX-License-Identifier: MIT */
/* Tests: conn_update, loaded by itself, and one connection that it is run on. */
#ifndef MPBPF_TESTS_CONN_RUN_H
#define MPBPF_TESTS_CONN_RUN_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"
#include "tap.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define COOKIE 4711

static struct bpf_object *object;
static int program, conns;

static int map_fd(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		tap_bail("no map %s", name);
	return fd;
}

static void conn_run_open(void)
{
	const char *path = getenv("MPBPF_BPF_OBJ");
	struct bpf_program *p;

	object = bpf_object__open_file(path ? path : MPBPF_BUILD "/mpbpf.bpf.o", NULL);
	if (!object)
		tap_bail("the object cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program(p, object)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), "conn_update"));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sources"), 2048);
	if (bpf_object__load(object))
		tap_bail("the object cannot be loaded: %s", strerror(errno));
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "conn_update"));
	conns = map_fd("conns");
}

static void conn_put(const struct conn *conn)
{
	__u64 cookie = COOKIE;
	struct conn record = *conn;

	record.cookie = record.cookie ?: COOKIE;
	if (bpf_map_update_elem(conns, &cookie, &record, BPF_ANY))
		tap_bail("no connection: %s", strerror(errno));
}

/* Runs an operation on the connection. Returns op->result; its outputs are in op. */
static int conn_run(struct conn_op *op)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = op, .data_size_in = sizeof(*op), .data_out = op,
		    .data_size_out = sizeof(*op), .repeat = 1);

	op->cookie = COOKIE;
	if (bpf_prog_test_run_opts(program, &opts) || opts.retval != XDP_PASS)
		tap_bail("conn_update does not run: %s", strerror(errno));
	return op->result;
}

#endif

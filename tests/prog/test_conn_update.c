// SPDX-License-Identifier: MIT
/* Tests: how a connection comes back from the helper: by compare-and-set, to the right agent's only, and as a tunnel after a 101. */
#include "conn_run.h"
#include "connected.h"

#define EPOCH 3

static struct conn conn_now(void)
{
	__u64 cookie = COOKIE;
	struct conn conn;

	if (bpf_map_lookup_elem(conns, &cookie, &conn))
		tap_bail("no connection: %s", strerror(errno));
	return conn;
}

/* The helper was asked `asked` bytes of this connection, and one request of it is under way. */
static void put(__u64 asked, __u8 flags)
{
	struct conn conn = {
		.state = CONN_HELPER, .flags = flags, .asked = asked, .helper_epoch = EPOCH, .allowed = 1
	};

	conn_put(&conn);
}

static void conn_dry(void)
{
	struct conn conn = conn_now();

	conn.listener.flags |= LISTENER_DRY_RUN;
	conn_put(&conn);
}

static int give_back(__u64 taken, __u32 state, struct conn_op *ret)
{
	*ret = (struct conn_op){ .op = CONN_OP_RETURN, .helper_epoch = EPOCH, .taken = taken, .state = state };
	if (state != CONN_HEAD)
		ret->request = (struct http1_body){ .kind = BODY_LENGTH, .left = 77 };
	return conn_run(ret);
}

static int run(__u32 kind)
{
	struct conn_op op = { .op = kind, .helper_epoch = EPOCH };

	return conn_run(&op);
}

static void test_compare_and_set(void)
{
	static const __u32 states[] = { CONN_HEAD, CONN_BODY, CONN_DISCARD, CONN_TUNNEL };
	struct conn_op op;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		put(1000, 0);
		/* 400 bytes were asked behind those that the helper knows of. */
		CHECK(give_back(600, states[i], &op) == -EAGAIN, "returned, with bytes under way: %d", op.result);
		CHECK(conn_now().state == CONN_HELPER, "state %u", conn_now().state);
		CHECK(conn_now().request.left == 0, "the body of what is not returned");
		CHECK(conn_now().returned == 600 && op.out_asked == 1000, "returned %llu", conn_now().returned);
		CHECK(op.out_state == CONN_HELPER && !op.out_switched, "told state %u", op.out_state);
		CHECK(give_back(1000, states[i], &op) == 0, "not returned: %d", op.result);
		CHECK(conn_now().state == states[i], "state %u, not %u", conn_now().state, states[i]);
		CHECK(conn_now().request.left == (states[i] == CONN_HEAD ? 0 : 77), "the body is not what it was");
		CHECK(give_back(1000, states[i], &op) == -ESTALE, "returned twice: %d", op.result);
	}
	tap_result("a connection comes back when every byte that was asked is dealt with, and not before");
}

static void test_not_ours(void)
{
	struct conn_op op = { .op = CONN_OP_RETURN, .helper_epoch = EPOCH + 1, .taken = 10, .state = CONN_HEAD };

	put(10, 0);
	CHECK(conn_run(&op) == -ESTALE, "of another agent: %d", op.result);
	CHECK(give_back(10, CONN_CLOSED, &op) == -EINVAL && give_back(10, CONN_HELPER, &op) == -EINVAL, "to any state");
	CHECK(conn_now().state == CONN_HELPER, "state %u", conn_now().state);
	tap_result("not by another agent, nor into another state");
}

/* As if the record had been freed, and taken by another connection, between the look for it and its lock. */
static void test_reused(void)
{
	static const __u32 ops[] = { CONN_OP_CLOSE, CONN_OP_TAKEN, CONN_OP_ALLOW, CONN_OP_DENY };
	struct conn other = {
		.cookie = COOKIE + 1, .state = CONN_HELPER, .asked = 10, .helper_epoch = EPOCH, .moved_at = 5
	};
	struct conn_op op;

	conn_put(&other);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		CHECK(run(ops[i]) == -ENOENT, "operation %u is done", ops[i]);
	CHECK(give_back(10, CONN_HEAD, &op) == -ENOENT, "given back: %d", op.result);
	CHECK(!memcmp(&other, &(struct conn[]){ conn_now() }[0], sizeof(other)), "state %u", conn_now().state);
	other.state = CONN_BODY;
	conn_put(&other);
	op = (struct conn_op){ .op = CONN_OP_EXPIRE, .moved_at = 5 };
	CHECK(conn_run(&op) == -ESTALE && conn_now().state == CONN_BODY, "its body expires: %d", op.result);
	tap_result("nothing is done to a record that is another connection's by then");
}

static void test_switched(void)
{
	struct conn_op op;

	put(500, CONN_UPGRADE | CONN_SWITCHED);
	CHECK(give_back(400, CONN_HEAD, &op) == -EAGAIN && op.out_switched, "the helper is not told: %d", op.result);
	CHECK(conn_now().state == CONN_HELPER, "state %u", conn_now().state);
	CHECK(give_back(500, CONN_HEAD, &op) == 0 && conn_now().state == CONN_TUNNEL, "state %u", conn_now().state);
	tap_result("after a 101 that came while the helper had it, it is a tunnel");

	put(500, CONN_UPGRADE | CONN_SWITCHED);
	CHECK(run(CONN_OP_ALLOW) == -ESTALE, "a request that was sent ahead passes");
	CHECK(run(CONN_OP_DENY) == -ESTALE, "or is answered");
	CHECK(conn_now().allowed == 1, "allowed %u", conn_now().allowed);
	CHECK(give_back(500, CONN_BODY, &op) == -ESTALE, "within a body: %d", op.result);
	CHECK(give_back(500, CONN_DISCARD, &op) == -ESTALE, "within one that is discarded: %d", op.result);
	CHECK(conn_now().state == CONN_HELPER, "state %u", conn_now().state);
	CHECK(run(CONN_OP_CLOSE) == 0 && conn_now().state == CONN_CLOSED, "state %u", conn_now().state);
	put(500, CONN_UPGRADE | CONN_SWITCHED);
	conn_dry();
	CHECK(run(CONN_OP_ALLOW) == 0 && give_back(500, CONN_BODY, &op) == 0, "closed on a dry run: %d", op.result);
	CHECK(conn_now().state == CONN_TUNNEL, "state %u", conn_now().state);
	tap_result(
		"but no request passes behind one, and within a body there is none: it can only be closed, unless it is a dry run");
}

/* How many connections the gate is to watch, as the kernel counts. */
static __s64 asking(void)
{
	struct control c;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(map_fd("control"), &zero, &c))
		tap_bail("no control: %s", strerror(errno));
	return c.conns_asking;
}

/* A body of which the gate has taken bytes ahead that the client has never sent again. */
static void test_expired(void)
{
	static const __u32 states[] = { CONN_BODY, CONN_DISCARD };
	struct conn conn = { .moved_at = 5, .front = 1000ULL << 32 | 4711 };
	struct conn_op op;
	__s64 before;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		conn.state = states[i];
		conn_put(&conn);
		before = asking();
		op = (struct conn_op){ .op = CONN_OP_EXPIRE, .moved_at = 6 };
		CHECK(conn_run(&op) == -ESTALE && asking() == before, "another piece came: %d", op.result);
		op = (struct conn_op){ .op = CONN_OP_EXPIRE, .moved_at = 5 };
		CHECK(conn_run(&op) == 0 && conn_now().state == CONN_CLOSED, "state %u", conn_now().state);
		CHECK(asking() == before - 1, "%lld connections less are watched", before - asking());
		CHECK(run(CONN_OP_CLOSE) == 0 && asking() == before - 1, "closed twice, counted twice");
	}
	tap_result("a connection whose body stands still is watched no longer");
}

/* The rest of a request that began under a policy comes under the next. */
static void test_dry_changed(void)
{
	struct conn_op op = { .op = CONN_OP_ALLOW, .helper_epoch = EPOCH };
	struct connected service;
	__u64 cookie = COOKIE, value;

	connected_open(&service);
	value = service.server;
	if (bpf_map_update_elem(map_fd("sockets"), &cookie, &value, BPF_ANY))
		tap_bail("no socket: %s", strerror(errno));
	put(10, 0);
	conn_dry();
	CHECK(conn_run(&op) == 0 && !(conn_now().listener.flags & LISTENER_DRY_RUN), "still a dry run");
	op = (struct conn_op){ .op = CONN_OP_ALLOW, .helper_epoch = EPOCH, .dry = 1 };
	CHECK(conn_run(&op) == 0 && conn_now().listener.flags & LISTENER_DRY_RUN, "no dry run");
	connected_close(&service);
	tap_result("what the service makes of a request is judged as the request was: for a dry run, or not");
}

int main(void)
{
	tap_start();
	conn_run_open();
	test_compare_and_set();
	test_not_ours();
	test_reused();
	test_switched();
	test_expired();
	test_dry_changed();
	bpf_object__close(object);
	return tap_end();
}

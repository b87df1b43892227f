// SPDX-License-Identifier: MIT
/*
 * Tests: what becomes of a client's bytes when their connection comes back from the helper, or turns into a tunnel, after sk_skb
 * has found that the helper must have them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ask_test.h"
#include "connected.h"
#include "mpbpf/abi.h"
#include "tap.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define COOKIE 4711
#define EPOCH 3
#define BYTES 64 /* of the packet, and so of what is asked: more than an Ethernet header */

static struct bpf_object *object;
static struct control *control;
static int program, cases, conns;
static struct connected channel;

static int map_fd(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		tap_bail("no map %s", name);
	return fd;
}

/* Where an agent would take what is asked. */
static void helper_open(void)
{
	uint32_t zero = 0;
	uint64_t value;

	connected_open(&channel);
	value = channel.client;
	if (bpf_map_update_elem(map_fd("helper"), &zero, &value, BPF_ANY))
		tap_bail("no helper: %s", strerror(errno));
}

/* One request per second and source goes to the helper. */
static void policy_put(void)
{
	struct policy policy = { .generation = control->generation,
				 .max_waiting = 100,
				 .ask_interval = 1000000000ULL * BUCKET_TICKS };
	uint32_t slot = control->generation & 1;

	if (bpf_map_update_elem(map_fd("policies"), &slot, &policy, BPF_ANY))
		tap_bail("no policy: %s", strerror(errno));
}

static void setup(void)
{
	const char *dir = getenv("MPBPF_TEST_OBJ_DIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/ask_test.bpf.o", dir ? dir : MPBPF_BUILD "/tests/prog");
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		tap_bail("%s cannot be loaded: %s", path, strerror(errno));
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "ask"));
	cases = map_fd("cases");
	conns = map_fd("conns");
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd("control"), 0);
	if (control == MAP_FAILED)
		tap_bail("control cannot be mapped: %s", strerror(errno));
	control->helper_epoch = EPOCH;
	policy_put();
	helper_open();
}

/* On a connection in `state`; ret: what became of it. */
static enum ask_said ask(uint8_t state, struct ask_case test, struct conn *ret)
{
	struct conn conn = { .cookie = COOKIE, .state = state, .helper_epoch = EPOCH, .asked = 100, .returned = 100 };
	uint8_t packet[BYTES] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);
	uint64_t cookie = COOKIE;
	uint32_t zero = 0;

	test.cookie = COOKIE;
	if (bpf_map_update_elem(conns, &cookie, &conn, BPF_ANY) || bpf_map_update_elem(cases, &zero, &test, BPF_ANY) ||
	    bpf_prog_test_run_opts(program, &opts) || bpf_map_lookup_elem(cases, &zero, &test) ||
	    bpf_map_lookup_elem(conns, &cookie, ret))
		tap_bail("the program does not run: %s", strerror(errno));
	if (test.runs != 1)
		tap_bail("the program has run %u times", test.runs);
	return test.said;
}

static void asked(uint8_t state, struct ask_case test)
{
	struct conn conn;
	enum ask_said said = ask(state, test, &conn);

	CHECK(said == SAID_ASKED, "state %u: refused: %d", state, said);
	CHECK(conn.state == CONN_HELPER && conn.asked > 100, "state %u: %u then, %llu bytes", state, conn.state,
	      conn.asked);
}

static void refused(uint8_t state, struct ask_case test, enum ask_said why)
{
	struct conn conn;
	enum ask_said said = ask(state, test, &conn);

	CHECK(said == why, "state %u: %d, not %d", state, said, why);
	CHECK(conn.state == state && conn.asked == 100, "state %u: %u then, %llu bytes", state, conn.state, conn.asked);
}

static void test_given_back(void)
{
	struct conn conn;

	asked(CONN_HELPER, (struct ask_case){ .held = 1 });
	asked(CONN_HEAD, (struct ask_case){});
	CHECK(ask(CONN_HEAD, (struct ask_case){}, &conn) == SAID_LATER, "a second within a second");
	tap_result("a source may ask as often as it may");
	asked(CONN_HEAD, (struct ask_case){ .held = 1 });
	asked(CONN_BODY, (struct ask_case){ .held = 1 });
	asked(CONN_DISCARD, (struct ask_case){ .held = 1 });
	tap_result(
		"what was the helper's when the bytes came is not counted as a new question, given back since or not");
}

static void test_tunnel(void)
{
	refused(CONN_TUNNEL, (struct ask_case){ .held = 1 }, SAID_TUNNEL);
	refused(CONN_TUNNEL, (struct ask_case){ .held = 1, .late = 1 }, SAID_TUNNEL);
	refused(CONN_TUNNEL, (struct ask_case){ .late = 1 }, SAID_TUNNEL);
	tap_result("a connection that has become a tunnel stays one: its bytes are not taken for a request");
	refused(CONN_CLOSED, (struct ask_case){ .held = 1 }, SAID_CLOSED);
	refused(CONN_CLOSED, (struct ask_case){ .late = 1 }, SAID_CLOSED);
	tap_result("nor does one that was closed begin anew");
}

static void test_alone(void)
{
	connected_close(&channel);
	refused(CONN_HELPER, (struct ask_case){ .held = 1 }, SAID_NOBODY);
	refused(CONN_TUNNEL, (struct ask_case){ .held = 1 }, SAID_TUNNEL);
	tap_result("without an agent a tunnel goes on");
}

int main(void)
{
	tap_start();
	setup();
	test_given_back();
	test_tunnel();
	test_alone();
	bpf_object__close(object);
	return tap_end();
}

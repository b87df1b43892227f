/* SPDX-License-Identifier: MIT */
/* Tests: what the quick way takes it reads exactly as the other way does, in every legal packet and in broken ones. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packet_quick_test.h"
#include "tap.h"
#include "xdp_packets.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define BROKEN 200  /* of each packet */
#define HEADERS 100 /* bytes in which they are broken */

static int program;
static unsigned int quick, not_quick;

static void both_ways(const struct frame *frame, const char *name)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len, .repeat = 1);

	if (frame->len < FRAME_LEAST)
		return;
	if (bpf_prog_test_run_opts(program, &opts))
		tap_bail("test run failed: %s", strerror(errno));
	quick += opts.retval == WAYS_AGREE;
	not_quick += opts.retval == WAYS_NOT_QUICK;
	CHECK(opts.retval == WAYS_AGREE || opts.retval == WAYS_NOT_QUICK, "%s: %zu bytes: the two ways differ", name,
	      frame->len);
}

static void test_packets(void)
{
	static struct frame frame;

	for (size_t i = 0; i < n_xdp_packets; i++) {
		packet_build(&xdp_packets[i], &frame);
		both_ways(&frame, xdp_packets[i].name);
		frame_pad(&frame);
		both_ways(&frame, xdp_packets[i].name);
	}
	CHECK(quick > n_xdp_packets / 2 && not_quick > 20, "%u went the quick way, %u did not", quick, not_quick);
	tap_note("%u packets went the quick way, %u did not", quick, not_quick);
	tap_result("every legal packet");
}

/* Always the same ones. */
static void test_broken(void)
{
	static struct frame frame;
	unsigned int seed = 1, before = quick;
	size_t at, within;

	for (size_t i = 0; i < n_xdp_packets; i++) {
		for (int k = 0; k < BROKEN; k++) {
			packet_build(&xdp_packets[i], &frame);
			within = frame.len < HEADERS ? frame.len : HEADERS;
			at = rand_r(&seed) % within;
			frame.bytes[at] = rand_r(&seed);
			if (k % 4 == 0)
				frame.len -= rand_r(&seed) % frame.len;
			both_ways(&frame, xdp_packets[i].name);
		}
	}
	CHECK(quick - before > 1000, "%u broken packets went the quick way", quick - before);
	tap_note("%u broken packets went the quick way", quick - before);
	tap_result("packets with a byte changed, or cut");
}

int main(void)
{
	const char *dir = getenv("MPBPF_TEST_OBJ_DIR");
	struct bpf_object *object;
	char path[4096];

	snprintf(path, sizeof(path), "%s/packet_quick_test.bpf.o", dir ? dir : MPBPF_BUILD "/tests/prog");
	tap_start();
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		tap_bail("%s: cannot be loaded: %s", path, strerror(errno));
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "packet_both_ways"));
	test_packets();
	test_broken();
	bpf_object__close(object);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Test: SipHash in the kernel gives what it gives in user space, at every length and at offsets of every alignment. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "siphash_test.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

static struct bpf_object *object;
static int map_fd, syscall_fd, xdp_fd;
static uint64_t runs;

static int prog_fd(const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	assert_non_null(prog);
	return bpf_program__fd(prog);
}

static int setup(void **state)
{
	const char *dir = getenv("MPBPF_TEST_OBJ_DIR");
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/siphash_test.bpf.o", dir ? dir : MPBPF_BUILD "/tests/prog");
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		return -1;
	map_fd = bpf_object__find_map_fd_by_name(object, "cases");
	syscall_fd = prog_fd("siphash_syscall");
	xdp_fd = prog_fd("siphash_xdp");
	return map_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

static void fill(struct siphash_case *c)
{
	size_t i;

	memset(c, 0, sizeof(*c));
	c->key[0] = 0x0706050403020100ULL;
	c->key[1] = 0x0f0e0d0c0b0a0908ULL;
	c->runs = runs;
	for (i = 0; i < sizeof(c->buf); i++)
		c->buf[i] = random();
}

/* Runs one case in the kernel and compares; the program itself counts, so that a run which did nothing is seen. */
static void check(struct siphash_case *c)
{
	struct siphash_case got;
	uint64_t want[2];
	uint32_t zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	c->runs = runs;
	memset(c->out, 0, sizeof(c->out));
	assert_int_equal(bpf_map_update_elem(map_fd, &zero, c, 0), 0);
	assert_int_equal(bpf_prog_test_run_opts(syscall_fd, &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(map_fd, &zero, &got), 0);
	assert_int_equal(got.runs, ++runs);
	siphash128(c->key, c->buf + c->off, c->len, (__u64 *)want);
	if (memcmp(got.out, want, sizeof(want)))
		fail_msg("off %u len %u", c->off, c->len);
}

static void published_vector(void **state)
{
	static const uint8_t want[16] = { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
					  0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 };
	struct siphash_case c;
	uint32_t zero = 0;

	(void)state;
	fill(&c);
	check(&c);
	assert_int_equal(bpf_map_lookup_elem(map_fd, &zero, &c), 0);
	c.out[0] = siphash_le64(c.out[0]);
	c.out[1] = siphash_le64(c.out[1]);
	assert_memory_equal(c.out, want, sizeof(want));
}

static void every_length(void **state)
{
	struct siphash_case c;

	(void)state;
	fill(&c);
	for (c.len = 0; c.len <= MPBPF_HEAD_MAX; c.len++) {
		c.off = random() % (MPBPF_HEAD_MAX - c.len + 1);
		check(&c);
	}
}

static void every_offset(void **state)
{
	struct siphash_case c;

	(void)state;
	fill(&c);
	for (c.off = 0; c.off <= MPBPF_HEAD_MAX; c.off++) {
		c.len = c.off % 2 ? MPBPF_HEAD_MAX - c.off : random() % (MPBPF_HEAD_MAX - c.off + 1);
		check(&c);
	}
}

/* Bytes before and behind the token must not enter its key, or one token would have many. */
static void surroundings_do_not_matter(void **state)
{
	struct siphash_case a, b;
	uint32_t zero = 0, len;

	(void)state;
	for (len = 1; len <= 64; len++) {
		fill(&a);
		fill(&b);
		a.off = b.off = 100;
		a.len = b.len = len;
		memcpy(b.buf + b.off, a.buf + a.off, len);
		check(&a);
		assert_int_equal(bpf_map_lookup_elem(map_fd, &zero, &a), 0);
		check(&b);
		assert_int_equal(bpf_map_lookup_elem(map_fd, &zero, &b), 0);
		assert_memory_equal(a.out, b.out, sizeof(a.out));
	}
}

/* Not judged: a figure to read. */
static void cost(void **state)
{
	static const uint32_t lens[] = { 0, 32, 200, 800 };
	uint8_t frame[64] = {};
	struct siphash_case c;
	uint32_t zero = 0;
	size_t i;

	(void)state;
	fill(&c);
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 20000);

		c.off = 123;
		c.len = lens[i];
		assert_int_equal(bpf_map_update_elem(map_fd, &zero, &c, 0), 0);
		assert_int_equal(bpf_prog_test_run_opts(xdp_fd, &opts), 0);
		printf("# %u bytes: %u ns\n", lens[i], opts.duration);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vector),
		cmocka_unit_test(every_length),
		cmocka_unit_test(every_offset),
		cmocka_unit_test(surroundings_do_not_matter),
		cmocka_unit_test(cost),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	srandom(1);
	return cmocka_run_group_tests(tests, setup, teardown);
}

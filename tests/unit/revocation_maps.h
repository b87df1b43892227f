/* SPDX-License-Identifier: MIT */
/* What the tests of revocations share: the maps of a data path (needs root), and a word to say before a verdict is written. */
#ifndef MPBPF_TESTS_REVOCATION_MAPS_H
#define MPBPF_TESTS_REVOCATION_MAPS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>

#include "core/revocation.h"
#include "core/util.h"

#define ROOM 4
#define GENERATION 7

static struct control control = { .generation = GENERATION, .hash_key = { 0x0123456789abcdef, 0xfedcba9876543210 } };
static struct maps maps = MAPS_EMPTY;

/* In the place of libbpf's: what happens just before a verdict is written is the test's to say. */
static void (*before_verdict)(void);
static size_t allowed_written;

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	union bpf_attr attr = { .map_fd = fd, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = flags };
	void (*hook)(void) = before_verdict;

	if (hook && fd == maps.fd[MAP_VERDICTS]) {
		before_verdict = NULL;
		hook();
	}
	if (fd == maps.fd[MAP_VERDICTS])
		allowed_written += ((const struct verdict *)value)->reason == REQUEST_ALLOWED;
	return syscall(__NR_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static inline int setup(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	(void)state;
	maps.control = &control;
	maps.fd[MAP_VERDICTS] = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, NULL, sizeof(struct verdict_key),
					       sizeof(struct verdict), 1024, NULL);
	maps.fd[MAP_REVOCATIONS] = bpf_map_create(BPF_MAP_TYPE_HASH, NULL, sizeof(struct revocation_key),
						  sizeof(struct revocation), ROOM, &opts);
	return maps.fd[MAP_VERDICTS] < 0 || maps.fd[MAP_REVOCATIONS] < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
	(void)state;
	maps.control = NULL;
	maps_close(&maps);
	maps = (struct maps)MAPS_EMPTY;
	before_verdict = NULL;
	return 0;
}

static inline struct revocation put(enum revocation_kind kind, uint64_t hash, int64_t now, int64_t for_s)
{
	struct revocation_key key = { .kind = kind, .hash = hash };
	struct revocation r;

	assert_int_equal(revocation_put(&maps, &key, now, for_s, &r), 0);
	assert_int_equal(r.at, now);
	return r;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

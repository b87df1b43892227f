// SPDX-License-Identifier: MIT
/* Test: revocations on real maps (needs root): what they name, until when, and what is said when there is no room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/revocation_maps.h"

#define NOW 1700000000
#define NEVER INT64_MAX

static void cache(uint64_t hash, uint32_t auth, uint32_t reason, int64_t expires, uint64_t subject, uint64_t jti)
{
	struct verdict_key key = { .hash = { hash, ~hash }, .auth = auth };
	struct verdict v = { .generation = GENERATION,
			     .reason = reason,
			     .not_before = INT64_MIN,
			     .expires = expires,
			     .subject = subject,
			     .jti = jti };

	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_VERDICTS], &key, &v, BPF_ANY), 0);
}

static struct verdict cached(uint64_t hash, uint32_t auth)
{
	struct verdict_key key = { .hash = { hash, ~hash }, .auth = auth };
	struct verdict v;

	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_VERDICTS], &key, &v), 0);
	return v;
}

/* How many verdicts were changed. */
static size_t mark(enum revocation_kind kind, uint64_t hash, int64_t until)
{
	struct revocation_key key = { .kind = kind, .hash = hash };
	size_t n = 99;

	assert_int_equal(verdicts_revoke(&maps, &key, NOW, until, &n), 0);
	return n;
}

static int64_t until_of(uint64_t hash, uint64_t subject, uint64_t jti, int64_t now)
{
	struct verdict_key key = { .hash = { hash, ~hash } };
	struct verdict v = { .subject = subject, .jti = jti };
	int64_t until;

	assert_int_equal(revocation_of(&maps, &key, &v, now, &until), 0);
	return until;
}

/* ---- how long ---- */

static void an_end_that_is_given(void **state)
{
	(void)state;
	cache(1, 0, REQUEST_ALLOWED, NOW + 10, 0, 0);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW, 60).expires, NOW + 60);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW + 1, 5).expires, NOW + 6);
	assert_int_equal(put(REVOKED_SUBJECT, 1, NOW, INT64_MAX).expires, NEVER);
}

static void the_end_of_what_is_cached(void **state)
{
	size_t n;

	(void)state;
	cache(1, 0, REQUEST_ALLOWED, NOW + 10, 5, 6);
	cache(1, 1, REQUEST_ALLOWED, NOW + 20, 5, 6);
	cache(2, 0, REQUEST_ALLOWED, NEVER, 0, 7);
	cache(3, 0, REQUEST_ALLOWED, NEVER - 5, 0, 8);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW, 0).expires, NOW + 20 + REVOCATION_SPARE_S);
	assert_int_equal(put(REVOKED_JTI, 6, NOW, 0).expires, NOW + 20 + REVOCATION_SPARE_S);
	assert_int_equal(put(REVOKED_SUBJECT, 5, NOW, 0).expires, NEVER);
	/* There is room for four. */
	assert_int_equal(revocations_flush(&maps, &n), 0);
	assert_int_equal(put(REVOKED_TOKEN, 2, NOW, 0).expires, NEVER);
	assert_int_equal(put(REVOKED_TOKEN, 3, NOW, 0).expires, NEVER);
	assert_int_equal(put(REVOKED_TOKEN, 4, NOW, 0).expires, NEVER);
}

/* Once revoked, a verdict's own end is not known any more. */
static void again_without_an_end(void **state)
{
	int64_t end = NOW + 10 + REVOCATION_SPARE_S;

	(void)state;
	cache(1, 0, REQUEST_ALLOWED, NOW + 10, 0, 0);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW, 0).expires, end);
	assert_int_equal(mark(REVOKED_TOKEN, 1, end), 1);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW + 1, 0).expires, end);
	/* An end that was given is not taken for the token's. */
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW + 1, 30).expires, NOW + 31);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW + 2, 0).expires, NEVER);
	assert_int_equal(put(REVOKED_TOKEN, 1, NOW + 3, 0).expires, NEVER);
}

static void a_full_map_is_said(void **state)
{
	struct revocation_key key = { .kind = REVOKED_JTI, .hash = 99 };
	struct revocation r = { .expires = 42 };
	uint64_t i;
	size_t n;

	(void)state;
	for (i = 1; i <= ROOM; i++)
		put(REVOKED_JTI, i, NOW, i == 2 ? 10 : 0);
	assert_int_equal(revocation_put(&maps, &key, NOW, 0, &r), -E2BIG);
	assert_int_equal(r.expires, 42);
	assert_int_equal(put(REVOKED_JTI, 3, NOW, 0).expires, NEVER);
	assert_int_equal(revocations_purge(&maps, NOW + 9), 0);
	assert_int_equal(revocation_put(&maps, &key, NOW, 0, &r), -E2BIG);
	assert_int_equal(revocations_purge(&maps, NOW + 10), 0);
	assert_int_equal(revocation_put(&maps, &key, NOW, 0, &r), 0);
	for (i = 1; i <= ROOM; i++)
		assert_true(until_of(0, 0, i, NOW) == (i == 2 ? INT64_MIN : NEVER));
	assert_int_equal(revocations_flush(&maps, &n), 0);
	assert_int_equal(n, ROOM);
	assert_true(until_of(0, 0, 1, NOW) == INT64_MIN);
}

/* ---- what is named ---- */

static void each_name(void **state)
{
	(void)state;
	put(REVOKED_TOKEN, 1, NOW, 10);
	put(REVOKED_SUBJECT, 2, NOW, 20);
	put(REVOKED_JTI, 3, NOW, 30);
	assert_int_equal(until_of(1, 0, 0, NOW), NOW + 10);
	assert_int_equal(until_of(9, 2, 0, NOW), NOW + 20);
	assert_int_equal(until_of(9, 9, 3, NOW), NOW + 30);
	assert_int_equal(until_of(1, 2, 3, NOW), NOW + 30);
	assert_int_equal(until_of(1, 2, 3, NOW + 30), INT64_MIN);
	assert_int_equal(until_of(1, 2, 3, NOW + 29), NOW + 30);
	/* A static token, presented in another form. */
	assert_int_equal(until_of(9, 0, 1, NOW), NOW + 10);
	/* Names of one kind are not names of another. */
	assert_true(until_of(2, 1, 2, NOW) == INT64_MIN);
	assert_true(until_of(3, 3, 0, NOW) == INT64_MIN);
	/* No name is not the name 0. */
	put(REVOKED_SUBJECT, 0, NOW, 10);
	assert_true(until_of(9, 0, 0, NOW) == INT64_MIN);
	/* A token whose hash happens to be 0 goes by 1. */
	assert_int_equal(until_of(0, 0, 0, NOW), NOW + 10);
}

static void verdicts_that_are_named(void **state)
{
	struct verdict v;
	size_t n;

	(void)state;
	cache(1, 0, REQUEST_ALLOWED, NOW + 100, 5, 6);
	cache(1, 3, REQUEST_ALLOWED, NOW + 100, 5, 6);
	cache(2, 0, REQUEST_ALLOWED, NOW + 100, 5, 7);
	cache(3, 0, REQUEST_ALLOWED, NOW + 100, 8, 9);
	cache(4, 0, REQUEST_ALLOWED, NEVER, 0, 1);
	cache(5, 0, REQUEST_BAD_TOKEN, NEVER, 0, 0);
	assert_int_equal(mark(REVOKED_TOKEN, 77, NOW + 50), 0);
	assert_int_equal(mark(REVOKED_TOKEN, 1, NOW + 50), 3);
	v = cached(1, 3);
	assert_int_equal(v.reason, REQUEST_BAD_TOKEN);
	assert_int_equal(v.expires, NOW + 50);
	assert_true(v.generation == GENERATION && v.subject == 5 && v.jti == 6);
	assert_int_equal(cached(1, 0).reason, REQUEST_BAD_TOKEN);
	assert_int_equal(cached(4, 0).reason, REQUEST_BAD_TOKEN);
	assert_int_equal(cached(2, 0).reason, REQUEST_ALLOWED);
	assert_int_equal(mark(REVOKED_TOKEN, 1, NOW + 50), 0);
	assert_int_equal(mark(REVOKED_SUBJECT, 5, NEVER), 3);
	assert_int_equal(cached(1, 0).expires, NEVER);
	assert_int_equal(cached(2, 0).reason, REQUEST_BAD_TOKEN);
	assert_int_equal(cached(3, 0).reason, REQUEST_ALLOWED);
	/* By all that is revoked. */
	put(REVOKED_JTI, 9, NOW, 40);
	put(REVOKED_SUBJECT, 8, NOW, 30);
	assert_int_equal(verdicts_revoke(&maps, NULL, NOW, 0, &n), 0);
	assert_int_equal(n, 1);
	v = cached(3, 0);
	assert_true(v.reason == REQUEST_BAD_TOKEN && v.expires == NOW + 40);
	assert_int_equal(verdicts_flush(&maps, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(verdicts_flush(&maps, &n), 0);
	assert_int_equal(n, 0);
}

static void what_a_verdict_is_good_for(void **state)
{
	struct verdict v = { .generation = 3, .reason = REQUEST_ALLOWED, .expires = NOW };

	(void)state;
	assert_true(verdict_holds(&v, 3, NOW + 5)); /* it says expired */
	assert_false(verdict_holds(&v, 4, NOW - 5));
	verdict_revoke(&v, NOW + 10);
	assert_true(verdict_holds(&v, 3, NOW + 9));
	assert_false(verdict_holds(&v, 3, NOW + 10));
	assert_false(verdict_holds(&v, 4, NOW + 9));
	verdict_revoke(&v, NEVER);
	assert_true(verdict_holds(&v, 3, NEVER - 1));
}

/* ---- walking; the lock ---- */

#define WALKED 20000

struct walk {
	int fd;
	uint8_t seen[WALKED];
	size_t stop_at, n;
};

static int see(const void *key, const void *value, void *data)
{
	struct walk *walk = data;
	__u32 k;

	memcpy(&k, key, sizeof(k));
	assert_true(k < WALKED && !memcmp(value, &(__u64){ 3 * k }, 8));
	walk->seen[k]++;
	if (walk->fd >= 0)
		assert_int_equal(bpf_map_delete_elem(walk->fd, key), 0);
	return ++walk->n == walk->stop_at ? 17 : 0;
}

static void a_walk_sees_every_entry(void **state)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, NULL, 4, 8, 4 * WALKED, NULL);
	struct walk *walk = calloc(1, sizeof(*walk));
	__u32 k;

	(void)state;
	assert_true(fd >= 0 && walk);
	walk->fd = -1;
	assert_int_equal(map_walk(fd, 4, 8, see, walk), 0);
	assert_int_equal(walk->n, 0);
	for (k = 0; k < WALKED; k++)
		assert_int_equal(bpf_map_update_elem(fd, &k, &(__u64){ 3 * k }, BPF_ANY), 0);
	assert_int_equal(map_walk(fd, 4, 8, see, walk), 0);
	assert_int_equal(walk->n, WALKED);
	for (k = 0; k < WALKED; k++)
		assert_int_equal(walk->seen[k], 1);
	walk->stop_at = WALKED + 5000;
	assert_int_equal(map_walk(fd, 4, 8, see, walk), 17);
	assert_int_equal(walk->n, WALKED + 5000);
	*walk = (struct walk){ .fd = fd };
	assert_int_equal(map_walk(fd, 4, 8, see, walk), 0);
	assert_int_equal(walk->n, WALKED);
	assert_int_equal(map_walk(fd, 4, 8, see, walk), 0);
	assert_int_equal(walk->n, WALKED);
	assert_true(map_walk(-1, 4, 8, see, walk) < 0);
	free(walk);
	close(fd);
}

static void one_at_a_time(void **state)
{
	char path[] = "/tmp/mpbpf-test-revocation-XXXXXX";
	int one, two;

	(void)state;
	assert_non_null(mkdtemp(path));
	one = revocations_lock(path, true);
	assert_true(one >= 0);
	assert_int_equal(revocations_lock(path, false), -EAGAIN);
	close(one);
	two = revocations_lock(path, false);
	assert_true(two >= 0);
	close(two);
	rmdir(path);
	assert_int_equal(revocations_lock(path, true), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_end_that_is_given),
		TEST(the_end_of_what_is_cached),
		TEST(again_without_an_end),
		TEST(a_full_map_is_said),
		TEST(each_name),
		TEST(verdicts_that_are_named),
		TEST(what_a_verdict_is_good_for),
		cmocka_unit_test(a_walk_sees_every_entry),
		cmocka_unit_test(one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

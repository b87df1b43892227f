// SPDX-License-Identifier: MIT
/* Test: revocations on real maps (needs root): what they name, until when, and that none is lost between cache and command. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/revocation.h"
#include "core/util.h"
#include "tests/unit/jwt_make.h"
#include "userspace-auth/judge.h"
#include "userspace-auth/static_token.h"

#define NOW 1700000000
#define NEVER INT64_MAX
#define ROOM 4
#define GENERATION 7
#define SECRET "revocation-secret"

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

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	maps.control = NULL;
	maps_close(&maps);
	maps = (struct maps)MAPS_EMPTY;
	before_verdict = NULL;
	return 0;
}

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

static struct revocation put(enum revocation_kind kind, uint64_t hash, int64_t now, int64_t for_s)
{
	struct revocation_key key = { .kind = kind, .hash = hash };
	struct revocation r;

	assert_int_equal(revocation_put(&maps, &key, now, for_s, &r), 0);
	assert_int_equal(r.at, now);
	return r;
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

/* ---- the helper ---- */

static char *tokens[] = { "static-one" };
static struct listener_config listeners[1];
static struct config config = {
	.listeners = listeners,
	.n_listeners = 1,
	.auth = { .secret = SECRET,
		  .secret_len = sizeof(SECRET) - 1,
		  .algorithms = 1U << JWT_HS256,
		  .require_auth = true,
		  .tokens = tokens,
		  .n_tokens = 1 },
};
static char head[JWT_TEXT_MAX + 1] = "/";
static struct verdict_key head_key;

static size_t head_jwt(const char *claims)
{
	size_t n = jwt_make(head + 1, "{\"alg\":\"HS256\"}", claims, JWT_HS256, SECRET, sizeof(SECRET) - 1);

	return n;
}

static enum request_reason judge(size_t len)
{
	struct judge judge = { .maps = &maps, .config = &config };
	struct listener listener = { .flags = LISTENER_REQUIRE_AUTH };
	struct http1 h = { .flags = HTTP1_BEARER, .target_len = 1, .token_off = 1, .token_len = len };
	struct judgement j;

	judge_head(&judge, &listener, head, &h, &j);
	memcpy(head_key.hash, j.token, sizeof(head_key.hash));
	return j.reason;
}

static int64_t wall(void)
{
	return clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
}

/* What the kernel would find. */
static enum request_reason in_cache(void)
{
	struct verdict v;

	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_VERDICTS], &head_key, &v), 0);
	assert_true(verdict_holds(&v, GENERATION, wall()));
	return v.reason;
}

static void revoke_alice(void)
{
	struct revocation_key key = { .kind = REVOKED_SUBJECT, .hash = revocation_hash(&control, "alice", 5) };
	struct revocation r;
	size_t n;

	assert_int_equal(revocation_put(&maps, &key, wall(), 0, &r), 0);
	assert_int_equal(verdicts_revoke(&maps, &key, wall(), r.expires, &n), 0);
}

static void take_all_back(void)
{
	size_t n;

	assert_int_equal(revocations_flush(&maps, &n), 0);
	assert_int_equal(verdicts_flush(&maps, &n), 0);
}

static void revoked_before_it_is_asked(void **state)
{
	static const char *const claims[] = { "{\"sub\":\"alice\"}", "{\"jti\":\"one\"}" };
	size_t i, len;

	(void)state;
	revoke_alice();
	put(REVOKED_JTI, revocation_hash(&control, "one", 3), wall(), 0);
	allowed_written = 0;
	for (i = 0; i < ARRAY_SIZE(claims); i++) {
		len = head_jwt(claims[i]);
		assert_int_equal(judge(len), REQUEST_BAD_TOKEN);
		assert_int_equal(in_cache(), REQUEST_BAD_TOKEN);
		assert_int_equal(judge(len), REQUEST_BAD_TOKEN);
	}
	/* Not for an instant: the kernel might have looked just then. */
	assert_int_equal(allowed_written, 0);
	assert_int_equal(judge(head_jwt("{\"sub\":\"bob\",\"jti\":\"two\"}")), REQUEST_VALIDATED);
	assert_int_equal(in_cache(), REQUEST_ALLOWED);
	put(REVOKED_TOKEN, revocation_hash(&control, "static-one", 10), wall(), 0);
	assert_int_equal(judge(sprintf(head + 1, "static-one")), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(sprintf(head + 1, "c3RhdGljLW9uZQ==")), REQUEST_BAD_TOKEN);
	assert_int_equal(judge(sprintf(head + 1, "c3RhdGljLW9uZQ")), REQUEST_BAD_TOKEN);
}

static void revoked_while_it_is_judged(void **state)
{
	size_t len = head_jwt("{\"sub\":\"alice\"}");

	(void)state;
	before_verdict = revoke_alice;
	assert_int_equal(judge(len), REQUEST_BAD_TOKEN);
	assert_null(before_verdict);
	assert_int_equal(in_cache(), REQUEST_BAD_TOKEN);
}

static void taken_back_while_it_is_judged(void **state)
{
	size_t len = head_jwt("{\"sub\":\"alice\"}");

	(void)state;
	revoke_alice();
	before_verdict = take_all_back;
	assert_int_equal(judge(len), REQUEST_VALIDATED);
	assert_null(before_verdict);
	assert_int_equal(in_cache(), REQUEST_ALLOWED);
}

static void asked_again_when_it_has_ended(void **state)
{
	size_t len = head_jwt("{\"sub\":\"alice\"}");
	struct verdict v;

	(void)state;
	revoke_alice();
	assert_int_equal(judge(len), REQUEST_BAD_TOKEN);
	assert_int_equal(bpf_map_lookup_elem(maps.fd[MAP_VERDICTS], &head_key, &v), 0);
	verdict_revoke(&v, wall());
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_VERDICTS], &head_key, &v, BPF_EXIST), 0);
	assert_int_equal(judge(len), REQUEST_BAD_TOKEN);
	assert_int_equal(in_cache(), REQUEST_BAD_TOKEN);
	assert_int_equal(bpf_map_update_elem(maps.fd[MAP_VERDICTS], &head_key, &v, BPF_EXIST), 0);
	put(REVOKED_SUBJECT, revocation_hash(&control, "alice", 5), wall() - 10, 10);
	assert_int_equal(judge(len), REQUEST_VALIDATED);
	assert_int_equal(in_cache(), REQUEST_ALLOWED);
}

static void revocations_lose_their_map(void)
{
	close_fd(&maps.fd[MAP_REVOCATIONS]);
}

static void nothing_is_cached_that_cannot_be_asked(void **state)
{
	size_t len = head_jwt("{\"sub\":\"alice\"}"), n;

	(void)state;
	before_verdict = revocations_lose_their_map;
	assert_int_equal(judge(len), REQUEST_HELPER_DOWN);
	assert_int_equal(judge(len), REQUEST_HELPER_DOWN);
	assert_int_equal(verdicts_flush(&maps, &n), 0);
	assert_int_equal(n, 0);
}

/* ---- the texts of a static token; walking ---- */

static void texts_of_a_static_token(void **state)
{
	const uint64_t key[2] = { control.hash_key[0], control.hash_key[1] };
	uint64_t one = revocation_hash(&control, "static-one", 10), hash[STATIC_TOKEN_READINGS], found = 0;
	static const char *const texts[] = { "c3RhdGljLW9uZQ==", "c3RhdGljLW9uZQ" };
	char *both[] = { "c3RhdGljLW9uZQ==", "static-one" };
	struct auth_config auth = { .tokens = both, .n_tokens = 2 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(static_token_hashes(texts[i], strlen(texts[i]), key, hash), 2);
		assert_true(hash[0] == revocation_hash(&control, texts[i], strlen(texts[i])) && hash[1] == one);
		assert_true(static_token_match(&config.auth, texts[i], strlen(texts[i]), key, &found));
		assert_true(found == one);
	}
	assert_int_equal(static_token_hashes("a.b.c", 5, key, hash), 1);
	assert_int_equal(static_token_hashes("", 0, key, hash), 0);
	found = 5;
	assert_false(static_token_match(&config.auth, "static-two", 10, key, &found));
	assert_true(found == 5);
	/* A token that is also another's encoding goes by the other's name, in whatever order they are configured. */
	for (i = 0; i < 2; i++) {
		auth.tokens = i ? (char *[]){ both[1], both[0] } : both;
		assert_true(static_token_match(&auth, texts[0], strlen(texts[0]), key, &found));
		assert_true(found == one);
	}
}

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		TEST(revoked_before_it_is_asked),
		TEST(revoked_while_it_is_judged),
		TEST(taken_back_while_it_is_judged),
		TEST(asked_again_when_it_has_ended),
		TEST(nothing_is_cached_that_cannot_be_asked),
		TEST(texts_of_a_static_token),
		cmocka_unit_test(a_walk_sees_every_entry),
		cmocka_unit_test(one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

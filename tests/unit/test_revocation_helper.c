// SPDX-License-Identifier: MIT
/* Test: the helper and revocations, on real maps (needs root): none is lost between its verdict and the command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "tests/unit/jwt_make.h"
#include "tests/unit/revocation_maps.h"
#include "userspace-auth/judge.h"
#include "userspace-auth/static_token.h"

#define SECRET "revocation-secret"

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
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(revoked_before_it_is_asked),
		TEST(revoked_while_it_is_judged),
		TEST(taken_back_while_it_is_judged),
		TEST(asked_again_when_it_has_ended),
		TEST(nothing_is_cached_that_cannot_be_asked),
		TEST(texts_of_a_static_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

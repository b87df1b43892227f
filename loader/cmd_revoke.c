// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf verdict revoke`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/revocation.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/verdict_view.h"
#include "loader/view.h"
#include "userspace-auth/static_token.h"

/* What is to be revoked, and what came of it. */
struct order {
	char token[MPBPF_TOKEN_MAX];
	size_t token_len;
	struct revocation_key keys[STATIC_TOKEN_READINGS];
	size_t n_keys;
	int64_t until; /* the earliest end of them */
	size_t n_verdicts;
};

static int order_read(const struct context *c, struct order *order)
{
	if (!!c->token_file + !!c->subject + !!c->jti != 1) {
		log_line(
			"name what to revoke with one of --token-file, --sub and --jti; see `mpbpf verdict revoke --help`");
		return EXIT_USAGE;
	}
	return c->token_file ? verdict_token_read(c->token_file, order->token, &order->token_len) : EXIT_DONE;
}

/* A static token has several texts: one that is an encoding falls with what it is the encoding of. */
static void order_keys(const struct context *c, const struct maps *maps, struct order *order)
{
	const uint64_t hash_key[2] = { maps->control->hash_key[0], maps->control->hash_key[1] };
	enum revocation_kind kind = c->subject ? REVOKED_SUBJECT : c->jti ? REVOKED_JTI : REVOKED_TOKEN;
	const char *name = c->subject ?: c->jti;
	uint64_t hashes[STATIC_TOKEN_READINGS];

	order->n_keys = 1;
	if (name)
		hashes[0] = revocation_hash(maps->control, name, strlen(name));
	else
		order->n_keys = static_token_hashes(order->token, order->token_len, hash_key, hashes);
	for (size_t i = 0; i < order->n_keys; i++)
		order->keys[i] = (struct revocation_key){ .kind = kind, .hash = hashes[i] };
}

static int order_carry_out(const struct context *c, const struct maps *maps, struct order *order)
{
	_cleanup_close_ int lock = revocations_lock(c->pin_root, true);
	int64_t now = clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
	struct revocation revocation;
	size_t n;
	int r;

	r = lock < 0 ? lock : revocations_purge(maps, now);
	for (size_t i = 0; r == 0 && i < order->n_keys; i++) {
		r = revocation_put(maps, &order->keys[i], now, c->for_s, &revocation);
		if (r == 0)
			r = verdicts_revoke(maps, &order->keys[i], now, revocation.expires, &n);
		if (r < 0)
			return r;
		order->n_verdicts += n;
		if (revocation.expires < order->until)
			order->until = revocation.expires;
	}
	return r;
}

static int order_report(const struct order *order, int r)
{
	char time[VERDICT_TIME_MAX];

	if (r == -E2BIG)
		log_line(
			"not revoked: there is room for %d revocations, and none has ended; `mpbpf verdict list` shows "
			"them, --for lets them end",
			MPBPF_REVOCATIONS_MAX);
	else if (r < 0)
		log_line("revoking: %s", strerror(-r));
	if (r < 0)
		return EXIT_FAILED;
	if (order->until == REVOCATION_NEVER_ENDS)
		printf("revoked for good");
	else
		printf("revoked until %s", verdict_time(order->until, time));
	printf("; cached verdicts turned into denials: %zu\n", order->n_verdicts);
	return EXIT_DONE;
}

int cmd_verdict_revoke(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	struct order order = { .until = REVOCATION_NEVER_ENDS };
	int r;

	r = order_read(c, &order);
	if (r == EXIT_DONE)
		r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r == EXIT_DONE) {
		order_keys(c, &maps, &order);
		r = order_report(&order, order_carry_out(c, &maps, &order));
	}
	explicit_bzero(order.token, sizeof(order.token));
	return r;
}

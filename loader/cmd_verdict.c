// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf verdict list`, `show` and `flush`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/include/siphash.h"
#include "core/clock.h"
#include "core/revocation.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/verdict_view.h"
#include "loader/view.h"
#include "userspace-auth/static_token.h"

static int failed(const char *what, int r)
{
	log_line("%s: %s", what, strerror(-r));
	return EXIT_FAILED;
}

static int open_maps(const struct context *c, struct maps *ret)
{
	int r = context_need_root();

	return r == EXIT_DONE ? view_open(c, ret) : r;
}

static struct verdict_view view_of(const struct context *c, const struct maps *maps)
{
	return (struct verdict_view){ .maps = maps, .now = clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC, .json = c->json };
}

/* Opens and closes an array of entries; in text form there is nothing to open. */
static void array_open(struct verdict_view *view, const char *name)
{
	view->more = false;
	if (view->json)
		printf("  \"%s\": [", name);
}

static void array_close(const struct verdict_view *view, const char *end)
{
	if (view->json)
		printf("%s]%s\n", view->more ? "\n  " : "", end);
}

/* ---- list ---- */

static int list_verdict(const void *key, const void *value, void *data)
{
	return verdict_print(data, key, value);
}

static int list_revocation(const void *key, const void *value, void *data)
{
	return revocation_print(data, key, value);
}

int cmd_verdict_list(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	struct verdict_view view;
	int r;

	r = open_maps(c, &maps);
	if (r != EXIT_DONE)
		return r;
	view = view_of(c, &maps);
	if (c->json)
		puts("{");
	array_open(&view, "verdicts");
	r = verdicts_each(&maps, list_verdict, &view);
	array_close(&view, ",");
	if (r == 0) {
		array_open(&view, "revocations");
		r = revocations_each(&maps, list_revocation, &view);
		array_close(&view, "");
	}
	if (r < 0)
		return failed("reading the verdicts", r);
	if (c->json)
		puts("}");
	return EXIT_DONE;
}

/* ---- show ---- */

/* All that is known of one token: its verdicts, at most one for each auth block; and until when it is revoked. */
struct known {
	struct verdict_view *view;
	__u64 hash[2];
	int64_t until;
	size_t n;
	bool print; /* else only look */
};

static int known_add(const void *data_key, const void *value, void *data)
{
	const struct verdict_key *key = data_key;
	struct known *known = data;
	int64_t until;
	int r;

	if (memcmp(key->hash, known->hash, sizeof(key->hash)))
		return 0;
	known->n++;
	if (known->print)
		return verdict_print(known->view, key, value);
	r = revocation_of(known->view->maps, key, value, known->view->now, &until);
	if (r == 0 && until > known->until)
		known->until = until;
	return r;
}

/* By the token's own text; what else may have revoked it stands in its verdicts. */
static int known_look(struct known *known, const char *token, size_t len)
{
	const struct control *control = known->view->maps->control;
	const uint64_t hash_key[2] = { control->hash_key[0], control->hash_key[1] };
	uint64_t hashes[STATIC_TOKEN_READINGS];
	size_t n = static_token_hashes(token, len, hash_key, hashes);
	int64_t until;
	int r = 0;

	siphash128(control->hash_key, (const __u8 *)token, len, known->hash);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = revocation_find(known->view->maps, REVOKED_TOKEN, hashes[i], known->view->now, &until);
		if (r == 0 && until > known->until)
			known->until = until;
	}
	return r == 0 ? verdicts_each(known->view->maps, known_add, known) : r;
}

static int known_print(struct known *known)
{
	bool revoked = known->view->now < known->until;
	char time[VERDICT_TIME_MAX];
	int r;

	known->print = true;
	if (known->view->json) {
		printf("{\n  \"known\": %s,\n  \"revoked\": %s,\n  \"revoked_until\": ", known->n ? "true" : "false",
		       revoked ? "true" : "false");
		if (!revoked || known->until == REVOCATION_NEVER_ENDS)
			puts("null,");
		else
			printf("%lld,\n", (long long)known->until);
	} else if (!revoked) {
		puts(known->n ? "not revoked" : "unknown, and not revoked");
	} else if (known->until == REVOCATION_NEVER_ENDS) {
		puts("revoked for good");
	} else {
		printf("revoked until %s\n", verdict_time(known->until, time));
	}
	array_open(known->view, "verdicts");
	r = verdicts_each(known->view->maps, known_add, known);
	array_close(known->view, "\n}");
	return r;
}

int cmd_verdict_show(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	struct known known = { .until = INT64_MIN };
	char token[MPBPF_TOKEN_MAX];
	struct verdict_view view;
	size_t len;
	int r;

	if (!c->token_file) {
		log_line("name a token with --token-file; see `mpbpf verdict show --help`");
		return EXIT_USAGE;
	}
	r = verdict_token_read(c->token_file, token, &len);
	if (r != EXIT_DONE)
		return r;
	r = open_maps(c, &maps);
	if (r == EXIT_DONE) {
		view = view_of(c, &maps);
		known.view = &view;
		r = known_look(&known, token, len);
		if (r == 0)
			r = known_print(&known);
		r = r < 0				? failed("reading the verdicts", r)
		    : known.n || view.now < known.until ? EXIT_DONE
							: EXIT_FAILED;
	}
	explicit_bzero(token, sizeof(token));
	return r;
}

/* ---- flush ---- */

/* Revocations first: what is then asked again is asked without them. */
int cmd_verdict_flush(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	_cleanup_close_ int lock = -1;
	size_t n_revocations = 0, n = 0;
	int r;

	r = open_maps(c, &maps);
	if (r != EXIT_DONE)
		return r;
	lock = revocations_lock(c->pin_root, true);
	r = lock < 0 ? lock : 0;
	if (r == 0 && c->revocations)
		r = revocations_flush(&maps, &n_revocations);
	if (r == 0)
		r = verdicts_flush(&maps, &n);
	if (r < 0)
		return failed("deleting verdicts", r);
	if (c->revocations)
		printf("%zu revocations taken back\n", n_revocations);
	printf("%zu verdicts forgotten\n", n);
	return EXIT_DONE;
}

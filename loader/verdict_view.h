/* SPDX-License-Identifier: MIT */
/* Floor 5: cached verdicts and revocations as text and as JSON; the token that a command is about. */
#ifndef MPBPF_LOADER_VERDICT_VIEW_H
#define MPBPF_LOADER_VERDICT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/maps.h"

/*
 * verdict_token_read - reads the token that stands alone in a file; "-": standard input. Logs what is wrong, but nothing of
 * what it read. The caller wipes *ret.
 *
 * Returns EXIT_DONE, EXIT_USAGE: no such file, or no token in it; EXIT_FAILED.
 */
int verdict_token_read(const char *path, char ret[MPBPF_TOKEN_MAX], size_t *ret_len);

/* "2026-01-31T12:00:00Z"; the number where there is no such date. */
#define VERDICT_TIME_MAX 32
const char *verdict_time(int64_t seconds, char ret[VERDICT_TIME_MAX]);

/* What is printed one entry after the other. */
struct verdict_view {
	const struct maps *maps;
	int64_t now;
	bool json;
	bool more; /* an entry stands before the next one */
};

/*
 * One entry: a line, or an object of an array, parted from the one before by a comma. Nothing that could be used as a token.
 * 0 or -errno.
 */
int verdict_print(struct verdict_view *view, const struct verdict_key *key, const struct verdict *verdict);
int revocation_print(struct verdict_view *view, const struct revocation_key *key, const struct revocation *revocation);

#endif

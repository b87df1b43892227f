/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: revocations, and the cached verdicts that they turn into denials.
 *
 * A revocation first stands in its map, then the verdicts are walked. Whoever caches a verdict looks for revocations before
 * and after writing it. So one of the two always sees the other.
 */
#ifndef MPBPF_CORE_REVOCATION_H
#define MPBPF_CORE_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/map_walk.h"
#include "core/maps.h"

#define REVOCATION_NEVER_ENDS INT64_MAX
/* Added to the end of a token's verdict: another auth block, or the next policy, may give it more leeway (at most a day). */
#define REVOCATION_SPARE_S 86400

/* The keyed hash by which maps know a token, a subject or a jti; never 0. */
uint64_t revocation_hash(const struct control *control, const void *text, size_t len);

/*
 * revocations_lock - the lock that whoever puts or deletes revocations holds, as a file descriptor to be closed
 *
 * Returns -EAGAIN: another holds it and `wait` is false; -ENOENT: nothing is loaded; -errno.
 */
int revocations_lock(const char *pin_root, bool wait);

/*
 * revocation_put - revokes; one that stands there is replaced
 *
 * for_s: for so long; 0: as long as cached verdicts say that it could be of use, else for good. Cached verdicts are not
 * changed yet. The caller holds the lock.
 *
 * Returns 0; -E2BIG: no room for another one; -errno.
 */
int revocation_put(const struct maps *maps, const struct revocation_key *key, int64_t now, int64_t for_s,
		   struct revocation *ret);

/*
 * revocation_of - until when a token's verdict is revoked, by whatever names it; INT64_MIN: it is not
 *
 * key, verdict: the token's, as validated. Returns 0 or -errno; *ret is untouched on failure.
 */
int revocation_of(const struct maps *maps, const struct verdict_key *key, const struct verdict *verdict, int64_t now,
		  int64_t *ret);
/* The same for a single revocation. */
int revocation_find(const struct maps *maps, enum revocation_kind kind, uint64_t hash, int64_t now, int64_t *ret);

/* Makes of a verdict the denial of a revoked token. */
void verdict_revoke(struct verdict *verdict, int64_t until);
/* Is a cached verdict good for anything now? Else it is as if unknown. */
bool verdict_holds(const struct verdict *verdict, uint32_t generation, int64_t now);

/*
 * verdicts_revoke - turns all cached verdicts that `key` names into denials until `until`; with key NULL, those that any
 * revocation names, each until that one ends
 *
 * Returns 0, with the number of those that were changed in *ret, or -errno.
 */
int verdicts_revoke(const struct maps *maps, const struct revocation_key *key, int64_t now, int64_t until, size_t *ret);

/* Deletes revocations that have ended. The caller holds the lock. 0 or -errno. */
int revocations_purge(const struct maps *maps, int64_t now);
/* Deletes all. The caller holds the lock for revocations. 0, with their number in *ret, or -errno. */
int revocations_flush(const struct maps *maps, size_t *ret);
int verdicts_flush(const struct maps *maps, size_t *ret);

/* map_walk() over struct revocation_key and struct revocation, over struct verdict_key and struct verdict. */
int revocations_each(const struct maps *maps, map_walk_fn *each, void *data);
int verdicts_each(const struct maps *maps, map_walk_fn *each, void *data);

#endif

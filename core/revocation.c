// SPDX-License-Identifier: MIT
/* Floor 3: keeps revocations in their map and marks the cached verdicts that they name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <bpf/bpf.h>

#include "bpf/include/siphash.h"
#include "core/map_walk.h"
#include "core/pins.h"
#include "core/revocation.h"
#include "core/util.h"

uint64_t revocation_hash(const struct control *control, const void *text, size_t len)
{
	const __u64 key[2] = { control->hash_key[0], control->hash_key[1] };
	__u64 hash[2];

	siphash128(key, text, (__u32)len, hash);
	return hash[0] ?: 1;
}

int revocations_lock(const char *pin_root, bool wait)
{
	_cleanup_close_ int fd = -1;

	fd = open(pin_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR)
			return -errno;
	return TAKE_FD(fd);
}

int revocations_each(const struct maps *maps, map_walk_fn *each, void *data)
{
	return map_walk(maps->fd[MAP_REVOCATIONS], sizeof(struct revocation_key), sizeof(struct revocation), each,
			data);
}

int verdicts_each(const struct maps *maps, map_walk_fn *each, void *data)
{
	return map_walk(maps->fd[MAP_VERDICTS], sizeof(struct verdict_key), sizeof(struct verdict), each, data);
}

static uint64_t token_hash(const struct verdict_key *key)
{
	return key->hash[0] ?: 1;
}

/* ---- the verdicts that a revocation names ---- */

static bool revocation_names(const struct revocation_key *r, const struct verdict_key *key,
			     const struct verdict *verdict)
{
	switch (r->kind) {
	case REVOKED_TOKEN: return r->hash == token_hash(key) || r->hash == verdict->jti;
	case REVOKED_SUBJECT: return r->hash == verdict->subject;
	default: return r->hash == verdict->jti;
	}
}

/* For how long the verdicts that a revocation names could let their tokens pass. 0: there is none. */
struct use {
	const struct revocation_key *key;
	int64_t until;
};

static int use_add(const void *key, const void *value, void *data)
{
	const struct verdict *verdict = value;
	struct use *use = data;

	if (verdict->reason == REQUEST_ALLOWED && revocation_names(use->key, key, verdict) &&
	    verdict->expires > use->until)
		use->until = verdict->expires;
	return 0;
}

/* A subject's next token is as good as this one: that has no end by itself. */
static int use_find(const struct maps *maps, const struct revocation_key *key, __s64 *ret)
{
	struct use use = { .key = key };
	int r;

	if (key->kind == REVOKED_SUBJECT) {
		*ret = REVOCATION_NEVER_ENDS;
		return 0;
	}
	r = verdicts_each(maps, use_add, &use);
	if (r < 0)
		return r;
	*ret = use.until;
	if (use.until && __builtin_add_overflow(use.until, REVOCATION_SPARE_S, ret))
		*ret = REVOCATION_NEVER_ENDS;
	return 0;
}

/* ---- revocations ---- */

static int revocation_read(const struct maps *maps, const struct revocation_key *key, struct revocation *ret)
{
	int r = bpf_map_lookup_elem(maps->fd[MAP_REVOCATIONS], key, ret);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/*
 * No end was asked for: the tokens' own, when it is known. Of tokens revoked before it is not known any more, but that
 * revocation has their end, or more.
 */
static int revocation_to_end(const struct maps *maps, const struct revocation_key *key, int64_t now,
			     struct revocation *ret)
{
	struct revocation old;
	int r;

	ret->to_end = 1;
	r = use_find(maps, key, &ret->expires);
	if (r < 0)
		return r;
	r = revocation_read(maps, key, &old);
	if (r < 0)
		return r;
	if (r && old.to_end && now < old.expires && old.expires > ret->expires)
		ret->expires = old.expires;
	if (!ret->expires)
		ret->expires = REVOCATION_NEVER_ENDS;
	return 0;
}

int revocation_put(const struct maps *maps, const struct revocation_key *key, int64_t now, int64_t for_s,
		   struct revocation *ret)
{
	struct revocation value = { .at = now };
	int r = 0;

	if (!for_s)
		r = revocation_to_end(maps, key, now, &value);
	else if (__builtin_add_overflow(now, for_s, &value.expires))
		value.expires = REVOCATION_NEVER_ENDS;
	if (r == 0)
		r = bpf_map_update_elem(maps->fd[MAP_REVOCATIONS], key, &value, BPF_ANY);
	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

int revocation_find(const struct maps *maps, enum revocation_kind kind, uint64_t hash, int64_t now, int64_t *ret)
{
	struct revocation_key key = { .kind = kind, .hash = hash };
	struct revocation value;
	int r = 0;

	if (hash)
		r = revocation_read(maps, &key, &value);
	if (r < 0)
		return r;
	*ret = r && now < value.expires ? value.expires : INT64_MIN;
	return 0;
}

int revocation_of(const struct maps *maps, const struct verdict_key *key, const struct verdict *verdict, int64_t now,
		  int64_t *ret)
{
	const struct revocation_key names[] = {
		{ .kind = REVOKED_TOKEN, .hash = token_hash(key) },
		{ .kind = REVOKED_TOKEN, .hash = verdict->jti },
		{ .kind = REVOKED_SUBJECT, .hash = verdict->subject },
		{ .kind = REVOKED_JTI, .hash = verdict->jti },
	};
	int64_t latest = INT64_MIN, until;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = revocation_find(maps, names[i].kind, names[i].hash, now, &until);
		if (r < 0)
			return r;
		if (until > latest)
			latest = until;
	}
	*ret = latest;
	return 0;
}

/* ---- cached verdicts ---- */

void verdict_revoke(struct verdict *verdict, int64_t until)
{
	verdict->reason = REQUEST_BAD_TOKEN;
	verdict->expires = until;
}

bool verdict_holds(const struct verdict *verdict, uint32_t generation, int64_t now)
{
	return verdict->generation == generation && (verdict->reason == REQUEST_ALLOWED || now < verdict->expires);
}

struct revoke {
	const struct maps *maps;
	const struct revocation_key *key;
	int64_t now, until;
	size_t n;
};

/* Memory for an update may be short, for a deletion it is not: then the helper is asked, and finds the revocation. */
static int revoke_one(const void *key, const void *value, void *data)
{
	struct revoke *revoke = data;
	struct verdict verdict = *(const struct verdict *)value;
	int64_t until = revoke->until;
	int fd = revoke->maps->fd[MAP_VERDICTS];
	int r = 0;

	if (!revoke->key)
		r = revocation_of(revoke->maps, key, &verdict, revoke->now, &until);
	else if (!revocation_names(revoke->key, key, &verdict))
		return 0;
	if (r < 0 || until <= revoke->now || (verdict.reason != REQUEST_ALLOWED && verdict.expires == until))
		return r;
	verdict_revoke(&verdict, until);
	r = bpf_map_update_elem(fd, key, &verdict, BPF_EXIST);
	if (r < 0 && r != -ENOENT)
		r = bpf_map_delete_elem(fd, key);
	revoke->n++;
	return r == -ENOENT ? 0 : r;
}

int verdicts_revoke(const struct maps *maps, const struct revocation_key *key, int64_t now, int64_t until, size_t *ret)
{
	struct revoke revoke = { .maps = maps, .key = key, .now = now, .until = until };
	int r = verdicts_each(maps, revoke_one, &revoke);

	if (r == 0)
		*ret = revoke.n;
	return r;
}

/* ---- deleting ---- */

struct removal {
	int fd;
	int64_t now; /* of revocations, those that ended before */
	size_t n;
};

static int remove_any(const void *key, const void *value, void *data)
{
	struct removal *removal = data;
	int r = bpf_map_delete_elem(removal->fd, key);

	(void)value;
	removal->n += r == 0;
	return r == -ENOENT ? 0 : r;
}

static int remove_ended(const void *key, const void *value, void *data)
{
	const struct revocation *revocation = value;
	const struct removal *removal = data;

	return removal->now < revocation->expires ? 0 : remove_any(key, value, data);
}

int revocations_purge(const struct maps *maps, int64_t now)
{
	struct removal removal = { .fd = maps->fd[MAP_REVOCATIONS], .now = now };

	return revocations_each(maps, remove_ended, &removal);
}

int revocations_flush(const struct maps *maps, size_t *ret)
{
	struct removal removal = { .fd = maps->fd[MAP_REVOCATIONS] };
	int r = revocations_each(maps, remove_any, &removal);

	if (r == 0)
		*ret = removal.n;
	return r;
}

int verdicts_flush(const struct maps *maps, size_t *ret)
{
	struct removal removal = { .fd = maps->fd[MAP_VERDICTS] };
	int r = verdicts_each(maps, remove_any, &removal);

	if (r == 0)
		*ret = removal.n;
	return r;
}

/* SPDX-License-Identifier: MIT */
/* Floor 4: the request verdict in the helper. */
#include "userspace-auth/judge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "core/clock.h"
#include "core/revocation.h"
#include "core/util.h"
#include "http1_host.h"
#include "siphash.h"
#include "core/path.h"
#include "userspace-auth/token.h"

static int listener_lookup(const struct judge *judge, struct listener_key *key, struct listener *ret)
{
	return bpf_map_lookup_elem(judge->maps->fd[MAP_LISTENERS], key, ret) ? -errno : 0;
}

int judge_listener(const struct judge *judge, const struct conn *conn, struct listener *ret)
{
	struct listener_key key = {
		.generation = judge->maps->control->generation,
		.port = conn->local_port,
		.addr = conn->local,
	};
	int r;

	r = listener_lookup(judge, &key, ret);
	if (r == -ENOENT && !key.addr.w[0] && !key.addr.w[1] && key.addr.w[2] == htonl(0xffff)) {
		key.addr.w[3] = 0;
		r = listener_lookup(judge, &key, ret);
	}
	if (r == -ENOENT) {
		memset(&key.addr, 0, sizeof(key.addr));
		r = listener_lookup(judge, &key, ret);
	}
	return r == 0 && ret->flags & LISTENER_GONE ? -ENOENT : r;
}

/* The same lookup that the kernel makes for canonical paths. 1: there is a rule. */
static int rule_lookup(const struct judge *judge, const struct listener *listener, const char *path, size_t len,
		       struct path_rule *ret)
{
	struct path_key key = { .generation = judge->maps->control->generation, .rules = listener->rules };
	size_t n = len + 1 < sizeof(key.path) ? len + 1 : sizeof(key.path);

	memcpy(key.path, path, n);
	key.prefixlen = 64 + 8 * n;
	return !bpf_map_lookup_elem(judge->maps->fd[MAP_PATHS], &key, ret);
}

/*
 * What holds for the request's path. A path that servers may read in different ways is never exempt, and is held to the rules
 * of each of its readings: as it is written, and with dot segments, empty segments and parameters resolved.
 *
 * Returns 0, or -EINVAL: refuse; -ENOMEM.
 */
static int path_judge(const struct judge *judge, const struct listener *listener, const char *head,
		      const struct http1 *h, struct path_rule *ret)
{
	struct path_rule plain = { .limits = listener->limits };
	_cleanup_free_ char *path = NULL;
	const char *target = head + h->target_off, *query;
	size_t len = h->target_len;
	bool exact = true;
	int n;

	if (h->method == HTTP1_METHOD_CONNECT)
		return -EINVAL; /* a tunnel to a place that the client names: nothing here can judge it */
	query = memchr(target, '?', len);
	if (query)
		len = query - target;
	path = malloc(len + 2);
	if (!path)
		return -ENOMEM;
	n = path_normalize(target, len, path, &exact);
	if (n < 0)
		return n;
	*ret = plain;
	rule_lookup(judge, listener, path, n, ret);
	if (exact)
		return 0;
	n = path_reduce(path, n);
	rule_lookup(judge, listener, path, n, &plain);
	ret->flags = (ret->flags | plain.flags) & ~PATH_EXEMPT;
	ret->limits |= plain.limits;
	return 0;
}

/* As the kernel finds it; but where the target names a host, Host does not count (RFC 9112, section 3.2.2). */
static uint8_t host_judge(const struct judge *judge, const struct listener *listener, const char *head,
			  const struct http1 *h)
{
	const char *target = head + h->target_off, *query = memchr(target, '?', h->target_len);
	struct host_key key = { .generation = judge->maps->control->generation };
	const struct http1_buf *buf = (const struct http1_buf *)head;
	__u32 number;
	size_t off;
	int end, r;

	if (!(listener->metrics & METRICS_HOST))
		return 0;
	end = path_authority(target, query ? (size_t)(query - target) : h->target_len, &off);
	r = end < 0 ? http1_host(buf, h, &key) : http1_host_key(buf, h->target_off + off, h->target_off + end, &key);
	return r || bpf_map_lookup_elem(judge->maps->fd[MAP_HOSTS], &key, &number) ? 0 : number;
}

static const struct auth_config *judge_auth(const struct judge *judge, const struct listener *listener)
{
	uint16_t number;
	size_t i;

	for (i = 0; i < judge->config->n_listeners; i++) {
		const struct auth_config *auth = config_auth(judge->config, i, &number);

		if (number == listener->auth)
			return auth;
	}
	return NULL;
}

static enum request_reason verdict_now(const struct verdict *verdict, int64_t now)
{
	if (verdict->reason != REQUEST_ALLOWED)
		return verdict->reason;
	return now >= verdict->not_before && now < verdict->expires ? REQUEST_ALLOWED : REQUEST_EXPIRED;
}

/* RFC 6750, section 2.1: anything else is no token at all. `=` stands at the end only, behind something else. */
bool judge_is_token(const char *token, size_t len)
{
	size_t i;

	while (len && token[len - 1] == '=')
		len--;
	for (i = 0; i < len; i++)
		if (token[i] == '=' || !(http1_class[(unsigned char)token[i]] & HTTP1_TOKEN68))
			return false;
	return len;
}

/* Validates a token. Returns 0, or -ENOMEM and the like: nothing may be cached. */
static int token_verdict(const struct judge *judge, const struct listener *listener, const char *token, size_t len,
			 int64_t now, const uint64_t hash_key[2], struct verdict *ret)
{
	const struct auth_config *auth = judge_auth(judge, listener);
	int r;

	if (!auth)
		return -ENOENT;
	if (!judge_is_token(token, len)) {
		*ret = (struct verdict){ .reason = REQUEST_NO_TOKEN, .not_before = INT64_MIN, .expires = INT64_MAX };
		return 0;
	}
	r = token_validate(auth, token, len, now, hash_key, ret);
	/* What the token is worth is cached; whether it is valid now is asked again on each hit. */
	if (!r && ret->reason == REQUEST_EXPIRED)
		ret->reason = REQUEST_ALLOWED;
	return r;
}

/*
 * Writes a verdict as the revocations have it, and looks again: one that came in between may have walked the cache before this
 * verdict stood there. Returns 0, or -errno: it is not known whether the token is revoked, and nothing is cached.
 */
static int verdict_cache(const struct maps *maps, const struct verdict_key *key, struct verdict *verdict, int64_t now)
{
	const struct verdict valid = *verdict;
	int64_t until, written;
	int r;

	r = revocation_of(maps, key, &valid, now, &until);
	if (r < 0)
		return r;
	do {
		*verdict = valid;
		if (until > now && valid.reason == REQUEST_ALLOWED)
			verdict_revoke(verdict, until);
		written = until;
		bpf_map_update_elem(maps->fd[MAP_VERDICTS], key, verdict, BPF_ANY);
		r = revocation_of(maps, key, &valid, now, &until);
	} while (r == 0 && until != written);
	if (r < 0)
		bpf_map_delete_elem(maps->fd[MAP_VERDICTS], key);
	return r;
}

static enum request_reason token_judge(const struct judge *judge, const struct listener *listener, const char *token,
				       size_t len, struct judgement *ret)
{
	const uint64_t hash_key[2] = { judge->maps->control->hash_key[0], judge->maps->control->hash_key[1] };
	int64_t now = clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
	struct verdict_key key = { .auth = listener->auth };
	struct verdict verdict = {};
	bool cached;

	siphash128((const __u64 *)hash_key, (const __u8 *)token, len, key.hash);
	cached = !bpf_map_lookup_elem(judge->maps->fd[MAP_VERDICTS], &key, &verdict) &&
		 verdict_holds(&verdict, judge->maps->control->generation, now);
	if (!cached) {
		if (token_verdict(judge, listener, token, len, now, hash_key, &verdict) < 0)
			return REQUEST_HELPER_DOWN;
		verdict.generation = judge->maps->control->generation;
		if (verdict_cache(judge->maps, &key, &verdict, now) < 0)
			return REQUEST_HELPER_DOWN;
	}
	memcpy(ret->token, key.hash, sizeof(ret->token));
	ret->subject = verdict.subject;
	return cached || verdict_now(&verdict, now) != REQUEST_ALLOWED ? verdict_now(&verdict, now) : REQUEST_VALIDATED;
}

static enum request_reason client_judge(const struct judge *judge, const struct listener *listener, const char *head,
					const struct http1 *h, struct judgement *ret)
{
	if (!(listener->flags & LISTENER_REQUIRE_AUTH))
		return REQUEST_OPEN;
	if (!(h->flags & HTTP1_BEARER))
		return REQUEST_NO_TOKEN;
	if (h->flags & HTTP1_TOKEN_LONG)
		return REQUEST_TOO_LARGE;
	return token_judge(judge, listener, head + h->token_off, h->token_len, ret);
}

void judge_head(const struct judge *judge, const struct listener *listener, const char *head, const struct http1 *h,
		struct judgement *ret)
{
	struct path_rule rule;
	int r = path_judge(judge, listener, head, h, &rule);

	*ret = (struct judgement){ .reason = r == -ENOMEM ? REQUEST_HELPER_DOWN : REQUEST_BAD };
	if (r < 0)
		return;
	ret->prefix = rule.prefix;
	ret->host = host_judge(judge, listener, head, h);
	ret->reason = REQUEST_EXEMPT;
	if (rule.flags & PATH_EXEMPT)
		return;
	ret->reason = client_judge(judge, listener, head, h, ret);
	if (ret->reason >= REQUEST_BAD)
		return;
	ret->limits = rule.limits;
	if (listener->flags & LISTENER_OVERFULL)
		ret->reason = REQUEST_PROXY_COUNT;
	else if (rule.flags & PATH_UNLICENSED)
		ret->reason = REQUEST_FEATURE;
	else if (rule.flags & PATH_UNLICENSED_DRY)
		ret->would = REQUEST_FEATURE;
}

// SPDX-License-Identifier: MIT
/* Floor 5: cached verdicts and revocations as text and as JSON; the token that a command is about. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cjson/cJSON.h>

#include "core/revocation.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/verdict_view.h"
#include "userspace-auth/judge.h"

static const char *const kind_names[REVOKED_MAX] = {
	[REVOKED_TOKEN] = "token",
	[REVOKED_SUBJECT] = "sub",
	[REVOKED_JTI] = "jti",
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* As many bytes as fit, unbuffered: a stream's buffer would keep a copy. */
static ssize_t read_all(int fd, char *ret, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size) {
		got = read(fd, ret + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += got;
	}
	return n;
}

int verdict_token_read(const char *path, char ret[MPBPF_TOKEN_MAX], size_t *ret_len)
{
	bool standard = !strcmp(path, "-");
	_cleanup_close_ int fd = open(standard ? "/dev/null" : path, O_RDONLY | O_CLOEXEC);
	char text[MPBPF_TOKEN_MAX + 64], *token = text;
	ssize_t n;
	int code = EXIT_USAGE;

	n = fd < 0 ? -errno : read_all(standard ? STDIN_FILENO : fd, text, sizeof(text));
	if (n < 0) {
		log_line("--token-file %s: %s", path, strerror(-n));
		return n == -EIO || n == -ENOMEM ? EXIT_FAILED : EXIT_USAGE;
	}
	while (n && is_blank(token[n - 1]))
		n--;
	for (; n && is_blank(*token); n--)
		token++;
	if (n > MPBPF_TOKEN_MAX) {
		log_line("--token-file %s: longer than a token can be (%d bytes)", path, MPBPF_TOKEN_MAX);
	} else if (!judge_is_token(token, n)) {
		log_line("--token-file %s: expected a token and nothing else, as it stands behind `Bearer`", path);
	} else {
		memcpy(ret, token, n);
		*ret_len = n;
		code = EXIT_DONE;
	}
	explicit_bzero(text, sizeof(text));
	return code;
}

const char *verdict_time(int64_t seconds, char ret[VERDICT_TIME_MAX])
{
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 || !strftime(ret, VERDICT_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(ret, VERDICT_TIME_MAX, "%" PRId64, seconds);
	return ret;
}

/* ---- JSON ---- */

static void add_time(cJSON *json, const char *name, int64_t seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, seconds);
	cJSON_AddRawToObject(json, name, seconds == INT64_MIN || seconds == INT64_MAX ? "null" : text);
}

static void add_hash(cJSON *json, const char *name, uint64_t hash)
{
	char text[32];

	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	if (hash)
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

/* Prints and frees. */
static int print_object(struct verdict_view *view, cJSON *json)
{
	_cleanup_free_ char *text = json ? cJSON_PrintUnformatted(json) : NULL;

	cJSON_Delete(json);
	if (!text)
		return -ENOMEM;
	printf("%s%s", view->more ? ",\n    " : "\n    ", text);
	view->more = true;
	return 0;
}

/* ---- a verdict ---- */

struct shown {
	const char *decision, *reason;
	bool stale, revoked;
};

static int verdict_show(const struct verdict_view *view, const struct verdict_key *key, const struct verdict *v,
			struct shown *ret)
{
	bool in_time = view->now >= v->not_before && view->now < v->expires;
	int64_t until;
	int r;

	r = revocation_of(view->maps, key, v, view->now, &until);
	if (r < 0)
		return r;
	*ret = (struct shown){
		.stale = v->generation != view->maps->control->generation,
		.revoked = view->now < until,
		.decision = "deny",
	};
	switch (v->reason) {
	case REQUEST_ALLOWED: ret->reason = in_time ? "allowed" : "expired"; break;
	case REQUEST_NO_TOKEN: ret->reason = "no_token"; break;
	default: ret->reason = "bad_token"; break;
	}
	if (v->reason == REQUEST_ALLOWED && in_time)
		ret->decision = "allow";
	if (!verdict_holds(v, view->maps->control->generation, view->now))
		ret->decision = "ask";
	return 0;
}

static int verdict_print_json(struct verdict_view *view, const struct verdict_key *key, const struct verdict *v,
			      const struct shown *shown)
{
	cJSON *json = cJSON_CreateObject();
	char hash[40];

	snprintf(hash, sizeof(hash), "%016llx%016llx", key->hash[0], key->hash[1]);
	cJSON_AddStringToObject(json, "hash", hash);
	cJSON_AddNumberToObject(json, "auth", key->auth);
	cJSON_AddStringToObject(json, "decision", shown->decision);
	cJSON_AddStringToObject(json, "reason", shown->reason);
	add_time(json, "not_before", v->not_before);
	add_time(json, "expires", v->expires);
	add_hash(json, "sub", v->subject);
	add_hash(json, "jti", v->jti);
	cJSON_AddBoolToObject(json, "stale", shown->stale);
	cJSON_AddBoolToObject(json, "revoked", shown->revoked);
	return print_object(view, json);
}

int verdict_print(struct verdict_view *view, const struct verdict_key *key, const struct verdict *v)
{
	char time[VERDICT_TIME_MAX];
	struct shown shown;
	int r;

	r = verdict_show(view, key, v, &shown);
	if (r < 0 || view->json)
		return r < 0 ? r : verdict_print_json(view, key, v, &shown);
	printf("%-11s %016llx%016llx auth %u: %s (%s)", "verdict", key->hash[0], key->hash[1], key->auth,
	       shown.decision, shown.reason);
	if (v->not_before != INT64_MIN)
		printf(", from %s", verdict_time(v->not_before, time));
	if (v->expires != INT64_MAX)
		printf(", until %s", verdict_time(v->expires, time));
	if (v->subject)
		printf(", sub %016llx", v->subject);
	if (v->jti)
		printf(", jti %016llx", v->jti);
	printf("%s%s\n", shown.revoked ? ", revoked" : "", shown.stale ? ", stale" : "");
	return 0;
}

/* ---- a revocation ---- */

int revocation_print(struct verdict_view *view, const struct revocation_key *key, const struct revocation *r)
{
	const char *kind = key->kind < REVOKED_MAX ? kind_names[key->kind] : "unknown";
	char until[VERDICT_TIME_MAX], at[VERDICT_TIME_MAX];
	cJSON *json;

	if (view->now >= r->expires)
		return 0;
	if (!view->json) {
		printf("%-11s %s %016llx, made %s, %s%s\n", "revocation", kind, key->hash, verdict_time(r->at, at),
		       r->expires == INT64_MAX ? "for good" : "until ",
		       r->expires == INT64_MAX ? "" : verdict_time(r->expires, until));
		return 0;
	}
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "kind", kind);
	add_hash(json, "hash", key->hash);
	add_time(json, "at", r->at);
	add_time(json, "expires", r->expires);
	return print_object(view, json);
}

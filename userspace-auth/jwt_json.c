// SPDX-License-Identifier: MIT
/*
 * Floor 4: the two JSON objects inside a JWT, read with cJSON.
 *
 * cJSON keeps duplicate names, which libjwt's parser drops, so that they can be refused; libjwt's parser (jansson)
 * keeps to RFC 8259 to the letter, which cJSON does not. A token has to please both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "bpf/include/siphash.h"
#include "core/util.h"
#include "userspace-auth/jwt_json.h"

static const char *const algorithm_names[] = {
	[JWT_HS256] = "HS256",
	[JWT_HS384] = "HS384",
	[JWT_HS512] = "HS512",
};

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Two members of one name: parsers differ in which they believe (RFC 7515, section 4; RFC 7519, section 4). Sorted, for
 * the header is read before the signature is checked, and comparing all pairs of a thousand names would be a lever.
 */
static int names_unique(const cJSON *object)
{
	_cleanup_free_ const char **names = NULL;
	const cJSON *member;
	size_t n = 0, i;

	cJSON_ArrayForEach(member, object)
		n++;
	if (n < 2)
		return 0;
	names = calloc(n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	n = 0;
	cJSON_ArrayForEach(member, object)
		names[n++] = member->string;
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 1; i < n; i++)
		if (!strcmp(names[i - 1], names[i]))
			return -EBADMSG;
	return 0;
}

static int object_parse(const char *text, cJSON **ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	int r;

	errno = 0;
	json = cJSON_ParseWithOpts(text, NULL, 1);
	if (!json) /* cJSON itself does not tell the two apart */
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	if (!cJSON_IsObject(json))
		return -EBADMSG;
	r = names_unique(json);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(json);
	return 0;
}

int jwt_header_check(const char *text, enum jwt_algorithm algorithm)
{
	_cleanup_(json_free) cJSON *header = NULL;
	const char *alg;
	int r;

	r = object_parse(text, &header);
	if (r < 0)
		return r;
	/* No extension is understood here, so none may be critical (RFC 7515, section 4.1.11). */
	if (cJSON_GetObjectItemCaseSensitive(header, "crit"))
		return -EBADMSG;
	alg = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(header, "alg"));
	return alg && !strcmp(alg, algorithm_names[algorithm]) ? 0 : -EBADMSG;
}

/* Cut towards zero; a double holds no fraction where it saturates. */
static int64_t to_seconds(double seconds)
{
	if (seconds >= 0x1p63)
		return INT64_MAX;
	if (seconds < -0x1p63)
		return INT64_MIN;
	return (int64_t)seconds;
}

/*
 * Times may have a fraction, the clock that they are compared with is cut to whole seconds. Rounding outwards (exp up,
 * nbf down) never refuses a token at an instant at which RFC 7519, sections 4.1.4 and 4.1.5, holds it valid; what it
 * gives away is less than a second, as leeway does on purpose.
 */
static int64_t round_up(double seconds)
{
	int64_t cut = to_seconds(seconds);

	return (double)cut < seconds && cut < INT64_MAX ? cut + 1 : cut;
}

static int64_t round_down(double seconds)
{
	int64_t cut = to_seconds(seconds);

	return (double)cut > seconds && cut > INT64_MIN ? cut - 1 : cut;
}

static int read_expires(const cJSON *claims, uint32_t leeway_s, int64_t *ret)
{
	const cJSON *exp = cJSON_GetObjectItemCaseSensitive(claims, "exp");

	if (!exp) {
		*ret = INT64_MAX;
		return 0;
	}
	if (!cJSON_IsNumber(exp))
		return -EBADMSG;
	if (__builtin_add_overflow(round_up(exp->valuedouble), (int64_t)leeway_s, ret))
		*ret = INT64_MAX;
	return 0;
}

static int read_not_before(const cJSON *claims, uint32_t leeway_s, int64_t *ret)
{
	const cJSON *nbf = cJSON_GetObjectItemCaseSensitive(claims, "nbf");

	if (!nbf) {
		*ret = INT64_MIN;
		return 0;
	}
	if (!cJSON_IsNumber(nbf))
		return -EBADMSG;
	if (__builtin_sub_overflow(round_down(nbf->valuedouble), (int64_t)leeway_s, ret))
		*ret = INT64_MIN;
	return 0;
}

/* The keyed hash of a claim that names something. 0: the token has no such claim. */
static int read_name(const cJSON *claims, const char *claim, const uint64_t hash_key[2], uint64_t *ret)
{
	const __u64 key[2] = { hash_key[0], hash_key[1] };
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(claims, claim);
	__u64 hash[2];

	if (!name) {
		*ret = 0;
		return 0;
	}
	if (!cJSON_IsString(name))
		return -EBADMSG;
	siphash128(key, (const __u8 *)name->valuestring, (__u32)strlen(name->valuestring), hash);
	*ret = hash[0] ? hash[0] : 1;
	return 0;
}

int jwt_claims_read(const char *text, uint32_t leeway_s, const uint64_t hash_key[2], struct jwt_claims *ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	struct jwt_claims claims;
	int r;

	r = object_parse(text, &json);
	if (r < 0)
		return r;
	r = read_expires(json, leeway_s, &claims.expires);
	if (r < 0)
		return r;
	r = read_not_before(json, leeway_s, &claims.not_before);
	if (r < 0)
		return r;
	r = read_name(json, "sub", hash_key, &claims.subject);
	if (r < 0)
		return r;
	r = read_name(json, "jti", hash_key, &claims.jti);
	if (r < 0)
		return r;
	*ret = claims;
	return 0;
}

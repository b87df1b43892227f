// SPDX-License-Identifier: MIT
/* Floor 4: the two JSON objects inside a JWT: what the header says of the signature, and what the payload claims. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bpf/include/siphash.h"
#include "core/json.h"
#include "core/util.h"
#include "userspace-auth/jwt_json.h"

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

static int object_parse(const char *text, size_t len, cJSON **ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	size_t at;
	int r;

	r = json_read(text, len, &json, &at);
	if (r < 0)
		return r;
	if (!cJSON_IsObject(json))
		return -EBADMSG;
	r = json_names_unique(json);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(json);
	return 0;
}

/*
 * Explicit typing (RFC 8725, section 3.11): a token made for another use, say a logout or a DPoP proof, says so here and
 * is no access token. Media types may leave out "application/" (RFC 7515, section 4.1.9), and case does not count.
 */
static bool is_access_type(const cJSON *typ)
{
	const char *text = cJSON_GetStringValue(typ);

	if (!text)
		return false;
	if (!strncasecmp(text, "application/", strlen("application/")))
		text += strlen("application/");
	return !strcasecmp(text, "JWT") || !strcasecmp(text, "at+jwt");
}

void jwt_header_free(struct jwt_header *header)
{
	free(header->kid);
}

int jwt_header_read(const char *text, size_t len, struct jwt_header *ret)
{
	_cleanup_(json_free) cJSON *header = NULL;
	const cJSON *alg, *kid, *typ;
	char *own = NULL;
	int r;

	r = object_parse(text, len, &header);
	if (r < 0)
		return r;
	/* No extension is understood here, so none may be critical (RFC 7515, section 4.1.11). */
	if (cJSON_GetObjectItemCaseSensitive(header, "crit"))
		return -EBADMSG;
	typ = cJSON_GetObjectItemCaseSensitive(header, "typ");
	alg = cJSON_GetObjectItemCaseSensitive(header, "alg");
	kid = cJSON_GetObjectItemCaseSensitive(header, "kid");
	if ((typ && !is_access_type(typ)) || !cJSON_IsString(alg) || (kid && !cJSON_IsString(kid)))
		return -EBADMSG;
	r = jwt_algorithm_of(alg->valuestring);
	if (r < 0)
		return -EBADMSG;
	if (kid && !(own = strdup(kid->valuestring)))
		return -ENOMEM;
	*ret = (struct jwt_header){ .algorithm = r, .kid = own };
	return 0;
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

/* What a double cannot hold is no time either. */
static bool is_time(const cJSON *item)
{
	return cJSON_IsNumber(item) && isfinite(item->valuedouble);
}

static int read_expires(const cJSON *claims, uint32_t leeway_s, int64_t *ret)
{
	const cJSON *exp = cJSON_GetObjectItemCaseSensitive(claims, "exp");

	if (!exp) {
		*ret = INT64_MAX;
		return 0;
	}
	if (!is_time(exp))
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
	if (!is_time(nbf))
		return -EBADMSG;
	if (__builtin_sub_overflow(round_down(nbf->valuedouble), (int64_t)leeway_s, ret))
		*ret = INT64_MIN;
	return 0;
}

/* The keyed hash of a claim that must be a string: 0 means that there is none. */
static int read_hash(const cJSON *claims, const char *name, const uint64_t hash_key[2], uint64_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(claims, name);
	const __u64 key[2] = { hash_key[0], hash_key[1] };
	__u64 hash[2];

	if (!item) {
		*ret = 0;
		return 0;
	}
	if (!cJSON_IsString(item))
		return -EBADMSG;
	siphash128(key, (const __u8 *)item->valuestring, (__u32)strlen(item->valuestring), hash);
	*ret = hash[0] ? hash[0] : 1;
	return 0;
}

static bool value_is(const cJSON *item, const struct claim_value *value)
{
	switch (value->kind) {
	case CLAIM_STRING: return cJSON_IsString(item) && !strcmp(item->valuestring, value->text);
	case CLAIM_NUMBER: return cJSON_IsNumber(item) && item->valuedouble == value->number;
	case CLAIM_BOOLEAN: return cJSON_IsBool(item) && cJSON_IsTrue(item) == value->boolean;
	}
	return false;
}

static bool is_one_of(const cJSON *item, const struct claim_rule *rule)
{
	size_t i;

	for (i = 0; i < rule->n_values; i++)
		if (value_is(item, &rule->values[i]))
			return true;
	return false;
}

/* An array says all that its elements say. */
static bool holds(const cJSON *item, const struct claim_rule *rule)
{
	const cJSON *element;

	if (!cJSON_IsArray(item))
		return item && is_one_of(item, rule);
	cJSON_ArrayForEach(element, item)
		if (is_one_of(element, rule))
			return true;
	return false;
}

/* RFC 7519, sections 4.1.1 and 4.1.3: an issuer is one, audiences may be many. */
static bool claims_hold(const cJSON *claims, const struct auth_config *auth)
{
	const cJSON *iss = cJSON_GetObjectItemCaseSensitive(claims, "iss");
	size_t i;

	if (auth->issuer.n_values && !(iss && is_one_of(iss, &auth->issuer)))
		return false;
	if (auth->audience.n_values && !holds(cJSON_GetObjectItemCaseSensitive(claims, "aud"), &auth->audience))
		return false;
	for (i = 0; i < auth->n_claims; i++)
		if (!holds(cJSON_GetObjectItemCaseSensitive(claims, auth->claims[i].name), &auth->claims[i]))
			return false;
	return true;
}

int jwt_claims_read(const char *text, size_t len, const struct auth_config *auth, const uint64_t hash_key[2],
		    struct jwt_claims *ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	struct jwt_claims claims;
	int r;

	r = object_parse(text, len, &json);
	if (r == 0)
		r = read_expires(json, auth->leeway_s, &claims.expires);
	if (r == 0)
		r = read_not_before(json, auth->leeway_s, &claims.not_before);
	if (r == 0)
		r = read_hash(json, "sub", hash_key, &claims.subject);
	if (r == 0)
		r = read_hash(json, "jti", hash_key, &claims.jti);
	if (r == 0 && !claims_hold(json, auth))
		r = -EBADMSG;
	if (r == 0)
		*ret = claims;
	return r;
}

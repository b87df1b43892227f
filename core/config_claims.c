/* SPDX-License-Identifier: MIT */
/* Floor 3: what the claims of a token must be: issuers, audiences, and others by name. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/config_internal.h"

#define VALUES_MAX 64
#define CLAIMS_MAX 64
#define TEXT_MAX 1024

static const struct rule value_rule = {
	.expected = "a string of at most 1024 bytes, a number of at most 2^53 - 1 either way, true or false",
};
static const struct rule values_rule = {
	.expected =
		"a string of at most 1024 bytes, a number of at most 2^53 - 1 either way, true or false, or an array "
		"of 1 to 64 of these",
};

void claim_rule_free(struct claim_rule *rule)
{
	size_t i;

	for (i = 0; i < rule->n_values; i++)
		free(rule->values[i].text);
	free(rule->values);
	free(rule->name);
	*rule = (struct claim_rule){};
}

/* Beyond 2^53 - 1, numbers that differ in JSON are one and the same double (RFC 7493, section 2.2). */
static int value_read(struct reader *r, const cJSON *item, const struct rule *rule, struct claim_value *ret)
{
	if (cJSON_IsBool(item)) {
		*ret = (struct claim_value){ .kind = CLAIM_BOOLEAN, .boolean = cJSON_IsTrue(item) };
		return 0;
	}
	if (cJSON_IsNumber(item) && fabs(item->valuedouble) <= 0x1p53 - 1) {
		*ret = (struct claim_value){ .kind = CLAIM_NUMBER, .number = item->valuedouble };
		return 0;
	}
	if (!cJSON_IsString(item) || strlen(item->valuestring) > TEXT_MAX)
		return reader_refuse(r, item, rule);
	*ret = (struct claim_value){ .kind = CLAIM_STRING, .text = strdup(item->valuestring) };
	return ret->text ? 0 : reader_nomem(r);
}

/* An array's elements by `each`, or one value by `one`, into ret->values. */
static int values_read(struct reader *r, const cJSON *item, const struct rule *one, const struct rule *each,
		       struct claim_rule *ret)
{
	int n = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 1;
	const cJSON *child;
	int err;

	if (n < 1 || n > VALUES_MAX)
		return reader_refuse(r, item, one);
	ret->values = calloc(n, sizeof(*ret->values));
	if (!ret->values)
		return reader_nomem(r);
	if (!cJSON_IsArray(item)) {
		err = value_read(r, item, one, &ret->values[0]);
		ret->n_values = !err;
		return err;
	}
	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, ret->n_values);

		err = value_read(r, child, each, &ret->values[ret->n_values]);
		if (err < 0)
			return err;
		ret->n_values++;
		path_restore(r, before);
	}
	return 0;
}

static bool is_text(const cJSON *item)
{
	return cJSON_IsString(item) && *item->valuestring;
}

int read_claim_strings(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct claim_rule *claim = (struct claim_rule *)((char *)base + rule->offset);
	static const struct rule each = { .expected = "a string of 1 to 1024 bytes" };
	const cJSON *child;
	size_t i = 0;

	if (!cJSON_IsArray(item) && !is_text(item))
		return reader_refuse(r, item, rule);
	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, i++);

		if (!is_text(child))
			return reader_refuse(r, child, &each);
		path_restore(r, before);
	}
	return values_read(r, item, rule, &each, claim);
}

static int claim_read(struct reader *r, const cJSON *item, struct claim_rule *ret)
{
	if (!*item->string || strlen(item->string) > TEXT_MAX)
		return reader_fail(r, "(its name)", "a name of 1 to %d bytes", TEXT_MAX);
	ret->name = strdup(item->string);
	return ret->name ? values_read(r, item, &values_rule, &value_rule, ret) : reader_nomem(r);
}

int read_claims(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct auth_config *auth = base;
	const cJSON *child;
	int err;

	if (!cJSON_IsObject(item))
		return reader_refuse(r, item, rule);
	if (cJSON_GetArraySize(item) > CLAIMS_MAX)
		return reader_fail(r, show_item(item, rule).text, "at most %d claims", CLAIMS_MAX);
	err = json_names_unique(item);
	if (err < 0)
		return err == -ENOMEM ? reader_nomem(r) : reader_fail(r, "(a claim given twice)", "each claim once");
	auth->claims = calloc(cJSON_GetArraySize(item) + 1, sizeof(*auth->claims));
	if (!auth->claims)
		return reader_nomem(r);
	cJSON_ArrayForEach(child, item) {
		size_t before = path_key(r, child->string);

		err = claim_read(r, child, &auth->claims[auth->n_claims++]);
		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return 0;
}

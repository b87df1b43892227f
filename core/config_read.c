/* SPDX-License-Identifier: MIT */
/* Floor 3: one JSON value into one field of a struct, as the tables of keys say. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

#define KEYS_MAX 32 /* of one object: the width of the set of keys seen */

static void *field(const struct rule *rule, void *base)
{
	return (char *)base + rule->offset;
}

int read_bool(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	bool value = cJSON_IsTrue(item);

	if (!cJSON_IsBool(item))
		return reader_refuse(r, item, rule);
	memcpy(field(rule, base), &value, sizeof(value));
	return 0;
}

static bool in_range(const cJSON *item, const struct rule *rule)
{
	return cJSON_IsNumber(item) && item->valuedouble >= rule->min && item->valuedouble <= rule->max;
}

int read_integer(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	uint32_t value;
	uint16_t small;

	if (!in_range(item, rule) || item->valuedouble != (uint32_t)item->valuedouble)
		return reader_refuse(r, item, rule);
	value = item->valuedouble;
	small = value;
	if (rule->size == sizeof(small))
		memcpy(field(rule, base), &small, sizeof(small));
	else
		memcpy(field(rule, base), &value, sizeof(value));
	return 0;
}

int read_number(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	if (!in_range(item, rule))
		return reader_refuse(r, item, rule);
	memcpy(field(rule, base), &item->valuedouble, sizeof(item->valuedouble));
	return 0;
}

int read_string(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	char *text;

	if (!cJSON_IsString(item) || (rule->check && !rule->check(item->valuestring)))
		return reader_refuse(r, item, rule);
	text = strdup(item->valuestring);
	if (!text)
		return reader_nomem(r);
	memcpy(field(rule, base), &text, sizeof(text));
	return 0;
}

int read_name(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	unsigned int i;

	if (!cJSON_IsString(item))
		return reader_refuse(r, item, rule);
	for (i = 0; rule->names[i]; i++) {
		unsigned int value = i + rule->min;

		if (strcmp(item->valuestring, rule->names[i]))
			continue;
		memcpy(field(rule, base), &value, sizeof(value));
		return 0;
	}
	return reader_refuse(r, item, rule);
}

static const struct rule *find_rule(const struct rule *rules, const char *key)
{
	for (; rules->read; rules++) {
		if (!strcmp(rules->key, key))
			return rules;
	}
	return NULL;
}

/* The value stays unsaid: a mistyped key may stand before a secret. */
static int unknown_key(struct reader *r, const struct rule *rules)
{
	char keys[256] = "";
	size_t n = 0;

	for (; rules->read && n < sizeof(keys); rules++)
		n += snprintf(keys + n, sizeof(keys) - n, "%s%s", n ? ", " : "", rules->key);
	return reader_fail(r, "(unknown key)", "one of %s", keys);
}

static int read_key(struct reader *r, const cJSON *item, const struct rule *rules, uint32_t *seen, void *object)
{
	size_t before = path_key(r, item->string);
	const struct rule *rule = find_rule(rules, item->string);
	int err;

	if (!rule)
		return unknown_key(r, rules);
	if (*seen & (1U << (rule - rules)))
		return reader_fail(r, "(given twice)", "each key once");
	*seen |= 1U << (rule - rules);
	err = rule->read(r, item, rule, object);
	if (err < 0)
		return err;
	path_restore(r, before);
	return 0;
}

int read_keys(struct reader *r, const cJSON *item, const struct rule *rule, void *object)
{
	const struct rule *key;
	const cJSON *child;
	uint32_t seen = 0;
	int err;

	if (!cJSON_IsObject(item))
		return reader_refuse(r, item, rule);
	cJSON_ArrayForEach(child, item) {
		err = read_key(r, child, rule->of, &seen, object);
		if (err < 0)
			return err;
	}
	for (key = rule->of; key->read; key++) {
		if (!(key->flags & RULE_REQUIRED) || seen & (1U << (key - rule->of)))
			continue;
		path_key(r, key->key);
		return reader_fail(r, "(missing)", "%s", key->expected);
	}
	return rule->finish ? rule->finish(r, object) : 0;
}

int read_object(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	return read_keys(r, item, rule, field(rule, base));
}

/* Each element is counted before it is read, so that a half-read one is freed with the rest. */
static int read_elements(struct reader *r, const cJSON *item, const struct rule *rule, char *data, size_t *n)
{
	const cJSON *child;

	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, *n);
		char *element = data + rule->size * (*n)++;
		int err = rule->of->read(r, child, rule->of, element);

		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return 0;
}

int read_array(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	int size = cJSON_GetArraySize(item);
	void *data;

	if (!cJSON_IsArray(item))
		return reader_refuse(r, item, rule);
	if (size < rule->min)
		return reader_fail(r, show_item(item, rule).text, "at least %.0f element", rule->min);
	if (size > rule->max)
		return reader_fail(r, show_item(item, rule).text, "at most %.0f elements", rule->max);
	if (!size)
		return 0;
	data = calloc(size, rule->size);
	if (!data)
		return reader_nomem(r);
	memcpy(field(rule, base), &data, sizeof(data));
	return read_elements(r, item, rule, data, (size_t *)((char *)base + rule->count));
}

int array_grow(void *array, size_t n, size_t size)
{
	void *old, *grown;

	if (n & (n - 1))
		return 0; /* the capacity is the power of two at or above n */
	memcpy(&old, array, sizeof(old));
	grown = reallocarray(old, n ? 2 * n : 1, size);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	return 0;
}

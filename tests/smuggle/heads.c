/* SPDX-License-Identifier: MIT */
/* The fields of a head, as they were sent and as a service saw them: line by line, but for what a gateway changes. */
#include "smuggle.h"

#include <string.h>
#include <strings.h>

/* What a gateway leaves out, for it concerns one connection alone; and what it adds. */
static const char *const hop[] = { "connection", "keep-alive", "te", "upgrade", "proxy-connection", NULL };
static const char *const added[] = { "x-forwarded-for", "x-forwarded-proto", NULL };
/* Of an absolute target it is made anew, and stands first. */
static const char *const host[] = { "host", NULL };

struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

static bool is_one_of(const struct field *field, const char *const *names)
{
	for (; *names; names++)
		if (strlen(*names) == field->name_len && !strncasecmp(*names, field->name, field->name_len))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line of what is left. */
static bool field_next(const char **at, size_t *left, struct field *ret)
{
	const char *end = memchr(*at, '\n', *left), *colon = end ? memchr(*at, ':', end - *at) : NULL;

	if (!colon)
		return false;
	*ret = (struct field){ *at, colon + 1, colon - *at, end - colon - 1 };
	for (; ret->value_len && is_blank(*ret->value); ret->value_len--)
		ret->value++;
	while (ret->value_len && is_blank(ret->value[ret->value_len - 1]))
		ret->value_len--;
	*left -= end + 1 - *at;
	*at = end + 1;
	return true;
}

/* The same, but for the fields of these names. */
static bool field_next_but(const char **at, size_t *left, const char *const *a, const char *const *b, struct field *ret)
{
	bool there;

	do
		there = field_next(at, left, ret);
	while (there && (is_one_of(ret, host) || (options.gateway && (is_one_of(ret, a) || is_one_of(ret, b)))));
	return there;
}

static bool hosts_same(const char *seen, size_t seen_len)
{
	struct field field;
	int n = 0;

	while (field_next(&seen, &seen_len, &field))
		if (is_one_of(&field, host))
			n += field.value_len == 6 && !memcmp(field.value, "server", 6) ? 1 : 2;
	return n == 1;
}

bool heads_same(const char *sent, size_t sent_len, const char *seen, size_t seen_len)
{
	struct field a, b;
	bool more_sent, more_seen;

	if (!hosts_same(seen, seen_len))
		return false;
	for (;;) {
		more_sent = field_next_but(&sent, &sent_len, hop, hop, &a);
		more_seen = field_next_but(&seen, &seen_len, hop, added, &b);
		if (!more_sent || !more_seen)
			return more_sent == more_seen;
		if (a.name_len != b.name_len || memcmp(a.name, b.name, a.name_len) || a.value_len != b.value_len ||
		    memcmp(a.value, b.value, a.value_len))
			return false;
	}
}

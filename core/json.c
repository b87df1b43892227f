/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: bytes to a JSON tree, strictly by RFC 8259. cJSON builds the tree; the grammar is checked before, because
 * cJSON takes control characters, other number forms and invalid UTF-8, ends strings at \u0000, and is vague about
 * where an error is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/util.h"

/* On failure p stands at the byte that is wrong. */
struct lexer {
	const unsigned char *p, *end;
};

static bool is_digit(const struct lexer *l)
{
	return l->p < l->end && *l->p >= '0' && *l->p <= '9';
}

static bool is_one_of(const struct lexer *l, const char *set)
{
	return l->p < l->end && *l->p && strchr(set, *l->p);
}

static bool skip_digits(struct lexer *l)
{
	if (!is_digit(l))
		return false;
	while (is_digit(l))
		l->p++;
	return true;
}

/* RFC 8259, section 6 */
static bool lex_number(struct lexer *l)
{
	if (*l->p == '-')
		l->p++;
	if (is_one_of(l, "0"))
		l->p++;
	else if (!skip_digits(l))
		return false;
	if (is_one_of(l, ".")) {
		l->p++;
		if (!skip_digits(l))
			return false;
	}
	if (is_one_of(l, "eE")) {
		l->p++;
		if (is_one_of(l, "+-"))
			l->p++;
		if (!skip_digits(l))
			return false;
	}
	return !is_one_of(l, "+-.eE0123456789");
}

/* \u0000 would end a C string early. Surrogates are left to cJSON. */
static bool lex_escape(struct lexer *l)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	bool zero = true;
	int i;

	l->p++;
	if (!is_one_of(l, "\"\\/bfnrtu"))
		return false;
	if (*l->p++ != 'u')
		return true;
	for (i = 0; i < 4; i++) {
		if (!is_one_of(l, hex))
			return false;
		zero = zero && *l->p == '0';
		l->p++;
	}
	return !zero;
}

/* One character beyond ASCII: RFC 3629, section 4. */
static bool lex_utf8(struct lexer *l)
{
	unsigned char lead = *l->p;
	unsigned char low = 0x80, high = 0xbf;
	int more;

	if (lead >= 0xc2 && lead <= 0xdf)
		more = 1;
	else if (lead >= 0xe0 && lead <= 0xef)
		more = 2;
	else if (lead >= 0xf0 && lead <= 0xf4)
		more = 3;
	else
		return false;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	for (l->p++; more > 0; more--, l->p++) {
		if (l->p == l->end || *l->p < low || *l->p > high)
			return false;
		low = 0x80;
		high = 0xbf;
	}
	return true;
}

static bool lex_string(struct lexer *l)
{
	l->p++;
	while (l->p < l->end) {
		if (*l->p == '"') {
			l->p++;
			return true;
		}
		if (*l->p < 0x20)
			return false;
		if (*l->p == '\\') {
			if (!lex_escape(l))
				return false;
		} else if (*l->p >= 0x80) {
			if (!lex_utf8(l))
				return false;
		} else {
			l->p++;
		}
	}
	return false;
}

static void skip_space(struct lexer *l)
{
	while (is_one_of(l, " \t\r\n"))
		l->p++;
}

static bool lex_literal(struct lexer *l, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(l->end - l->p) < len || memcmp(l->p, word, len))
		return false;
	l->p += len;
	return true;
}

static bool lex_value(struct lexer *l, unsigned int depth);

static bool lex_key(struct lexer *l)
{
	skip_space(l);
	if (!is_one_of(l, "\"") || !lex_string(l))
		return false;
	skip_space(l);
	if (!is_one_of(l, ":"))
		return false;
	l->p++;
	return true;
}

/* p stands at the opening bracket. */
static bool lex_container(struct lexer *l, unsigned int depth)
{
	bool object = *l->p == '{';
	const char *end = object ? "}" : "]";

	if (depth >= CJSON_NESTING_LIMIT)
		return false;
	l->p++;
	skip_space(l);
	if (is_one_of(l, end)) {
		l->p++;
		return true;
	}
	for (;;) {
		if ((object && !lex_key(l)) || !lex_value(l, depth + 1))
			return false;
		skip_space(l);
		if (!is_one_of(l, ",")) {
			if (!is_one_of(l, end))
				return false;
			l->p++;
			return true;
		}
		l->p++;
	}
}

static bool lex_value(struct lexer *l, unsigned int depth)
{
	skip_space(l);
	if (is_one_of(l, "{["))
		return lex_container(l, depth);
	if (is_one_of(l, "\""))
		return lex_string(l);
	if (is_one_of(l, "-0123456789"))
		return lex_number(l);
	return lex_literal(l, "true") || lex_literal(l, "false") || lex_literal(l, "null");
}

static bool lex(struct lexer *l)
{
	if (!lex_value(l, 0))
		return false;
	skip_space(l);
	return l->p == l->end;
}

int json_read(const char *text, size_t len, cJSON **ret, size_t *ret_at)
{
	struct lexer l = { .p = (const unsigned char *)text };
	const char *stop = text;
	cJSON *json;

	l.end = l.p + len;
	if (!lex(&l)) {
		*ret_at = (const char *)l.p - text;
		return -EBADMSG;
	}
	errno = 0;
	/* With the NUL counted in, cJSON never looks behind its input (CVE-2023-53154). */
	json = cJSON_ParseWithLengthOpts(text, len + 1, &stop, true);
	if (!json) { /* cJSON itself does not tell the two apart */
		*ret_at = stop - text;
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	}
	*ret = json;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: a stranger's text may be read here, and comparing all pairs of a thousand names would be a lever. */
int json_names_unique(const cJSON *object)
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

/* Columns count characters, as editors do. */
void json_place(const char *text, size_t at, size_t *ret_line, size_t *ret_column)
{
	size_t line = 1, column = 1;
	size_t i;

	for (i = 0; i < at; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

static void wipe_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

static void wipe_strings(cJSON *item)
{
	for (; item; item = item->next) {
		wipe_text(item->valuestring);
		wipe_text(item->string);
		wipe_strings(item->child);
	}
}

void json_wipe(cJSON **json)
{
	wipe_strings(*json);
	cJSON_Delete(*json);
	*json = NULL;
}

/* SPDX-License-Identifier: MIT */
/* Floor 3: where in the document the reader is, and failures and warnings in words that quote safely. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/config_internal.h"

#define SHOWN_MAX 64 /* bytes of a value that are shown, escapes included */

/* Escapes what is not printable ASCII: the text ends up on terminals. Cut off at SHOWN_MAX, which "..." then says. */
static void escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = *text;
		char unit[5];

		if (c == '"' || c == '\\')
			snprintf(unit, sizeof(unit), "\\%c", c);
		else if (c == '\n')
			snprintf(unit, sizeof(unit), "\\n");
		else if (c < 0x20 || c >= 0x7f)
			snprintf(unit, sizeof(unit), "\\x%02x", c);
		else
			snprintf(unit, sizeof(unit), "%c", c);
		if (n + strlen(unit) > SHOWN_MAX) {
			snprintf(out + n, size - n, "...");
			return;
		}
		n += snprintf(out + n, size - n, "%s", unit);
	}
	out[n] = '\0';
}

struct shown show_text(const char *text)
{
	char escaped[SHOWN_MAX + sizeof("...")];
	struct shown shown;

	escape(escaped, sizeof(escaped), text);
	snprintf(shown.text, sizeof(shown.text), "\"%s\"", escaped);
	return shown;
}

/* The shortest decimal that reads back as the same number. */
static struct shown show_number(double number)
{
	struct shown shown;

	snprintf(shown.text, sizeof(shown.text), "%.15g", number);
	if (strtod(shown.text, NULL) != number)
		snprintf(shown.text, sizeof(shown.text), "%.17g", number);
	return shown;
}

struct shown show_item(const cJSON *item, const struct rule *rule)
{
	struct shown shown;
	const char *text = "null";

	if (rule->flags & RULE_SECRET)
		text = "(hidden)";
	else if (cJSON_IsString(item))
		return show_text(item->valuestring);
	else if (cJSON_IsNumber(item))
		return show_number(item->valuedouble);
	else if (cJSON_IsArray(item))
		text = "(an array)";
	else if (cJSON_IsObject(item))
		text = "(an object)";
	else if (cJSON_IsBool(item))
		text = cJSON_IsTrue(item) ? "true" : "false";
	snprintf(shown.text, sizeof(shown.text), "%s", text);
	return shown;
}

const char *text_tail(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > max ? text + len - max : text;
}

static bool is_plain(const char *key)
{
	return *key && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(key);
}

static size_t path_append(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static size_t path_append(struct reader *r, const char *format, ...)
{
	size_t before = r->path_len;
	va_list args;

	va_start(args, format);
	vsnprintf(r->path + before, sizeof(r->path) - before, format, args);
	va_end(args);
	r->path_len += strlen(r->path + before);
	return before;
}

size_t path_key(struct reader *r, const char *key)
{
	if (!is_plain(key) || strlen(key) > SHOWN_MAX)
		return path_append(r, "[%s]", show_text(key).text);
	return path_append(r, "%s%s", r->path_len ? "." : "", key);
}

size_t path_index(struct reader *r, size_t i)
{
	return path_append(r, "[%zu]", i);
}

void path_restore(struct reader *r, size_t len)
{
	r->path[len] = '\0';
	r->path_len = len;
}

static void error_text(struct reader *r, const char *head, const char *format, va_list args)
{
	char *out = r->err->text;
	size_t size = sizeof(r->err->text);
	size_t n;

	snprintf(out, size, "%s", head);
	n = strlen(out);
	vsnprintf(out + n, size - n, format, args);
}

int reader_error(struct reader *r, int error, const char *format, ...)
{
	char head[sizeof(r->err->text)];
	va_list args;

	snprintf(head, sizeof(head), "%s: ", r->name);
	va_start(args, format);
	error_text(r, head, format, args);
	va_end(args);
	return error;
}

int reader_fail(struct reader *r, const char *value, const char *expected, ...)
{
	char head[sizeof(r->err->text)];
	va_list args;

	snprintf(head, sizeof(head), "%s: %s%svalue %s: expected ", r->name, r->path, r->path_len ? ": " : "", value);
	va_start(args, expected);
	error_text(r, head, expected, args);
	va_end(args);
	return -EINVAL;
}

int reader_refuse(struct reader *r, const cJSON *item, const struct rule *rule)
{
	return reader_fail(r, show_item(item, rule).text, "%s", rule->expected);
}

int reader_nomem(struct reader *r)
{
	return reader_error(r, -ENOMEM, "not enough memory");
}

int reader_warn(struct reader *r, const char *text)
{
	struct config *config = r->config;
	char line[1024];

	if (array_grow(&config->warnings, config->n_warnings, sizeof(*config->warnings)) < 0)
		return reader_nomem(r);
	snprintf(line, sizeof(line), "%s: %s: %s", r->name, r->path, text);
	config->warnings[config->n_warnings] = strdup(line);
	if (!config->warnings[config->n_warnings])
		return reader_nomem(r);
	config->n_warnings++;
	return 0;
}

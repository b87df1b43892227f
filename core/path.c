/* SPDX-License-Identifier: MIT */
/* Floor 3: normalising request targets. */
#include "core/path.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* RFC 3986, section 2.3. */
static bool unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-._~", c));
}

int path_authority(const char *target, size_t len, size_t *ret_off)
{
	const char *slash;
	size_t skip;

	if (len >= 7 && !strncasecmp(target, "http://", 7))
		skip = 7;
	else if (len >= 8 && !strncasecmp(target, "https://", 8))
		skip = 8;
	else
		return -EINVAL;
	slash = memchr(target + skip, '/', len - skip);
	if (slash == target + skip || skip == len)
		return -EINVAL;
	*ret_off = skip;
	return slash ? slash - target : (int)len;
}

/* One escape at target[i]. Returns the character, 256 for an escape that stays as it is, or -EINVAL. */
static int escape(const char *target, size_t len, size_t i)
{
	int high, low, c;

	if (i + 2 >= len)
		return -EINVAL;
	high = hex(target[i + 1]);
	low = hex(target[i + 2]);
	if (high < 0 || low < 0)
		return -EINVAL;
	c = high << 4 | low;
	if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
		return -EINVAL;
	return unreserved(c) ? c : 256;
}

static int decode(const char *target, size_t len, char *out, bool *exact)
{
	size_t i, n = 0;
	int c;

	for (i = 0; i < len; i++) {
		if (target[i] == '\\')
			return -EINVAL;
		if (target[i] == ';' || !isascii((unsigned char)target[i]) || strchr("\"<>[]^`{|}", target[i]))
			*exact = false;
		if (target[i] != '%') {
			out[n++] = target[i];
			continue;
		}
		c = escape(target, len, i);
		if (c < 0)
			return c;
		if (c < 256) {
			out[n++] = c;
		} else {
			*exact = false;
			memcpy(out + n, target + i, 3);
			n += 3;
		}
		i += 2;
	}
	out[n] = 0;
	return n;
}

static bool plain_segments(const char *path)
{
	const char *s, *end;

	for (s = path; *s == '/'; s = end) {
		end = strchrnul(s + 1, '/');
		if ((end == s + 1 && *end) || (end == s + 2 && s[1] == '.') ||
		    (end == s + 3 && s[1] == '.' && s[2] == '.'))
			return false;
	}
	return true;
}

int path_normalize(const char *target, size_t len, char *out, bool *ret_exact)
{
	bool exact = true;
	size_t authority;
	int skip, n;

	if (len == 1 && target[0] == '*') {
		memcpy(out, "*", 2);
		*ret_exact = false;
		return 1;
	}
	if (len && target[0] != '/') {
		skip = path_authority(target, len, &authority);
		if (skip < 0)
			return skip;
		target += skip;
		len -= skip;
		if (!len) {
			target = "/";
			len = 1;
		}
	}
	if (!len)
		return -EINVAL;
	n = decode(target, len, out, &exact);
	if (n < 0)
		return n;
	*ret_exact = exact && plain_segments(out);
	return n;
}

/* The escapes that path_normalize() left; it has checked them. */
static size_t decode_rest(char *path, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (path[i] == '%' && i + 2 < len) {
			path[n++] = hex(path[i + 1]) << 4 | hex(path[i + 2]);
			i += 2;
		} else {
			path[n++] = path[i];
		}
	}
	return n;
}

/* The length of `out` without its last segment. */
static size_t parent(const char *out, size_t n)
{
	while (n && out[--n] != '/')
		;
	return n;
}

size_t path_reduce(char *path, size_t len)
{
	size_t n = 0, i = 0, name, end;

	len = decode_rest(path, len);
	while (i < len) {
		const char *slash;

		i += path[i] == '/';
		slash = memchr(path + i, '/', len - i);
		end = slash ? (size_t)(slash - path) : len;
		for (name = i; name < end && path[name] != ';'; name++)
			;
		name -= i;
		if (name == 2 && path[i] == '.' && path[i + 1] == '.') {
			n = parent(path, n);
		} else if (name && !(name == 1 && path[i] == '.')) {
			memmove(path + n + 1, path + i, name);
			path[n] = '/';
			n += 1 + name;
		}
		i = end;
	}
	if (!n)
		path[n++] = '/';
	path[n] = '\0';
	return n;
}

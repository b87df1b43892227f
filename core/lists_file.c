// SPDX-License-Identifier: MIT
/* Floor 3: networks for a list as text, one by itself or one a line of a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/lists.h"
#include "core/util.h"

#define BLANK " \t\r\n"
#define SHOWN 64 /* characters of a wrong value that are repeated */

static int refuse(const char *text, char error[LIST_ERROR_MAX], const char *expected)
{
	char shown[SHOWN + 1];
	size_t i;

	for (i = 0; i < SHOWN && text[i]; i++)
		shown[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	shown[i] = '\0';
	snprintf(error, LIST_ERROR_MAX, "value \"%s%s\": expected %s", shown, text[i] ? "..." : "", expected);
	return -EINVAL;
}

int list_entry_parse(const char *text, struct list_entry *ret, char error[LIST_ERROR_MAX])
{
	char expected[CIDR_TEXT_MAX + 64], network_text[CIDR_TEXT_MAX];
	struct cidr cidr, network;
	bool v4;

	if (!cidr_parse(text, &cidr, &v4))
		return refuse(text, error, "an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32");
	network = cidr;
	cidr_mask(&network.addr, network.prefix);
	if (memcmp(&network.addr, &cidr.addr, sizeof(cidr.addr))) {
		snprintf(expected, sizeof(expected), "a network address, perhaps %s",
			 cidr_text(&network, v4, network_text));
		return refuse(text, error, expected);
	}
	*ret = (struct list_entry){ .cidr = cidr };
	return 0;
}

struct file_lines {
	char *line;
	size_t room, number;
	struct list_entry *entries;
	size_t n, entries_room;
};

static void lines_free(struct file_lines *lines)
{
	free(lines->line);
	free(lines->entries);
}

static int lines_grow(struct file_lines *lines)
{
	size_t room = 2 * lines->entries_room + 64;
	struct list_entry *more;

	if (lines->n < lines->entries_room)
		return 0;
	more = reallocarray(lines->entries, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	lines->entries = more;
	lines->entries_room = room;
	return 0;
}

/* Without its comment and the blanks around; a NUL in it is no part of any network. */
static int lines_add(struct file_lines *lines, size_t len, char error[LIST_ERROR_MAX])
{
	char *text = lines->line, *end = text + strcspn(text, "#");
	int r;

	if (strlen(text) != len)
		return refuse(text, error, "text without NUL bytes");
	text += strspn(text, BLANK);
	while (end > text && strchr(BLANK, end[-1]))
		end--;
	if (end <= text)
		return 0;
	*end = '\0';
	if (lines->n == MPBPF_LISTED_MAX) {
		snprintf(error, LIST_ERROR_MAX, "expected at most %d networks", MPBPF_LISTED_MAX);
		return -EINVAL;
	}
	r = lines_grow(lines);
	if (r == 0)
		r = list_entry_parse(text, &lines->entries[lines->n], error);
	lines->n += r == 0;
	return r;
}

int list_file_read(FILE *file, struct list_entry **ret, size_t *ret_n, char error[LIST_ERROR_MAX])
{
	_cleanup_(lines_free) struct file_lines lines = {};
	char what[LIST_ERROR_MAX];
	ssize_t len;
	int r;

	while ((len = getline(&lines.line, &lines.room, file)) >= 0) {
		lines.number++;
		r = lines_add(&lines, len, what);
		if (r == -EINVAL)
			snprintf(error, LIST_ERROR_MAX, "line %zu: %.*s", lines.number, LIST_ERROR_MAX - 40, what);
		if (r < 0)
			return r;
	}
	if (!feof(file))
		return errno ? -errno : -EIO;
	*ret = TAKE_PTR(lines.entries);
	*ret_n = lines.n;
	return 0;
}

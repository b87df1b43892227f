// SPDX-License-Identifier: MIT
/* Floor 3: adds to, takes from, replaces and reads a list of networks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "core/grace.h"
#include "core/lists.h"
#include "core/lists_maps.h"
#include "core/map_walk.h"
#include "core/util.h"

int list_entry_compare(const void *a, const void *b)
{
	const struct list_entry *x = a, *y = b;
	int v4 = list_entry_is_v4(y) - list_entry_is_v4(x);
	int r = v4 ?: memcmp(&x->cidr.addr, &y->cidr.addr, sizeof(x->cidr.addr));

	return r ?: x->cidr.prefix - y->cidr.prefix;
}

static bool expired(const struct listed *listed, uint64_t now)
{
	return listed->until <= now;
}

/* ---- reading ---- */

struct reading {
	enum list_family family;
	struct list_entry *entries;
	size_t n, room;
};

static int read_one(const void *key, const void *value, void *data)
{
	struct reading *reading = data;

	if (reading->n == reading->room) {
		size_t room = 2 * reading->room + 1024;
		struct list_entry *more = reallocarray(reading->entries, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		reading->entries = more;
		reading->room = room;
	}
	list_entry_of(reading->family, key, value, &reading->entries[reading->n++]);
	return 0;
}

static int read_family(const struct lists *lists, struct reading *reading)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = list_networks_open(lists, reading->family, &fd, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return map_walk(fd, list_key_size(reading->family), sizeof(struct listed), read_one, reading);
}

int list_read(const struct lists *lists, struct list_entry **ret, size_t *ret_n)
{
	struct reading reading = {};
	int r = 0;

	for (reading.family = 0; r == 0 && reading.family < LIST_FAMILY_MAX; reading.family++)
		r = read_family(lists, &reading);
	if (r < 0) {
		free(reading.entries);
		return r;
	}
	*ret = reading.entries;
	*ret_n = reading.n;
	return 0;
}

/* ---- one at a time, where it is ---- */

/* -E2BIG, with nothing changed: the map has no room. */
static int put_in_place(const struct lists *lists, const struct list_entry *entry)
{
	enum list_family family = list_entry_is_v4(entry) ? LIST_V4 : LIST_V6;
	struct list_lengths before, lengths;
	_cleanup_close_ int fd = -1;
	char key[LIST_KEY_MAX];
	struct listed old;
	int r;

	r = list_networks_open(lists, family, &fd, NULL);
	if (r < 0)
		return r == -ENOENT ? -E2BIG : r;
	r = list_lengths_read(lists, &before);
	if (r < 0)
		return r;
	list_key_of(entry, key);
	lengths = before;
	list_lengths_count(&lengths, entry, 1);
	if (bpf_map_lookup_elem(fd, key, &old) == 0)
		list_lengths_count(&lengths, entry, -1);
	if (list_lengths_sum(&lengths) > MPBPF_LISTED_MAX)
		return -E2BIG;
	r = list_lengths_write(lists, &lengths);
	if (r < 0)
		return r;
	r = bpf_map_update_elem(fd, key, &entry->listed, BPF_ANY);
	if (r < 0)
		list_lengths_write(lists, &before);
	return r;
}

int list_remove(const struct lists *lists, const struct list_entry *entries, size_t n, uint64_t now, size_t *ret)
{
	int fds[LIST_FAMILY_MAX] = { -1, -1 }, r = 0, q;
	struct list_lengths lengths;
	struct listed listed;
	char key[LIST_KEY_MAX];
	size_t found = 0;

	for (enum list_family f = 0; r == 0 && f < LIST_FAMILY_MAX; f++) {
		r = list_networks_open(lists, f, &fds[f], NULL);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = list_lengths_read(lists, &lengths);
	if (r < 0)
		n = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		int fd = fds[list_entry_is_v4(&entries[i]) ? LIST_V4 : LIST_V6];

		list_key_of(&entries[i], key);
		if (fd < 0 || bpf_map_lookup_elem(fd, key, &listed) < 0)
			continue;
		r = bpf_map_delete_elem(fd, key);
		found += r == 0 && !expired(&listed, now);
		if (r == 0)
			list_lengths_count(&lengths, &entries[i], -1);
	}
	/* What was deleted is not looked for any more; a program that still does finds nothing. */
	q = n ? list_lengths_write(lists, &lengths) : 0;
	for (enum list_family f = 0; f < LIST_FAMILY_MAX; f++)
		close_fd(&fds[f]);
	if (r == 0 && q == 0)
		*ret = found;
	return r ?: q;
}

/* ---- many at once ---- */

/* Of equal ones any stays: they are of one command, which gave all the same end and reason. */
static size_t sort_unique(struct list_entry *entries, size_t n)
{
	size_t kept = 0;

	qsort(entries, n, sizeof(*entries), list_entry_compare);
	for (size_t i = 0; i < n; i++) {
		if (kept && !list_entry_compare(&entries[kept - 1], &entries[i]))
			kept--;
		entries[kept++] = entries[i];
	}
	return kept;
}

/* What the list shall be: `old` without what has expired and without what is in `new`, and `new`. Both are sorted. */
static size_t merge(const struct list_entry *old, size_t n_old, const struct list_entry *new, size_t n_new,
		    uint64_t now, struct list_entry *ret)
{
	size_t i = 0, k = 0, n = 0;
	int order;

	while (i < n_old || k < n_new) {
		order = i == n_old ? 1 : k == n_new ? -1 : list_entry_compare(&old[i], &new[k]);
		if (order < 0 && !expired(&old[i].listed, now))
			ret[n++] = old[i];
		if (order >= 0)
			ret[n++] = new[k++];
		i += order <= 0;
	}
	return n;
}

/* The part of a sorted array that is of one family. */
struct part {
	const struct list_entry *entries;
	size_t n;
	int fd;
};

static void part_of(const struct list_entry *entries, size_t n, struct part ret[LIST_FAMILY_MAX])
{
	size_t v4 = 0;

	while (v4 < n && list_entry_is_v4(&entries[v4]))
		v4++;
	ret[LIST_V4] = (struct part){ .entries = entries, .n = v4, .fd = -1 };
	ret[LIST_V6] = (struct part){ .entries = entries + v4, .n = n - v4, .fd = -1 };
}

static int publish(const struct lists *lists, struct part parts[LIST_FAMILY_MAX])
{
	struct list_lengths wide, exact = { .first_end = LISTED_FOR_GOOD };
	int r;

	r = list_lengths_read(lists, &wide);
	if (r < 0)
		return r;
	for (enum list_family f = 0; f < LIST_FAMILY_MAX; f++) {
		for (size_t i = 0; i < parts[f].n; i++) {
			list_lengths_count(&wide, &parts[f].entries[i], 1);
			list_lengths_count(&exact, &parts[f].entries[i], 1);
		}
	}
	r = list_lengths_write(lists, &wide);
	if (r < 0)
		return r;
	grace_wait();
	for (enum list_family f = 0; r == 0 && f < LIST_FAMILY_MAX; f++)
		r = list_networks_publish(lists, f, parts[f].fd);
	return r < 0 ? r : list_lengths_write(lists, &exact);
}

static int rebuild(const struct lists *lists, const struct list_entry *entries, size_t n)
{
	struct part parts[LIST_FAMILY_MAX];
	int r = 0;

	if (n > MPBPF_LISTED_MAX)
		return -E2BIG;
	part_of(entries, n, parts);
	/* All memory is had before anything changes. */
	for (enum list_family f = 0; r == 0 && f < LIST_FAMILY_MAX; f++)
		if (parts[f].n)
			r = list_networks_make(lists, f, parts[f].entries, parts[f].n, &parts[f].fd);
	if (r == 0)
		r = publish(lists, parts);
	for (enum list_family f = 0; f < LIST_FAMILY_MAX; f++)
		close_fd(&parts[f].fd);
	return r;
}

int list_put(const struct lists *lists, struct list_entry *entries, size_t n, bool replace, uint64_t now)
{
	_cleanup_free_ struct list_entry *old = NULL, *all = NULL;
	size_t n_old = 0;
	int r;

	if (n == 1 && !replace) {
		r = put_in_place(lists, entries);
		if (r != -E2BIG)
			return r;
	}
	n = sort_unique(entries, n);
	if (replace)
		return rebuild(lists, entries, n);
	r = list_read(lists, &old, &n_old);
	if (r < 0)
		return r;
	n_old = sort_unique(old, n_old);
	all = malloc((n_old + n) * sizeof(*all) + 1);
	if (!all)
		return -ENOMEM;
	n = merge(old, n_old, entries, n, now, all);
	return rebuild(lists, all, n);
}

// SPDX-License-Identifier: MIT
/* Floor 3: deletes networks that have expired, a batch at a time, so that whoever does it can do something else between. */
#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>

#include "core/lists.h"
#include "core/lists_maps.h"
#include "core/util.h"

#define BATCH 2048

static int purge_begin(const struct lists *lists, struct list_purge *purge, uint64_t now)
{
	struct list_lengths lengths;
	int r;

	if (purge->under_way)
		return 1;
	r = list_lengths_read(lists, &lengths);
	if (r < 0 || lengths.first_end > now)
		return r;
	/* Ends that are added during the walk are noted here. */
	lengths.first_end = LISTED_FOR_GOOD;
	r = list_lengths_write(lists, &lengths);
	if (r == 0)
		*purge = (struct list_purge)LIST_PURGE_WHOLE;
	return r ?: 1;
}

static int purge_end(const struct lists *lists, struct list_purge *purge)
{
	struct list_lengths lengths;
	int r;

	r = list_lengths_read(lists, &lengths);
	if (r < 0)
		return r;
	if (purge->first_end < lengths.first_end)
		lengths.first_end = purge->first_end;
	purge->under_way = false;
	return list_lengths_write(lists, &lengths);
}

/* Deletes of the networks that were read those that have expired. */
static int delete_expired(const struct lists *lists, struct list_purge *purge, int fd, const char *keys,
			  const struct listed *values, size_t n, uint64_t now)
{
	struct list_lengths lengths;
	struct list_entry entry;
	bool any = false;
	int r;

	r = list_lengths_read(lists, &lengths);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *key = keys + i * list_key_size(purge->family);

		if (values[i].until > now) {
			if (values[i].until < purge->first_end)
				purge->first_end = values[i].until;
			continue;
		}
		r = bpf_map_delete_elem(fd, key);
		r = r == -ENOENT ? 0 : r;
		list_entry_of(purge->family, key, &values[i], &entry);
		list_lengths_count(&lengths, &entry, -1);
		any = true;
	}
	return any && r == 0 ? list_lengths_write(lists, &lengths) : r;
}

/* One batch of the map that is in force. 1: there is more of it, 0: that was the last, -errno. */
static int purge_batch(const struct lists *lists, struct list_purge *purge, int fd, uint64_t now)
{
	size_t size = purge->batch ?: BATCH;
	_cleanup_free_ char *keys = calloc(size, list_key_size(purge->family));
	_cleanup_free_ struct listed *values = calloc(size, sizeof(*values));
	__u32 n = size;
	int r, q;

	if (!keys || !values)
		return -ENOMEM;
	r = bpf_map_lookup_batch(fd, purge->position ? &purge->position : NULL, &purge->position, keys, values, &n,
				 NULL);
	if (r == -ENOSPC) {
		/* A bucket alone is larger than that; it is read again. */
		purge->batch = 2 * size;
		return 1;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	q = delete_expired(lists, purge, fd, keys, values, n, now);
	return q < 0 ? q : r == 0;
}

int list_purge(const struct lists *lists, struct list_purge *purge, uint64_t now)
{
	_cleanup_close_ int fd = -1;
	uint32_t id = 0;
	int r;

	r = purge_begin(lists, purge, now);
	if (r <= 0)
		return r;
	r = list_networks_open(lists, purge->family, &fd, &id);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		/* Another map took its place meanwhile. */
		if (purge->id != id)
			purge->position = 0;
		purge->id = id;
		r = purge_batch(lists, purge, fd, now);
		if (r != 0)
			return r;
	}
	purge->position = purge->id = 0;
	if (++purge->family < LIST_FAMILY_MAX)
		return 1;
	return purge_end(lists, purge);
}

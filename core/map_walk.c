// SPDX-License-Identifier: MIT
/* Floor 3: every entry of a hash map, a bucket at a time. */
#include <errno.h>
#include <stdbool.h>
#include <bpf/bpf.h>

#include "core/map_walk.h"
#include "core/util.h"

/* Entries read at a time. */
#define BATCH 1024

struct batch {
	size_t size; /* room */
	char *keys, *values;
	__u32 n; /* entries read */
};

static void batch_free(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}

static int batch_make(struct batch *batch, size_t size, size_t key_size, size_t value_size)
{
	batch_free(batch);
	*batch = (struct batch){ .size = size, .keys = calloc(size, key_size), .values = calloc(size, value_size) };
	return batch->keys && batch->values ? 0 : -ENOMEM;
}

int map_walk(int fd, size_t key_size, size_t value_size, map_walk_fn *each, void *data)
{
	_cleanup_(batch_free) struct batch batch = {};
	bool first = true, last = false;
	__u32 position;
	int r;

	r = batch_make(&batch, BATCH, key_size, value_size);
	while (r == 0 && !last) {
		batch.n = batch.size;
		r = bpf_map_lookup_batch(fd, first ? NULL : &position, &position, batch.keys, batch.values, &batch.n,
					 NULL);
		if (r == -ENOSPC) {
			/* A bucket alone is larger than that; it is read again. */
			r = batch_make(&batch, 2 * batch.size, key_size, value_size);
			continue;
		}
		last = r == -ENOENT;
		if (r < 0 && !last)
			return r;
		first = false;
		r = 0;
		for (__u32 i = 0; r == 0 && i < batch.n; i++)
			r = each(batch.keys + i * key_size, batch.values + i * value_size, data);
	}
	return r;
}

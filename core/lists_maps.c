// SPDX-License-Identifier: MIT
/* Floor 3: the maps of a list: which one is in force, its keys, its pin. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <endian.h>
#include <bpf/bpf.h>

#include "core/lists_maps.h"
#include "core/pins.h"
#include "core/util.h"

#define BATCH 16384

/* Where the map in force is pinned, for the agent may not open a map by its id. With STAGED: the next one. */
static const char *const pin_names[CIDR_LIST_MAX][LIST_FAMILY_MAX] = {
	[CIDR_DENY] = { "blocked4", "blocked6" },
	[CIDR_ALLOW] = { "allowed4", "allowed6" },
};
#define STAGED "+new"

size_t list_key_size(enum list_family family)
{
	return family == LIST_V4 ? sizeof(struct list4_key) : sizeof(struct list6_key);
}

enum map_id list_outer(enum list_family family)
{
	return family == LIST_V4 ? MAP_LISTS4 : MAP_LISTS6;
}

bool list_entry_is_v4(const struct list_entry *entry)
{
	return entry->cidr.prefix >= 96 && cidr_is_v4(&entry->cidr.addr);
}

static uint64_t half_of(const struct addr *addr, size_t at)
{
	uint64_t half;

	memcpy(&half, addr->b + at, sizeof(half));
	return be64toh(half);
}

void list_key_of(const struct list_entry *entry, void *ret)
{
	const struct cidr *cidr = &entry->cidr;

	if (list_entry_is_v4(entry))
		*(struct list4_key *)ret = (struct list4_key){
			.addr = ntohl(cidr->addr.w[3]),
			.mask = cidr->prefix == 96 ? 0 : ~0U << (128 - cidr->prefix),
		};
	else
		*(struct list6_key *)ret = (struct list6_key){
			.hi = half_of(&cidr->addr, 0),
			.lo = half_of(&cidr->addr, 8),
			.prefix = cidr->prefix,
		};
}

void list_entry_of(enum list_family family, const void *key, const struct listed *listed, struct list_entry *ret)
{
	const struct list4_key *v4 = key;
	const struct list6_key *v6 = key;

	*ret = (struct list_entry){ .listed = *listed };
	if (family == LIST_V4) {
		ret->cidr = (struct cidr){ .addr = cidr_v4, .prefix = 96 + __builtin_popcount(v4->mask) };
		ret->cidr.addr.w[3] = htonl(v4->addr);
	} else {
		const uint64_t halves[2] = { htobe64(v6->hi), htobe64(v6->lo) };

		memcpy(ret->cidr.addr.b, halves, sizeof(halves));
		ret->cidr.prefix = v6->prefix;
	}
}

/* ---- which map is in force ---- */

static int pin_path(const struct lists *lists, enum list_family family, bool staged, char ret[PIN_PATH_MAX])
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", pin_names[lists->list][family], staged ? STAGED : "");
	return pins_path(ret, lists->pin_root, "maps", name);
}

/* The map pinned there, if it is the one with that id; else -ENOENT. */
static int pin_open(const struct lists *lists, enum list_family family, bool staged, uint32_t id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[PIN_PATH_MAX];
	int r;

	r = pin_path(lists, family, staged, path);
	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	return r < 0 ? r : info.id != id ? -ENOENT : TAKE_FD(fd);
}

/* The staged pin becomes the pin of the map in force. */
static int pin_settle(const struct lists *lists, enum list_family family)
{
	char staged[PIN_PATH_MAX], path[PIN_PATH_MAX];
	int r;

	r = pin_path(lists, family, true, staged);
	if (r == 0)
		r = pin_path(lists, family, false, path);
	if (r < 0)
		return r;
	return rename(staged, path) < 0 ? -errno : 0;
}

int list_networks_open(const struct lists *lists, enum list_family family, int *ret_fd, uint32_t *ret_id)
{
	uint32_t list = lists->list, id;
	int fd, r;

	r = bpf_map_lookup_elem(lists->maps->fd[list_outer(family)], &list, &id);
	if (r < 0)
		return r;
	fd = pin_open(lists, family, false, id);
	if (fd == -ENOENT) {
		/* Whoever put it in force was killed at once. */
		fd = pin_open(lists, family, true, id);
		if (fd >= 0)
			pin_settle(lists, family);
	}
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	*ret_fd = fd;
	if (ret_id)
		*ret_id = id;
	return 0;
}

/* Some more, for those that are added one by one: not each shall make a new map. */
static __u32 room_for(size_t n)
{
	size_t room = n + 1024 + n / 8;

	return room < MPBPF_LISTED_MAX ? room : MPBPF_LISTED_MAX;
}

static int fill(int fd, enum list_family family, const struct list_entry *entries, size_t n)
{
	size_t size = list_key_size(family), room = n < BATCH ? n : BATCH;
	_cleanup_free_ char *keys = calloc(room + 1, size);
	_cleanup_free_ struct listed *values = calloc(room + 1, sizeof(*values));
	int r = 0;

	if (!keys || !values)
		return -ENOMEM;
	for (size_t done = 0; r == 0 && done < n;) {
		__u32 m = n - done < BATCH ? n - done : BATCH;

		for (size_t i = 0; i < m; i++) {
			list_key_of(&entries[done + i], keys + i * size);
			values[i] = entries[done + i].listed;
		}
		r = bpf_map_update_batch(fd, keys, values, &m, NULL);
		done += m;
	}
	return r;
}

int list_networks_make(const struct lists *lists, enum list_family family, const struct list_entry *entries, size_t n,
		       int *ret_fd)
{
	const char *name = pin_names[lists->list][family];
	_cleanup_close_ int fd = -1;
	int r;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, list_key_size(family), sizeof(struct listed), room_for(n), NULL);
	if (fd < 0)
		return fd;
	r = fill(fd, family, entries, n);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int withdraw(const struct lists *lists, enum list_family family)
{
	uint32_t list = lists->list;
	char path[PIN_PATH_MAX];
	int r;

	r = bpf_map_delete_elem(lists->maps->fd[list_outer(family)], &list);
	if (r < 0 && r != -ENOENT)
		return r;
	r = pin_path(lists, family, false, path);
	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The kernel itself waits for the programs that saw the old map. */
int list_networks_publish(const struct lists *lists, enum list_family family, int fd)
{
	uint32_t list = lists->list;
	char path[PIN_PATH_MAX];
	int r;

	if (fd < 0)
		return withdraw(lists, family);
	r = pin_path(lists, family, true, path);
	if (r < 0)
		return r;
	unlink(path);
	r = bpf_obj_pin(fd, path);
	if (r == 0) {
		r = bpf_map_update_elem(lists->maps->fd[list_outer(family)], &list, &fd, BPF_ANY);
		if (r < 0)
			unlink(path);
	}
	return r < 0 ? r : pin_settle(lists, family);
}

/* ---- lengths ---- */

int list_lengths_read(const struct lists *lists, struct list_lengths *ret)
{
	uint32_t list = lists->list;
	int r;

	r = bpf_map_lookup_elem(lists->maps->fd[MAP_LIST_LENGTHS], &list, ret);
	/* As it was loaded. */
	if (r == 0 && !ret->first_end)
		ret->first_end = LISTED_FOR_GOOD;
	return r;
}

int list_lengths_write(const struct lists *lists, const struct list_lengths *lengths)
{
	uint32_t list = lists->list;

	return bpf_map_update_elem(lists->maps->fd[MAP_LIST_LENGTHS], &list, lengths, BPF_ANY);
}

static void set_bit(__u64 *word, unsigned int bit, bool to)
{
	*word = to ? *word | 1ULL << bit : *word & ~(1ULL << bit);
}

void list_lengths_count(struct list_lengths *lengths, const struct list_entry *entry, int by)
{
	unsigned int prefix = entry->cidr.prefix;
	bool v4 = list_entry_is_v4(entry);
	__u32 *n = v4 ? &lengths->n4[prefix - 96] : &lengths->n6[prefix];

	*n = by < 0 && *n < (__u32)-by ? 0 : *n + by;
	if (v4)
		set_bit(&lengths->v4, 128 - prefix, *n);
	else if (prefix)
		set_bit(&lengths->v6[prefix > 64], (prefix > 64 ? 128 : 64) - prefix, *n);
	else
		lengths->v6_all = *n > 0;
	if (by > 0 && entry->listed.until < lengths->first_end)
		lengths->first_end = entry->listed.until;
}

void list_lengths_clear(struct list_lengths *lengths, enum list_family family)
{
	if (family == LIST_V4) {
		lengths->v4 = 0;
		memset(lengths->n4, 0, sizeof(lengths->n4));
	} else {
		lengths->v6[0] = lengths->v6[1] = lengths->v6_all = 0;
		memset(lengths->n6, 0, sizeof(lengths->n6));
	}
}

size_t list_lengths_sum(const struct list_lengths *lengths)
{
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lengths->n4); i++)
		sum += lengths->n4[i];
	for (size_t i = 0; i < ARRAY_SIZE(lengths->n6); i++)
		sum += lengths->n6[i];
	return sum;
}

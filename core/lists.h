/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: the lists of networks that are kept at run time beside those of the configuration.
 *
 * Each list has a hash of its IPv4 and one of its IPv6 networks, pinned beside the data path's own maps and in force as the
 * list's element of `lists4` and `lists6`. A single network is added or deleted where it is; more at a time make a new hash,
 * which takes the old one's place at once. `list_lengths` always has the length of every network that a program can find:
 * it is widened before, and narrowed after, with no program in between that saw the other.
 */
#ifndef MPBPF_CORE_LISTS_H
#define MPBPF_CORE_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cidr.h"
#include "core/maps.h"

#define LISTED_FOR_GOOD UINT64_MAX /* struct listed, until */

struct lists {
	const struct maps *maps;
	const char *pin_root;
	enum cidr_list list;
};

struct list_entry {
	struct cidr cidr;
	struct listed listed;
};

bool list_entry_is_v4(const struct list_entry *entry);
/* Order of addresses, IPv4 first, and the wider network first. For qsort(3). */
int list_entry_compare(const void *a, const void *b);

/* All that follows needs pins_lists_lock(). */

/*
 * list_put - lists networks; one that is listed already gets the new end and reason
 *
 * entries: all with the same end and reason; they are sorted here, and one may stand there twice. replace: others are not
 * listed any more; a program sees all of the old networks of a family, or all of the new ones. Networks that have expired
 * by `now` (CLOCK_BOOTTIME, ns) may go.
 *
 * Returns 0; -E2BIG: more than MPBPF_LISTED_MAX; -errno. Nothing has changed then.
 */
int list_put(const struct lists *lists, struct list_entry *entries, size_t n, bool replace, uint64_t now);

/* Takes networks off the list. *ret: how many of them were on it and had not expired by `now`. 0 or -errno. */
int list_remove(const struct lists *lists, const struct list_entry *entries, size_t n, uint64_t now, size_t *ret);

/* All that are listed, those that have expired too, in no order; to be freed. 0 or -errno. */
int list_read(const struct lists *lists, struct list_entry **ret, size_t *ret_n);

/* ---- reasons ---- */

/* 1 to MPBPF_LIST_REASON_SIZE - 1 printable ASCII characters? */
bool list_reason_is_valid(const char *text);
/* The number that a reason has from now on. 0; -EUSERS: all numbers are in use by other reasons; -errno. */
int list_reason_number(const struct lists *lists, const char *text, uint32_t *ret);
/* All texts, by number - 1: MPBPF_LIST_REASONS of them, to be freed. */
int list_reasons_read(const struct maps *maps, struct list_reason **ret);

/* ---- as text ---- */

#define LIST_ERROR_MAX 256

/* A network as a user writes it. 0; -EINVAL: `error` says what it is and what was expected. */
int list_entry_parse(const char *text, struct list_entry *ret, char error[LIST_ERROR_MAX]);

/*
 * list_file_read - networks, one a line; `#` begins a comment
 *
 * Returns 0, the networks are to be freed; -EINVAL: `error` names the line as well; -errno.
 */
int list_file_read(FILE *file, struct list_entry **ret, size_t *ret_n, char error[LIST_ERROR_MAX]);

/* ---- networks that have expired ---- */

struct list_purge {
	bool under_way;
	uint32_t family; /* of core/lists_maps.h */
	uint32_t id;	 /* of the map that is walked; 0: none yet */
	uint32_t position;
	uint64_t first_end; /* of those that stay */
	size_t batch;	    /* networks that are read at a time */
};

/* The lists were never walked by this process: an earlier one may have been cut short. */
#define LIST_PURGE_WHOLE { .under_way = true, .first_end = LISTED_FOR_GOOD }

/*
 * list_purge - deletes networks that have expired: reads a batch at a time, nothing at all if none can have
 *
 * Returns 1: there is more to read, in the next call, before which the lock may be let go; 0: done; -errno.
 */
int list_purge(const struct lists *lists, struct list_purge *purge, uint64_t now);

#endif

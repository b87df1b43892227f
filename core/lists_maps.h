/* SPDX-License-Identifier: MIT */
/* Floor 3: the maps of a list: which one is in force, its keys, its pin. For core/lists*.c alone. */
#ifndef MPBPF_CORE_LISTS_MAPS_H
#define MPBPF_CORE_LISTS_MAPS_H

#include "core/lists.h"

enum list_family { LIST_V4, LIST_V6, LIST_FAMILY_MAX };

#define LIST_KEY_MAX sizeof(struct list6_key)

size_t list_key_size(enum list_family family);
/* Outer map of a family. */
enum map_id list_outer(enum list_family family);
void list_key_of(const struct list_entry *entry, void *ret);
void list_entry_of(enum list_family family, const void *key, const struct listed *listed, struct list_entry *ret);

/* The networks in force. *ret_id may be NULL. 0; -ENOENT: the list has none; -errno. */
int list_networks_open(const struct lists *lists, enum list_family family, int *ret_fd, uint32_t *ret_id);
/* A map with these networks, which are of that family. 0 or -errno. */
int list_networks_make(const struct lists *lists, enum list_family family, const struct list_entry *entries, size_t n,
		       int *ret_fd);
/* Puts a map in force, or with -1 none. */
int list_networks_publish(const struct lists *lists, enum list_family family, int fd);

int list_lengths_read(const struct lists *lists, struct list_lengths *ret);
int list_lengths_write(const struct lists *lists, const struct list_lengths *lengths);
/* `by` networks of that length more, or less; and an end that one of them has. */
void list_lengths_count(struct list_lengths *lengths, const struct list_entry *entry, int by);
/* None of that family. */
void list_lengths_clear(struct list_lengths *lengths, enum list_family family);
size_t list_lengths_sum(const struct list_lengths *lengths);

#endif

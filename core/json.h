/* SPDX-License-Identifier: MIT */
/* Floor 3: JSON (RFC 8259), read strictly. */
#ifndef MPBPF_CORE_JSON_H
#define MPBPF_CORE_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

/*
 * json_read - text: `len` bytes, and a NUL behind them
 *
 * Returns 0; -EBADMSG: no JSON text, or a string with \u0000 in it, *ret_at says at which byte; -ENOMEM. *ret is
 * untouched on failure. A number beyond what a double holds is infinite.
 */
int json_read(const char *text, size_t len, cJSON **ret, size_t *ret_at);

/*
 * Two members of one name: parsers differ in which they believe (RFC 8259, section 4), so who signs or configures must
 * not be asked. Members of members are not looked at. Returns 0, -EBADMSG: there are such, or -ENOMEM.
 */
int json_names_unique(const cJSON *object);

/* Line and column of a byte, both from 1. */
void json_place(const char *text, size_t at, size_t *ret_line, size_t *ret_column);

/* Overwrites every string in the tree, then deletes it. NULL is fine. */
void json_wipe(cJSON **json);

#endif

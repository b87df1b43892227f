/* SPDX-License-Identifier: MIT */
/* Floor 3: request targets that are not canonical paths, made canonical or refused (RFC 3986, section 6.2.2). */
#ifndef MPBPF_CORE_PATH_H
#define MPBPF_CORE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * path_normalize - target: `len` bytes of a request target without its query: origin-form, absolute-form, or "*"
 * out: room for len + 2 bytes
 *
 * Writes the path, terminated, with escapes of unreserved characters decoded. *ret_exact says that every server reads it
 * as this one path: it has no dot segment, no empty segment, no parameter (';') and no other escape. Only such a path may
 * match an exemption, for servers differ on the rest.
 *
 * Returns the path's length, or -EINVAL: refuse the request (a malformed escape, an escaped control character, slash or
 * backslash, a backslash, or a form of target that is none of those three).
 */
int path_normalize(const char *target, size_t len, char *out, bool *ret_exact);

/*
 * path_authority - whom a target in absolute-form is for (RFC 9112, section 3.2.2); `target` as above
 *
 * Returns where the authority ends and the path begins, *ret_off: where the authority begins; or -EINVAL: it is no such target.
 */
int path_authority(const char *target, size_t len, size_t *ret_off);

/*
 * path_reduce - a path from path_normalize() as servers read it that resolve dot segments and drop empty segments and
 * parameters (";…" of a segment); in place, where there is room for len + 2 bytes; terminated. Returns its length.
 */
size_t path_reduce(char *path, size_t len);

#endif

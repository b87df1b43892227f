/* SPDX-License-Identifier: MIT */
/* Floor 3: hosts as requests and routes name them, in one spelling. */
#ifndef MPBPF_CORE_HOST_H
#define MPBPF_CORE_HOST_H

#include <stdbool.h>

#define HOST_MAX 254 /* bytes of a host in its one spelling, its NUL included */

/*
 * host_normalize - text: as in Host or :authority, with or without port
 *
 * The one spelling: lower case, without port and without the dot at its end; an IPv6 literal without brackets, as
 * inet_ntop() writes it. Returns 0, or -EINVAL: it is no host.
 */
int host_normalize(const char *text, char ret[HOST_MAX]);

/* A host of a route: exact, "*.NAME" (everything below NAME: `ret` is ".NAME"), or "*" (`ret` is empty). */
enum host_kind { HOST_ANY, HOST_WILDCARD, HOST_EXACT };

/* Returns the kind, or -EINVAL: no request is for that. */
int host_pattern(const char *text, char ret[HOST_MAX]);

/* `host` and `pattern` are in their one spelling. */
bool host_matches(enum host_kind kind, const char *pattern, const char *host);

#endif

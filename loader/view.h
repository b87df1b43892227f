/* SPDX-License-Identifier: MIT */
/* Floor 5: a loaded data path as the commands that only look see it. */
#ifndef MPBPF_LOADER_VIEW_H
#define MPBPF_LOADER_VIEW_H

#include "core/maps.h"
#include "loader/commands.h"

struct cJSON;

/* Opens the maps of what is loaded at c->pin_root. EXIT_DONE, or EXIT_FAILED after saying what is there instead. */
int view_open(const struct context *c, struct maps *ret);

/* Everything that `mpbpf status` tells, or NULL: out of memory. */
struct cJSON *view_status(const struct context *c, const struct maps *maps);

/* Prints formatted, and frees. EXIT_DONE or EXIT_FAILED. json may be NULL: out of memory. */
int view_print_json(struct cJSON *json);

#endif

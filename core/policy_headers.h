/* SPDX-License-Identifier: MIT */
/* Floor 3: header lines that the kernel adds to the responses of listeners. */
#ifndef MPBPF_CORE_POLICY_HEADERS_H
#define MPBPF_CORE_POLICY_HEADERS_H

#include "core/config.h"

/*
 * header_block_of - what is added to the responses of listener `i`, filled up to one of the sizes that the kernel can push
 *
 * Of the licence's key only the last group is shown. Returns 0, ret->len being 0 if there is nothing; -E2BIG.
 */
int header_block_of(const struct config *config, size_t i, uint32_t generation, struct header_block *ret);

/* The first listener that adds the same as listener `i`, perhaps itself. */
size_t headers_first(const struct config *config, size_t i);

/* Where in `headers` the block of listener `i` stands: 1 + its place in one generation; 0: there is none. */
uint16_t headers_place(const struct config *config, size_t i);

#endif

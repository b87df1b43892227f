/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: the places of endpoints in `backends`, and the listening sockets in them.
 *
 * Who has which place stands in `endpoints`, so that an agent that starts finds what the one before it has left: connections
 * are steered by that all the while.
 */
#ifndef MPBPF_AGENT_STEER_PLACES_H
#define MPBPF_AGENT_STEER_PLACES_H

#include <stdint.h>

#include "core/maps.h"

struct steer_places;

/* walk: the link of iter_listeners, which is taken over. 0 or -errno. */
int steer_places_open(const struct maps *maps, int walk, struct steer_places **ret);
/* NULL is fine. The places stay as they are. */
void steer_places_close(struct steer_places *places);

/* A new round: whatever is not asked for until it ends is given up then. */
void steer_places_begin(struct steer_places *places);
/* 1 + the place of the endpoint, which is a free one when it had none; 0: none is free, or -errno of the map. */
uint32_t steer_places_get(struct steer_places *places, const struct addr *addr, uint16_t port);
/* No slot may lead to what was not asked for. */
void steer_places_end(struct steer_places *places);

/* Puts into each place the socket that listens for its endpoint now. */
void steer_places_follow(struct steer_places *places);

#endif

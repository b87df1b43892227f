// SPDX-License-Identifier: MIT
/* Floor 5: the places of endpoints in `backends`, and the listening sockets in them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "agent/steer_places.h"
#include "core/clock.h"
#include "core/grace.h"
#include "core/sock_diag.h"
#include "core/util.h"
#include "gateway/socket.h"
#include "loader/log.h"
#include "mpbpf/steer.h"

#define ROUNDS_MAX 8 /* walks at a stretch: endpoints that share a socket get it one after the other */
#define HIDDEN_S 10  /* a socket that no walk finds is looked for again after so long */

struct place_state {
	struct steer_endpoint who;
	bool used;	   /* asked for in this round */
	uint64_t searched; /* cookie of the socket that is looked for; 0: none */
	uint64_t hidden;   /* cookie of one that was not found */
	int64_t again;	   /* CLOCK_MONOTONIC, ns: when that is looked for again */
};

struct steer_places {
	const struct maps *maps;
	int walk; /* link */
	int diag;
	uint32_t end; /* no place from here on is taken */
	struct place_state at[MPBPF_BACKENDS_MAX];
};

int steer_places_open(const struct maps *maps, int walk, struct steer_places **ret)
{
	struct steer_places *places = calloc(1, sizeof(*places));
	int r;

	if (!places)
		return -ENOMEM;
	*places = (struct steer_places){ .maps = maps, .walk = walk, .diag = -1 };
	r = sock_diag_open(&places->diag);
	for (uint32_t i = 0; r == 0 && i < MPBPF_BACKENDS_MAX; i++) {
		r = bpf_map_lookup_elem(maps->fd[MAP_ENDPOINTS], &i, &places->at[i].who);
		if (r == 0 && places->at[i].who.port)
			places->end = i + 1;
	}
	if (r < 0) {
		places->walk = -1; /* the caller's still */
		steer_places_close(places);
		return r;
	}
	*ret = places;
	return 0;
}

void steer_places_close(struct steer_places *places)
{
	if (!places)
		return;
	close_fd(&places->diag);
	close_fd(&places->walk);
	free(places);
}

/* ---- who has which ---- */

void steer_places_begin(struct steer_places *places)
{
	for (uint32_t i = 0; i < places->end; i++)
		places->at[i].used = false;
}

static uint32_t find(const struct steer_places *places, const struct steer_endpoint *who)
{
	uint32_t i = 0;

	while (i < places->end && memcmp(&places->at[i].who, who, sizeof(*who)))
		i++;
	return i;
}

static uint32_t find_free(const struct steer_places *places)
{
	uint32_t i = 0;

	while (i < places->end && places->at[i].who.port)
		i++;
	return i;
}

uint32_t steer_places_get(struct steer_places *places, const struct addr *addr, uint16_t port)
{
	const struct steer_endpoint who = { .addr = *addr, .port = htons(port) };
	uint32_t i = find(places, &who);

	if (i == places->end) {
		i = find_free(places);
		if (i == MPBPF_BACKENDS_MAX || bpf_map_update_elem(places->maps->fd[MAP_ENDPOINTS], &i, &who, BPF_ANY))
			return 0;
		places->at[i] = (struct place_state){ .who = who };
		if (i == places->end)
			places->end++;
	}
	places->at[i].used = true;
	return i + 1;
}

static void give_up(struct steer_places *places, uint32_t i)
{
	static const struct steer_endpoint nobody;

	bpf_map_delete_elem(places->maps->fd[MAP_BACKENDS], &i);
	bpf_map_update_elem(places->maps->fd[MAP_ENDPOINTS], &i, &nobody, BPF_ANY);
	places->at[i] = (struct place_state){};
}

void steer_places_end(struct steer_places *places)
{
	bool waited = false;

	for (uint32_t i = 0; i < places->end; i++) {
		if (!places->at[i].who.port || places->at[i].used)
			continue;
		/* A program that has read the place before must not find another's socket there. */
		if (!waited)
			grace_wait();
		waited = true;
		give_up(places, i);
	}
	while (places->end && !places->at[places->end - 1].who.port)
		places->end--;
}

/* ---- their sockets ---- */

/* The cookie of the socket in the place; 0: none. */
static uint64_t socket_in(const struct steer_places *places, uint32_t i)
{
	uint64_t cookie;

	return bpf_map_lookup_elem(places->maps->fd[MAP_BACKENDS], &i, &cookie) == 0 ? cookie : 0;
}

/* The cookie of the socket that listens for the endpoint; 0: nobody does. */
static uint64_t socket_of(const struct steer_places *places, uint32_t i)
{
	const struct steer_endpoint *who = &places->at[i].who;
	uint64_t cookie;

	return sock_diag_listener(places->diag, &who->addr, who->port, &cookie) == 0 ? cookie : 0;
}

/* 1: a walk is to find it; 0: nothing is to be done; -EAGAIN: the next walk, for this one looks for it already. */
static int search(struct steer_places *places, uint32_t i)
{
	struct place_state *place = &places->at[i];
	uint64_t now_in = socket_in(places, i), wanted = socket_of(places, i);
	int r;

	if (wanted == now_in)
		return 0;
	if (!wanted) {
		bpf_map_delete_elem(places->maps->fd[MAP_BACKENDS], &i);
		return 0;
	}
	if (wanted == place->hidden && clock_ns(CLOCK_MONOTONIC) < place->again)
		return 0;
	r = bpf_map_update_elem(places->maps->fd[MAP_SEARCHES], &wanted, &i, BPF_NOEXIST);
	if (r < 0)
		return r == -EEXIST ? -EAGAIN : r;
	place->searched = wanted;
	return 1;
}

static void walk_files(const struct steer_places *places)
{
	_cleanup_close_ int fd = bpf_iter_create(places->walk);
	char none;

	/* The program writes nothing, so that one read is a whole walk. */
	while (fd >= 0 && read(fd, &none, sizeof(none)) < 0 && (errno == EAGAIN || errno == EINTR))
		;
}

/* What the walk has not found belongs to no process that can be seen from here, or cannot be put into a map. */
static void conclude(struct steer_places *places, uint32_t i)
{
	struct place_state *place = &places->at[i];
	const struct place where = { .addr = place->who.addr, .port = place->who.port };
	uint64_t cookie = place->searched;
	char text[PLACE_TEXT_MAX];

	place->searched = 0;
	if (!cookie || bpf_map_delete_elem(places->maps->fd[MAP_SEARCHES], &cookie) < 0)
		return;
	/* It may have been closed meanwhile. */
	if (socket_of(places, i) != cookie)
		return;
	if (place->hidden != cookie) {
		place_text(&where, text);
		log_line("the socket that listens at %s cannot be had: connections to it are relayed, not steered",
			 text);
	}
	place->hidden = cookie;
	place->again = clock_ns(CLOCK_MONOTONIC) + HIDDEN_S * NSEC_PER_SEC;
	/* What is in its place listens there no more. */
	bpf_map_delete_elem(places->maps->fd[MAP_BACKENDS], &i);
}

/* Returns whether there is more to be found. */
static bool follow(struct steer_places *places)
{
	bool searches = false, more = false;

	for (uint32_t i = 0; i < places->end; i++) {
		int r = places->at[i].who.port ? search(places, i) : 0;

		searches |= r == 1;
		more |= r == -EAGAIN;
	}
	if (!searches)
		return false;
	walk_files(places);
	for (uint32_t i = 0; i < places->end; i++)
		conclude(places, i);
	return more;
}

void steer_places_follow(struct steer_places *places)
{
	int rounds = 0;

	while (follow(places) && ++rounds < ROUNDS_MAX)
		;
}

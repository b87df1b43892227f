// SPDX-License-Identifier: MIT
/* Floor 3: which endpoint of a cluster takes a connection. */
#include <errno.h>
#include <string.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"
#include "bpf/include/slot.h"
#include "core/cluster.h"
#include "core/util.h"

void cluster_init(struct cluster *cluster, enum balance_policy policy, uint64_t seed)
{
	*cluster = (struct cluster){ .policy = policy, .random = seed };
}

void cluster_free(struct cluster *cluster)
{
	free(cluster->endpoints);
	*cluster = (struct cluster){};
}

/* ---- who is in it ---- */

static struct endpoint *find(struct endpoint *endpoints, size_t n, const struct addr *addr, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (endpoints[i].port == port && !memcmp(&endpoints[i].addr, addr, sizeof(*addr)))
			return &endpoints[i];
	return NULL;
}

struct endpoint *cluster_find(const struct cluster *cluster, const struct addr *addr, uint16_t port)
{
	return find(cluster->endpoints, cluster->n_endpoints, addr, port);
}

int cluster_set(struct cluster *cluster, const struct endpoint *list, size_t n)
{
	struct endpoint *endpoints = calloc(n ?: 1, sizeof(*endpoints));
	size_t n_endpoints = 0;

	if (!endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct endpoint *twin = find(endpoints, n_endpoints, &list[i].addr, list[i].port);
		const struct endpoint *old = cluster_find(cluster, &list[i].addr, list[i].port);
		struct endpoint *new = &endpoints[n_endpoints];

		if (twin) {
			twin->weight += list[i].weight;
			continue;
		}
		*new = old ? *old : (struct endpoint){ .addr = list[i].addr, .port = list[i].port, .healthy = true };
		new->weight = list[i].weight;
		n_endpoints++;
	}
	free(cluster->endpoints);
	cluster->endpoints = endpoints;
	cluster->n_endpoints = n_endpoints;
	return 0;
}

void cluster_opened(struct cluster *cluster, const struct addr *addr, uint16_t port)
{
	struct endpoint *endpoint = cluster_find(cluster, addr, port);

	if (endpoint)
		endpoint->connections++;
}

void cluster_closed(struct cluster *cluster, const struct addr *addr, uint16_t port)
{
	struct endpoint *endpoint = cluster_find(cluster, addr, port);

	/* It may have gone and come back meanwhile, with a count that began anew. */
	if (endpoint && endpoint->connections)
		endpoint->connections--;
}

bool endpoint_report(struct endpoint *endpoint, const struct health_config *health, bool ok)
{
	if (ok == endpoint->healthy) {
		endpoint->streak = 0;
		return false;
	}
	if (++endpoint->streak < (ok ? health->rise : health->fall))
		return false;
	endpoint->healthy = ok;
	endpoint->streak = 0;
	return true;
}

/* ---- the policies: each gives an index, or n_endpoints ---- */

static bool may_take(const struct cluster *cluster, size_t i, const bool *tried)
{
	return cluster->endpoints[i].healthy && cluster->endpoints[i].weight && !(tried && tried[i]);
}

/* After nginx: each earns its weight, the richest takes it and pays for all. */
static size_t pick_round_robin(struct cluster *cluster, const bool *tried)
{
	size_t best = cluster->n_endpoints;
	int64_t total = 0;

	for (size_t i = 0; i < cluster->n_endpoints; i++) {
		struct endpoint *endpoint = &cluster->endpoints[i];

		if (!may_take(cluster, i, tried))
			continue;
		endpoint->current += endpoint->weight;
		total += endpoint->weight;
		if (best == cluster->n_endpoints || endpoint->current > cluster->endpoints[best].current)
			best = i;
	}
	if (best < cluster->n_endpoints)
		cluster->endpoints[best].current -= total;
	return best;
}

/* SplitMix64 (Steele, Lea, Flood). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static size_t pick_random(struct cluster *cluster, const bool *tried)
{
	uint64_t total = 0, at;

	for (size_t i = 0; i < cluster->n_endpoints; i++)
		total += may_take(cluster, i, tried) ? cluster->endpoints[i].weight : 0;
	if (!total)
		return cluster->n_endpoints;
	at = (unsigned __int128)next_random(&cluster->random) * total >> 64;
	for (size_t i = 0; i < cluster->n_endpoints; i++) {
		if (!may_take(cluster, i, tried))
			continue;
		if (at < cluster->endpoints[i].weight)
			return i;
		at -= cluster->endpoints[i].weight;
	}
	return cluster->n_endpoints;
}

/* What each would have for its weight with one more. */
static size_t pick_least_conn(struct cluster *cluster, const bool *tried)
{
	size_t n = cluster->n_endpoints, best = n;

	for (size_t k = 0; k < n; k++) {
		size_t i = (cluster->next + k) % n;
		const struct endpoint *a = &cluster->endpoints[i], *b = &cluster->endpoints[best];

		if (may_take(cluster, i, tried) &&
		    (best == n || (a->connections + 1ULL) * b->weight < (b->connections + 1ULL) * a->weight))
			best = i;
	}
	if (best < n)
		cluster->next = best + 1;
	return best;
}

/* ---- source_hash ---- */

_Static_assert(CLUSTER_SLOTS == MPBPF_STEER_SLOTS, "the kernel looks up who has a slot");

uint32_t cluster_slot(const struct addr *source)
{
	return source_slot(source);
}

/* -log2(x / 2^64), 32 bits of it behind the point: the same on every machine, as a libm need not be. */
static uint64_t minus_log2(uint64_t x)
{
	unsigned int zeros = __builtin_clzll(x |= 1);
	uint64_t whole = 63 - zeros, fraction = 0;
	uint64_t m = x << zeros; /* 1 to 2, 63 bits behind the point */

	for (int i = 0; i < 32; i++) {
		unsigned __int128 square = (unsigned __int128)m * m >> 63;
		bool above_two = square >> 64;

		fraction = fraction << 1 | above_two;
		m = above_two ? square >> 1 : square;
	}
	return (64ULL << 32) - (whole << 32 | fraction);
}

/* Little-endian, whatever the machine. */
static uint64_t draw(const struct endpoint *endpoint, uint32_t slot)
{
	const __u64 key[2] = SLOT_KEY;
	uint8_t text[sizeof(endpoint->addr) + 6];
	__u64 hash[2];

	memcpy(text, &endpoint->addr, sizeof(endpoint->addr));
	for (int i = 0; i < 2; i++)
		text[16 + i] = endpoint->port >> 8 * i;
	for (int i = 0; i < 4; i++)
		text[18 + i] = slot >> 8 * i;
	siphash128(key, text, sizeof(text), hash);
	return minus_log2(hash[0]);
}

/*
 * Each endpoint draws a time that is exponentially distributed, its weight the rate; the earliest has the slot. The draw
 * does not depend on the others, so a slot moves only when its owner goes, or to one that comes.
 */
static size_t slot_owner(const struct cluster *cluster, uint32_t slot, const bool *tried)
{
	size_t best = cluster->n_endpoints;
	uint64_t best_draw = 0;

	for (size_t i = 0; i < cluster->n_endpoints; i++) {
		uint64_t mine;

		if (!may_take(cluster, i, tried))
			continue;
		mine = draw(&cluster->endpoints[i], slot);
		if (best < cluster->n_endpoints &&
		    mine * cluster->endpoints[best].weight >= best_draw * cluster->endpoints[i].weight)
			continue;
		best = i;
		best_draw = mine;
	}
	return best;
}

static int picked(const struct cluster *cluster, size_t i, const bool *tried, size_t *ret)
{
	if (i < cluster->n_endpoints) {
		*ret = i;
		return 0;
	}
	for (i = 0; tried && i < cluster->n_endpoints; i++)
		if (may_take(cluster, i, NULL))
			return -EHOSTUNREACH;
	return -ENOENT;
}

int cluster_slot_owner(const struct cluster *cluster, uint32_t slot, const bool *tried, size_t *ret)
{
	return picked(cluster, slot_owner(cluster, slot, tried), tried, ret);
}

int cluster_pick(struct cluster *cluster, const struct addr *source, const bool *tried, size_t *ret)
{
	size_t i = cluster->n_endpoints;

	switch (cluster->policy) {
	case BALANCE_ROUND_ROBIN: i = pick_round_robin(cluster, tried); break;
	case BALANCE_RANDOM: i = pick_random(cluster, tried); break;
	case BALANCE_LEAST_CONN: i = pick_least_conn(cluster, tried); break;
	case BALANCE_SOURCE_HASH: i = slot_owner(cluster, cluster_slot(source), tried); break;
	}
	return picked(cluster, i, tried, ret);
}

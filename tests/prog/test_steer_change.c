// SPDX-License-Identifier: MIT
/*
 * Tests: steer_cluster_put(): whoever looks into a cluster while it is changed finds what it was or what it is, and nothing of a
 * generation before.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "core/steer.h"
#include "core/util.h"
#include "steer_run.h"
#include "tap.h"

#define PORT 3128
#define FIRST 9 /* generation */
#define RUNS 60000

enum { ONE, TWO, SOCKETS };

static __u64 cookies[SOCKETS];
static struct control *control;
static struct steer_cluster *place; /* in the map, of the one cluster, where generations take turns */
static struct steer_cluster values[SOCKETS];
static atomic_bool ends;

static void value_make(__u32 backend)
{
	struct endpoint endpoint = { .port = 80, .weight = 1, .healthy = true };
	const uint32_t at = backend + 1;
	struct cluster cluster;

	cluster_init(&cluster, BALANCE_SOURCE_HASH, 1);
	cluster_set(&cluster, &endpoint, 1);
	steer_cluster_of(&cluster, &at, FIRST, &values[backend]);
	cluster_free(&cluster);
}

static void *shared(const char *map, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(map), 0);

	if (p == MAP_FAILED)
		tap_bail("%s cannot be mapped: %s", map, strerror(errno));
	return p;
}

static struct listener_key gateway_key(__u32 generation)
{
	return (struct listener_key){ .generation = generation, .port = htons(PORT) };
}

static void gateway_put(__u32 generation)
{
	const struct listener_key key = gateway_key(generation), before = gateway_key(generation - 4);
	const struct gateway gateway = { .number = 1, .rest = 1 };

	put("gateways", &key, &gateway);
	bpf_map_delete_elem(map_fd("gateways"), &before);
}

static void world_make(void)
{
	struct steer_cluster *clusters;

	for (__u32 i = 0; i < SOCKETS; i++) {
		__u64 value = listen_v4("127.0.0.1", 8081 + i);
		socklen_t len = sizeof(cookies[i]);

		put("backends", &i, &value);
		if (getsockopt(value, SOL_SOCKET, SO_COOKIE, &cookies[i], &len) < 0)
			tap_bail("no cookie: %s", strerror(errno));
		value_make(i);
	}
	control = shared("control", sizeof(*control));
	control->generation = FIRST;
	clusters = shared("clusters", 2 * MPBPF_STEER_CLUSTERS * sizeof(*clusters));
	place = &clusters[(FIRST & 1) * MPBPF_STEER_CLUSTERS];
	gateway_put(FIRST);
}

/* Every other generation has this place, as when two reloads lie between; whom it leads to is told by the generation. */
static size_t whose(__u32 generation)
{
	return generation >> 1 & 1;
}

static void *generations_change(void *data)
{
	__u32 generation = control->generation;

	(void)data;
	while (!ends) {
		generation += 2;
		gateway_put(generation);
		__atomic_store_n(&control->generation, generation, __ATOMIC_SEQ_CST);
		values[whose(generation)].head.generation = generation;
		steer_cluster_put(&values[whose(generation)], place);
	}
	return NULL;
}

static void *endpoints_change(void *data)
{
	(void)data;
	for (unsigned int i = 0; !ends; i++)
		steer_cluster_put(&values[i & 1], place);
	return NULL;
}

/* What came of connections during which the generation did not change. */
struct outcome {
	unsigned int right, wrong, nobody;
};

static struct outcome connections_make(void *(*change)(void *))
{
	struct outcome outcome = {};
	pthread_t writer;
	char source[16];

	ends = false;
	pthread_create(&writer, NULL, change, NULL);
	for (unsigned int i = 0; i < RUNS; i++) {
		__u32 generation = __atomic_load_n(&control->generation, __ATOMIC_SEQ_CST);
		__u64 cookie;

		snprintf(source, sizeof(source), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		cookie = run(source, 1000, "127.0.0.1", PORT, IPPROTO_TCP);
		if (__atomic_load_n(&control->generation, __ATOMIC_SEQ_CST) != generation)
			continue;
		outcome.nobody += !cookie;
		outcome.right += cookie == cookies[whose(generation)];
		outcome.wrong += cookie == cookies[!whose(generation)];
	}
	ends = true;
	pthread_join(writer, NULL);
	return outcome;
}

int main(void)
{
	struct outcome got;

	tap_start();
	namespace_enter();
	object_load();
	world_make();
	got = connections_make(generations_change);
	CHECK(got.wrong == 0 && got.right > RUNS / 50 && got.nobody, "%u right, %u wrong, %u nobody's", got.right,
	      got.wrong, got.nobody);
	tap_result("a place that a new generation takes leads nowhere that the old one led to");
	for (size_t i = 0; i < SOCKETS; i++)
		values[i].head.generation = control->generation;
	steer_cluster_put(&values[ONE], place);
	got = connections_make(endpoints_change);
	CHECK(got.nobody == 0 && got.right > RUNS / 50 && got.wrong > RUNS / 50, "%u, %u and %u", got.right, got.wrong,
	      got.nobody);
	tap_result("a slot is one's or the other's, and never nobody's, while they change");
	bpf_object__close(object);
	return tap_end();
}

// SPDX-License-Identifier: MIT
/*
 * Tests: steer_publish(): a source comes to the cluster in the kernel that core/route.c gives it, at every gateway, and a new
 * generation takes the place of the one before.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/cidr.h"
#include "core/maps.h"
#include "core/policy.h"
#include "core/route.h"
#include "core/steer.h"
#include "core/util.h"
#include "tap.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define SERVICES 5 /* v2 is the last, and not steered to */
#define ROUNDS 4000
#define STEERS_ROOM 16 /* networks that fit */

static const char before[] =
	"{\"version\": \"1\", \"auth\": {\"require_auth\": false}, \"listeners\": ["
	"{\"name\": \"guard\", \"port\": 8080},"
	"{\"name\": \"any\", \"port\": 1, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"a\"},"
	"{\"name\": \"four\", \"address\": \"0.0.0.0\", \"port\": 2, \"mode\": \"gateway\", \"protocol\": \"tcp\"},"
	"{\"name\": \"own\", \"address\": \"10.9.9.9\", \"port\": 2, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"v2\"}],"
	"\"services\": ["
	"{\"name\": \"a\", \"hosts\": [\"127.0.0.1\"], \"port\": 80}, {\"name\": \"b\", \"hosts\": [\"127.0.0.1\"], \"port\": 81},"
	"{\"name\": \"c\", \"hosts\": [\"127.0.0.1\"], \"port\": 82}, {\"name\": \"d\", \"hosts\": [\"127.0.0.1\"], \"port\": 83},"
	"{\"name\": \"v2\", \"hosts\": [\"127.0.0.1\"], \"port\": 84, \"proxy_protocol\": \"v2\"}],"
	"\"source_routes\": ["
	"{\"listener\": \"any\", \"match\": {\"mod\": 4, \"equals\": 1}, \"cluster_name\": \"c\"},"
	"{\"listener\": \"any\", \"match\": {\"last_octet\": \"odd\"}, \"cluster_name\": \"d\"},"
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"10.0.0.0/8\"}, \"cluster_name\": \"b\"},"
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"10.1.0.0/16\"}, \"cluster_name\": \"v2\"},"
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"10.1.2.0/24\"}, \"cluster_name\": \"d\"},"
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"::/0\"}, \"cluster_name\": \"b\"},"
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"2001:db8::/32\"}, \"cluster_name\": \"c\"},"
	"{\"listener\": \"four\", \"match\": {\"cidr\": \"0.0.0.0/0\"}, \"cluster_name\": \"d\"},"
	"{\"listener\": \"four\", \"match\": {\"cidr\": \"10.1.2.3\"}, \"cluster_name\": \"a\"},"
	"{\"listener\": \"own\", \"match\": {\"last_octet\": \"even\"}, \"cluster_name\": \"c\"}]}";

/* b's port is a guard's, and the order of numbers is another. */
static const char after[] =
	"{\"version\": \"1\", \"auth\": {\"require_auth\": false}, \"listeners\": ["
	"{\"name\": \"guard\", \"port\": 81},"
	"{\"name\": \"any\", \"port\": 1, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"b\"}],"
	"\"services\": ["
	"{\"name\": \"a\", \"hosts\": [\"127.0.0.1\"], \"port\": 80}, {\"name\": \"b\", \"hosts\": [\"127.0.0.1\"], \"port\": 81},"
	"{\"name\": \"c\", \"hosts\": [\"127.0.0.1\"], \"port\": 82}, {\"name\": \"d\", \"hosts\": [\"127.0.0.1\"], \"port\": 83},"
	"{\"name\": \"v2\", \"hosts\": [\"127.0.0.1\"], \"port\": 84, \"proxy_protocol\": \"v2\"}],"
	"\"source_routes\": ["
	"{\"listener\": \"any\", \"match\": {\"cidr\": \"10.0.0.0/8\"}, \"cluster_name\": \"d\"},"
	"{\"listener\": \"any\", \"match\": {\"last_octet\": \"odd\"}, \"cluster_name\": \"b\"}]}";

static struct bpf_program *program;
static struct maps maps = MAPS_EMPTY;
static int sockets[SERVICES];
static __u64 cookies[SERVICES];

static struct config *config_of(const char *text)
{
	struct config_error error = {};
	struct config *config = NULL;

	if (config_parse(text, strlen(text), "test", NULL, &config, &error) < 0)
		tap_bail("%s", error.text);
	return config;
}

static struct bpf_object *object_load(void)
{
	const char *path = getenv("MPBPF_BPF_OBJ");
	struct bpf_object *object = bpf_object__open_file(path ? path : MPBPF_BUILD "/mpbpf.bpf.o", NULL);
	struct bpf_program *other;

	if (!object)
		tap_bail("the object cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program(other, object)
		bpf_program__set_autoload(other, !strcmp(bpf_program__name(other), "sk_lookup_steer"));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sources"), 1024);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "steers"), STEERS_ROOM);
	if (bpf_object__load(object))
		tap_bail("it cannot be loaded");
	program = bpf_object__find_program_by_name(object, "sk_lookup_steer");
	if (maps_of_object(object, &maps) < 0)
		tap_bail("its maps cannot be had");
	return object;
}

/* Service i listens in place i. */
static void sockets_open(void)
{
	for (__u32 i = 0; i < SERVICES; i++) {
		struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
		socklen_t len = sizeof(cookies[i]);
		__u64 value;

		value = sockets[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(sockets[i], (struct sockaddr *)&any, sizeof(any)) < 0 || listen(sockets[i], 1) < 0 ||
		    getsockopt(sockets[i], SOL_SOCKET, SO_COOKIE, &cookies[i], &len) < 0 ||
		    bpf_map_update_elem(maps.fd[MAP_BACKENDS], &i, &value, BPF_ANY))
			tap_bail("a listening socket: %s", strerror(errno));
	}
}

/* As the agent would: the one endpoint of each cluster is here. */
static void clusters_fill(const struct config *config, __u32 generation)
{
	_cleanup_free_ struct steer_cluster *value = malloc(sizeof(*value));
	uint32_t numbers[SERVICES];

	steer_numbers(config, numbers);
	for (uint32_t i = 0; i < SERVICES; i++) {
		struct endpoint endpoint = { .port = 80, .weight = 1 };
		const uint32_t place = i + 1;
		struct cluster cluster;
		__u32 at = (generation & 1) * MPBPF_STEER_CLUSTERS + numbers[i] - 1;

		if (!numbers[i])
			continue;
		cluster_init(&cluster, BALANCE_ROUND_ROBIN, 1);
		cluster_set(&cluster, &endpoint, 1);
		steer_cluster_of(&cluster, &place, generation, value);
		cluster_free(&cluster);
		steer_cluster_put(value, &maps.clusters[at]);
	}
}

static void publish(const struct config *config, __u32 generation)
{
	int r = steer_publish(&maps, config, generation);

	if (r < 0)
		tap_bail("steer_publish: %s", strerror(-r));
	clusters_fill(config, generation);
	maps.control->generation = generation;
}

/* The service that takes it, or SERVICES. */
static size_t run(const struct addr *source, const struct addr *local, int port)
{
	struct bpf_sk_lookup ctx = { .protocol = IPPROTO_TCP, .remote_port = htons(999), .local_port = port };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &ctx,
		    .ctx_size_out = sizeof(ctx));
	size_t i = 0;

	if (cidr_is_v4(source)) {
		ctx.family = AF_INET;
		ctx.remote_ip4 = source->w[3];
		ctx.local_ip4 = local->w[3];
	} else {
		ctx.family = AF_INET6;
		memcpy(ctx.remote_ip6, source, sizeof(*source));
		memcpy(ctx.local_ip6, local, sizeof(*local));
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		tap_bail("the program cannot be run: %s", strerror(errno));
	while (i < SERVICES && cookies[i] != ctx.cookie)
		i++;
	return i;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	if (!cidr_parse_address(text, &addr, NULL))
		tap_bail("%s is no address", text);
	return addr;
}

/* Near what the networks are about, or anywhere. */
static struct addr source_random(bool v4)
{
	static const char *const near[] = { "10.1.2.3",	  "10.1.2.9",	 "10.1.9.9",
					    "10.200.0.1", "2001:db8::1", "2001:db9::1" };
	struct addr addr = addr_of(near[v4 ? random() % 4 : 4 + random() % 2]);

	addr.b[15] ^= random() & 3;
	if (random() & 1)
		addr.b[12] = random();
	if (!v4 && random() & 1)
		addr.b[random() & 7] = random();
	return addr;
}

/* What core/route.c says, as far as it is steered. */
static size_t expected(const struct config *config, const struct route_table *table, size_t listener,
		       const struct addr *source)
{
	struct route_answer answer;
	size_t i;

	route_match(table, listener, source, NULL, NULL, &answer);
	if (!answer.service)
		return SERVICES;
	i = answer.service - config->services;
	return steer_service_why(config, i) == STEER_WORKS ? i : SERVICES;
}

static void compare(const struct config *config, const char *what)
{
	struct route_table *table;
	size_t seen[SERVICES + 1] = {};

	if (route_table_new(config, &table) < 0)
		tap_bail("out of memory");
	for (int i = 0; i < ROUNDS; i++) {
		size_t listener = 1 + random() % (config->n_listeners - 1), want, got;
		const struct listener_config *l = &config->listeners[listener];
		bool v4 = !l->any || random() & 1;
		struct addr source = source_random(v4), local = addr_of(v4 ? "10.8.8.8" : "2001:db8:8::8");
		char text[CIDR_TEXT_MAX];

		if (!strcmp(l->name, "own"))
			local = l->address;
		want = expected(config, table, listener, &source);
		got = run(&source, &local, l->port);
		seen[got]++;
		CHECK(got == want, "%s at %s: service %zu, not %zu",
		      cidr_text(&(struct cidr){ .addr = source, .prefix = 128 }, v4, text), l->name, got, want);
	}
	tap_result(what);
	/* Or else it says little. */
	CHECK(seen[SERVICES] > ROUNDS / 50 && seen[3] > ROUNDS / 50, "%zu and %zu", seen[SERVICES], seen[3]);
	tap_result("some of them steered, some not");
	route_table_free(table);
}

/* ---- as a part of the policy ---- */

/* How many keys a map has; `at` is where a key has its generation. generation: 0: of all */
static int keys(enum map_id id, size_t at, __u32 generation)
{
	char key[64];
	__u32 found;
	int n = 0;

	for (int r = bpf_map_get_next_key(maps.fd[id], NULL, key); !r;
	     r = bpf_map_get_next_key(maps.fd[id], key, key)) {
		memcpy(&found, key + at, sizeof(found));
		n += !generation || found == generation;
	}
	return n;
}

/* One gateway with so many networks. */
static struct config *config_with(int networks)
{
	char routes[4096] = "", text[8192];
	size_t len = 0;

	for (int i = 0; i < networks; i++)
		len += snprintf(
			routes + len, sizeof(routes) - len,
			"%s{\"listener\": \"g\", \"match\": {\"cidr\": \"10.%d.0.0/16\"}, \"cluster_name\": \"s\"}",
			i ? ", " : "", i);
	snprintf(
		text, sizeof(text),
		"{\"version\": \"1\", \"auth\": {\"require_auth\": false}, \"listeners\": ["
		"{\"name\": \"g\", \"port\": 7, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"s\"}],"
		"\"services\": [{\"name\": \"s\", \"hosts\": [\"127.0.0.1\"], \"port\": 80}], \"source_routes\": [%s]}",
		routes);
	return config_of(text);
}

static int policy_of(struct config *config)
{
	int r = policy_publish(&maps, config, NULL);

	config_free(config);
	return r;
}

static void test_policy(void)
{
	struct config_error error;
	struct config *none;
	__u32 first;

	CHECK(policy_of(config_with(2)) == 0, "it is refused");
	first = maps.control->generation;
	/* And what holds for IPv4 without a network. */
	CHECK(keys(MAP_GATEWAYS, 0, 0) == 1 && keys(MAP_GATEWAYS, 0, first) == 1 && keys(MAP_STEERS, 4, 0) == 3,
	      "%d gateways, %d networks", keys(MAP_GATEWAYS, 0, 0), keys(MAP_STEERS, 4, 0));
	tap_result("a policy leaves nothing of those before it");
	CHECK(policy_of(config_with(STEERS_ROOM - 3)) == -E2BIG, "it fits");
	CHECK(maps.control->generation == first && keys(MAP_GATEWAYS, 0, 0) == 1 && keys(MAP_STEERS, 4, 0) == 3,
	      "it has left something");
	tap_result("one that does not fit changes nothing");
	if (config_load(NULL, &none, &error) < 0)
		tap_bail("%s", error.text);
	CHECK(policy_of(none) == 0 && !keys(MAP_GATEWAYS, 0, 0) && !keys(MAP_STEERS, 4, 0), "some are left");
	tap_result("one without gateways has none");
}

int main(void)
{
	struct config *one = config_of(before), *two = config_of(after);
	struct bpf_object *object;
	struct addr source = addr_of("10.0.0.1"), local = addr_of("10.9.9.9");

	tap_start();
	if (unshare(CLONE_NEWNET) < 0)
		tap_bail("no network namespace: %s", strerror(errno));
	srandom(5);
	object = object_load();
	sockets_open();
	publish(one, 6);
	compare(one, "sources come to the clusters that core/route.c gives them");
	CHECK(steer_publish(&maps, two, 7) == 0 && run(&source, &local, 1) == 1, "the one in force does not hold");
	tap_result("another generation that is not in force changes nothing");
	publish(two, 7);
	compare(two, "once it is, it does; a guard's port is not steered to");
	CHECK(run(&source, &local, 2) == SERVICES, "a gateway of the generation before takes something");
	tap_result("gateways of the generation before take nothing");
	test_policy();
	bpf_object__close(object);
	maps_close(&maps);
	config_free(one);
	config_free(two);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Tests: sk_lookup_steer: which listening socket takes a connection, as a table of sources in and sockets out; and that real
 * connections land there, in a network namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/cluster.h"
#include "core/sock_diag.h"
#include "core/util.h"
#include "steer_run.h"
#include "tap.h"

#define PORT 3128
#define GENERATION 7
#define ODD (GENERATION & 1)

enum { ONE, TWO, SIX, SOCKETS }; /* listening sockets: IPv4, IPv6 and IPv4, IPv6 alone */
enum { TO_ONE = 1, TO_TWO, BY_SOURCE, BY_FLOW, TO_NOBODY, STALE, TO_SIX }; /* clusters */
#define NOWHERE 1000							   /* a place in `backends` that nobody has */

static int sockets[SOCKETS];
static __u64 cookies[SOCKETS];

/* ---- the world: sockets, maps ---- */

/* Into `backends` at `at`. */
static void backend_put(__u32 at, int fd, __u64 *ret_cookie)
{
	socklen_t len = sizeof(*ret_cookie);
	__u64 value = fd;

	put("backends", &at, &value);
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &len) < 0)
		tap_bail("no cookie: %s", strerror(errno));
}

static void sockets_open(void)
{
	sockets[ONE] = listen_v4("127.0.0.1", 8081);
	sockets[TWO] = listen_v6(8082, false);
	sockets[SIX] = listen_v6(8083, true);
	for (__u32 i = 0; i < SOCKETS; i++)
		backend_put(i, sockets[i], &cookies[i]);
}

/* Slots take turns between two places, counted from 1. */
static void cluster_fill(__u32 cluster, __u32 by, __u32 generation, __u16 even, __u16 odd)
{
	struct steer_cluster value = { .head = { .generation = generation, .by = by } };
	__u32 at = ODD * MPBPF_STEER_CLUSTERS + cluster - 1;

	for (int i = 0; i < MPBPF_STEER_SLOTS; i++)
		value.slots[i] = i & 1 ? odd : even;
	put("clusters", &at, &value);
}

/* prefix: of 128 */
static void network_add(__u32 gateway, const char *network, unsigned int prefix, __u32 cluster)
{
	struct steer_key key = {
		.prefixlen = 64 + prefix, .generation = GENERATION, .gateway = gateway, .addr = addr_of(network)
	};

	put("steers", &key, &cluster);
}

/* Gateways, as they are counted. */
static struct listener_key gateways[16];
static size_t n_gateways;

static void gateway_add(const char *address, int port, struct gateway gateway)
{
	struct listener_key key = { .generation = GENERATION, .port = htons(port) };
	struct steer_stats none[libbpf_num_possible_cpus()];

	if (address)
		key.addr = addr_of(address);
	put("gateways", &key, &gateway);
	key.generation = 0;
	memset(none, 0, sizeof(none));
	put("steer_stats", &key, none);
	gateways[n_gateways++] = key;
}

/* What was counted of all of them. */
static struct steer_stats stats_sum(void)
{
	struct steer_stats sum = {};

	for (size_t i = 0; i < n_gateways; i++) {
		struct steer_stats one = stats_read(&gateways[i]);

		sum.steered += one.steered;
		sum.absent += one.absent;
	}
	return sum;
}

static void maps_fill(void)
{
	struct control control = { .abi = MPBPF_ABI_VERSION, .generation = GENERATION, .hash_key = { 1, 2 } };
	__u32 zero = 0;

	put("control", &zero, &control);
	cluster_fill(TO_ONE, STEER_BY_SOURCE, GENERATION, 1, 1);
	cluster_fill(TO_TWO, STEER_BY_SOURCE, GENERATION, 2, 2);
	cluster_fill(BY_SOURCE, STEER_BY_SOURCE, GENERATION, 1, 2);
	cluster_fill(BY_FLOW, STEER_BY_FLOW, GENERATION, 1, 2);
	cluster_fill(TO_NOBODY, STEER_BY_SOURCE, GENERATION, NOWHERE, MPBPF_BACKENDS_MAX + 5);
	cluster_fill(STALE, STEER_BY_SOURCE, GENERATION - 2, 1, 1);
	cluster_fill(TO_SIX, STEER_BY_SOURCE, GENERATION, 3, 3);
	/* Any address: networks, then rules in order, then nothing. */
	gateway_add(NULL, PORT,
		    (struct gateway){ .number = 1, .n_rules = 2, .rules = { { 4, 1, TO_TWO }, { 2, 1, TO_ONE } } });
	network_add(1, "10.0.0.0", 104, TO_ONE);
	network_add(1, "10.1.0.0", 112, TO_TWO);
	network_add(1, "10.2.0.0", 112, 0);
	network_add(1, "2001:db8::", 32, TO_ONE);
	network_add(1, "2001:db8:2::", 48, TO_TWO);
	gateway_add("0.0.0.0", PORT + 1, (struct gateway){ .number = 2, .rest = TO_ONE });
	gateway_add("127.0.0.9", PORT + 1, (struct gateway){ .number = 3, .rest = TO_TWO });
	gateway_add(NULL, PORT + 2, (struct gateway){ .number = 4, .rest = BY_SOURCE });
	gateway_add(NULL, PORT + 3, (struct gateway){ .number = 5, .rest = BY_FLOW });
	gateway_add(NULL, PORT + 4, (struct gateway){ .number = 6, .rest = TO_NOBODY });
	gateway_add(NULL, PORT + 5, (struct gateway){ .number = 7, .rest = STALE });
	gateway_add(NULL, PORT + 6, (struct gateway){ .number = 8, .rest = TO_SIX });
	gateway_add(NULL, PORT + 7, (struct gateway){ .number = 9, .rest = MPBPF_STEER_CLUSTERS + 1 });
	/* All of IPv6, which has ::ffff:0.0.0.0/96 in it and is not for that. */
	gateway_add(NULL, PORT + 8, (struct gateway){ .number = 10, .n_rules = 1, .rules = { { 2, 1, TO_ONE } } });
	network_add(10, "::", 0, TO_TWO);
	network_add(10, "::ffff:0.0.0.0", 96, STEER_NO_NETWORK);
	network_add(10, "10.0.0.0", 104, TO_TWO);
}

/* ---- single runs ---- */

/* What is counted of a connection. */
enum counted { NOTHING, STEERED, ABSENT };

static const struct steer_case {
	const char *source, *local;
	int port, want; /* a socket, or SOCKETS: none */
	enum counted counted;
} cases[] = {
	{ "10.9.0.2", "127.0.0.1", PORT, ONE, STEERED },
	{ "10.1.0.2", "127.0.0.1", PORT, TWO, STEERED },
	{ "10.1.255.255", "192.0.2.1", PORT, TWO, STEERED },
	/* The longest network says: not steered. Its rules are not looked at. */
	{ "10.2.0.1", "127.0.0.1", PORT, SOCKETS, NOTHING },
	{ "2001:db8:2::2", "::1", PORT, TWO, STEERED },
	/* A socket for IPv4 cannot take it. */
	{ "2001:db8::2", "::1", PORT, SOCKETS, ABSENT },
	{ "2001:db9::2", "::1", PORT, SOCKETS, NOTHING },
	/* 192.0.2.5 % 4 == 1 comes first; 7 is odd; 6 is neither. */
	{ "192.0.2.5", "127.0.0.1", PORT, TWO, STEERED },
	{ "192.0.2.7", "127.0.0.1", PORT, ONE, STEERED },
	{ "192.0.2.6", "127.0.0.1", PORT, SOCKETS, NOTHING },
	/* Its own address before any IPv4 address, which is no IPv6 address. */
	{ "192.0.2.6", "127.0.0.1", PORT + 1, ONE, STEERED },
	{ "192.0.2.6", "127.0.0.9", PORT + 1, TWO, STEERED },
	{ "2001:db8::2", "::1", PORT + 1, SOCKETS, NOTHING },
	/* Networks are those of one gateway. */
	{ "10.1.0.2", "127.0.0.1", PORT + 1, ONE, STEERED },
	{ "192.0.2.6", "127.0.0.1", PORT + 4, SOCKETS, ABSENT },
	{ "192.0.2.6", "127.0.0.1", PORT + 5, SOCKETS, NOTHING },
	{ "192.0.2.6", "127.0.0.1", PORT + 6, SOCKETS, ABSENT },
	{ "2001:db8::2", "::1", PORT + 6, SIX, STEERED },
	{ "192.0.2.6", "127.0.0.1", PORT + 7, SOCKETS, NOTHING },
	{ "2001:db8::2", "::1", PORT + 8, TWO, STEERED },
	{ "192.0.2.7", "127.0.0.1", PORT + 8, ONE, STEERED },
	{ "192.0.2.6", "127.0.0.1", PORT + 8, SOCKETS, NOTHING },
	{ "10.0.0.1", "127.0.0.1", PORT + 8, TWO, STEERED },
	{ "192.0.2.6", "127.0.0.1", 80, SOCKETS, NOTHING },
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct steer_case *c = &cases[i];
		struct steer_stats before = stats_sum(), after;
		__u64 got = run(c->source, 1000, c->local, c->port, IPPROTO_TCP);

		after = stats_sum();
		CHECK(got == (c->want < SOCKETS ? cookies[c->want] : 0), "%s to %s port %d: cookie %llu", c->source,
		      c->local, c->port, (unsigned long long)got);
		CHECK(after.steered - before.steered == (c->counted == STEERED) &&
			      after.absent - before.absent == (c->counted == ABSENT),
		      "%s to %s port %d: counted %llu and %llu", c->source, c->local, c->port,
		      (unsigned long long)(after.steered - before.steered),
		      (unsigned long long)(after.absent - before.absent));
	}
	tap_result("each source goes to the socket that its rule names, and is counted");
	CHECK(!run("10.9.0.2", 1000, "127.0.0.1", PORT, IPPROTO_UDP), "UDP was steered");
	tap_result("UDP is left alone");
	/* PORT + 1 is two of them. */
	CHECK(stats_read(&gateways[1]).steered == 2 && stats_read(&gateways[2]).steered == 1, "%llu and %llu",
	      (unsigned long long)stats_read(&gateways[1]).steered,
	      (unsigned long long)stats_read(&gateways[2]).steered);
	tap_result("each gateway has its own counters");
}

static void test_source_slots(void)
{
	char text[INET6_ADDRSTRLEN];
	int n[2] = {};

	for (unsigned int i = 0; i < 64; i++) {
		struct addr source;
		__u32 odd;

		snprintf(text, sizeof(text), i & 1 ? "2001:db8:%x::7" : "198.51.100.%u", i);
		source = addr_of(text);
		odd = cluster_slot(&source) & 1;
		n[odd]++;
		/* ONE cannot take IPv6. */
		CHECK(run(text, 1000 + i, i & 1 ? "::1" : "127.0.0.1", PORT + 2, IPPROTO_TCP) ==
			      (odd     ? cookies[TWO]
			       : i & 1 ? 0
				       : cookies[ONE]),
		      "%s: not the slot of cluster_slot()", text);
	}
	CHECK(n[0] > 15 && n[1] > 15, "%d and %d", n[0], n[1]);
	tap_result("a source has the slot that the gateway gives it");
}

static void test_flow_slots(void)
{
	int n = 0;

	for (int port = 1; port <= 200; port++) {
		__u64 first = run("192.0.2.6", port, "127.0.0.1", PORT + 3, IPPROTO_TCP);

		n += first == cookies[ONE];
		CHECK(first == cookies[ONE] || first == cookies[TWO], "port %d: nobody took it", port);
		CHECK(run("192.0.2.6", port, "127.0.0.1", PORT + 3, IPPROTO_TCP) == first, "port %d wavers", port);
	}
	CHECK(n > 60 && n < 140, "%d of 200", n);
	tap_result("flows are spread, and each stays where it is");
}

/* ---- real connections ---- */

/* From 127.0.0.1 to 127.0.0.5, where nobody listens. The connected socket, or -errno. */
static int connect_gateway(int port)
{
	struct sockaddr_in place = v4_place("127.0.0.5", port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&place, sizeof(place)) == 0)
		return fd;
	close(fd);
	return -errno;
}

static void expect_accepted(int listening, int port)
{
	_cleanup_close_ int fd = connect_gateway(port), child = -1;
	struct sockaddr_in local = {}, peer = {};
	socklen_t len = sizeof(local);

	if (!CHECK(fd >= 0, "not connected: %s", strerror(-fd)))
		return;
	child = accept4(listening, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!CHECK(child >= 0, "not accepted: %s", strerror(errno)))
		return;
	len = sizeof(local);
	getsockname(child, (struct sockaddr *)&local, &len);
	CHECK(local.sin_addr.s_addr == inet_addr("127.0.0.5") && ntohs(local.sin_port) == port,
	      "it does not see where the client went");
	CHECK(peer.sin_addr.s_addr == inet_addr("127.0.0.1"), "it does not see who the client is");
}

/* The kernel asks the program then, too, and nobody has such an address. */
static void expect_told(const char *address, int port, __u64 want)
{
	struct addr addr = addr_of(address);
	uint64_t cookie = 0;
	int diag = -1;

	CHECK(sock_diag_open(&diag) == 0, "no sock_diag");
	sock_diag_listener(diag, &addr, htons(port), &cookie);
	CHECK(cookie == want, "%s:%d: it is told of %llu", address, port, (unsigned long long)cookie);
	close(diag);
}

static void test_connections(void)
{
	struct bpf_link *link = bpf_program__attach_netns(program, open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));

	if (!link)
		tap_bail("it cannot be attached: %s", strerror(errno));
	/* Nothing waits in accept4(): a connection that is made waits already. */
	fcntl(sockets[ONE], F_SETFL, O_NONBLOCK);
	expect_accepted(sockets[ONE], PORT + 1);
	tap_result("a connection lands in the endpoint's own socket, which sees both ends");
	expect_told("127.0.0.5", PORT + 1, 0);
	expect_told("127.0.0.1", 8081, cookies[ONE]);
	expect_told("127.0.0.1", 8082, cookies[TWO]);
	expect_told("::1", 8083, cookies[SIX]);
	tap_result("who asks which socket listens is told of it, and not of one that connections are given to");
	close(sockets[ONE]);
	CHECK(connect_gateway(PORT + 1) == -ECONNREFUSED, "somebody took it");
	tap_result("a service that is gone takes none");
	sockets[ONE] = listen_v4("127.0.0.1", 8081);
	fcntl(sockets[ONE], F_SETFL, O_NONBLOCK);
	backend_put(ONE, sockets[ONE], &cookies[ONE]);
	expect_accepted(sockets[ONE], PORT + 1);
	tap_result("started again it does");
	bpf_link__destroy(link);
}

int main(void)
{
	tap_start();
	namespace_enter();
	object_load();
	sockets_open();
	maps_fill();
	test_table();
	test_source_slots();
	test_flow_slots();
	test_connections();
	bpf_object__close(object);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Tests: limits of bytes, of networks, of classes of packets and by token bucket, from the configuration to the packet: each
 * document is put in force as the agent does it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>

#include "core/config.h"
#include "core/policy.h"
#include "core/rule_stats.h"
#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define MORE 0x2000
#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define UDP4 .family = 4, .proto = PROTO_UDP
#define UDP6 .family = 6, .proto = PROTO_UDP
#define ICMP4 .family = 4, .proto = PROTO_ICMP, .icmp_type = 8
#define ICMP6 .family = 6, .proto = PROTO_ICMPV6, .icmp_type = 128

static struct xdp_run run;
static struct maps maps = MAPS_EMPTY;

/* The window in force does not end. */
static void stop_time(void)
{
	__u32 slot = maps.control->generation & 1;
	struct policy policy;

	if (bpf_map_lookup_elem(run.policies, &slot, &policy))
		tap_bail("cannot read the policy");
	policy.window_ns = WINDOW_ENDLESS;
	xdp_write_policy(&run, slot, &policy);
}

/* rate_limit: the members of the object. */
static void publish(const char *rate_limit)
{
	struct config_error err = {};
	struct config *config = NULL;
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"version\": \"1\", \"ddos\": {\"allow\": [\"203.0.113.77\"]}, \"rate_limit\": {%s}}", rate_limit);
	if (config_parse(text, strlen(text), "test", NULL, &config, &err) < 0 ||
	    policy_publish(&maps, config, NULL) < 0)
		tap_bail("%s: %s", text, err.text);
	if (config->rate_limit.algorithm == RATE_ALGORITHM_WINDOW)
		stop_time();
	config_free(config);
}

/* So many frames of that pass, of `n` that are sent. */
static unsigned int passed(struct packet_spec spec, const char *source, unsigned int n)
{
	struct xdp_stats before, moved;
	static struct frame frame;

	spec.source = source;
	packet_build(&spec, &frame);
	xdp_read_stats(&run, &before);
	if (xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, n) < 0)
		tap_bail("test run failed");
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] + moved.reasons[XDP_REASON_RATE_LIMIT] == n,
	      "%s: %llu of %u frames are accounted for", source,
	      moved.reasons[XDP_REASON_PASS] + moved.reasons[XDP_REASON_RATE_LIMIT], n);
	return moved.reasons[XDP_REASON_PASS];
}

static void expect(struct packet_spec spec, const char *source, unsigned int n, unsigned int want)
{
	unsigned int got = passed(spec, source, n);

	CHECK(got == want, "%s: %u of %u passed, expected %u", source, got, n, want);
}

static void expect_counted(const char *name, double dropped, double would_drop)
{
	cJSON *json = cJSON_Parse("{\"xdp\": {}}");
	const cJSON *one;

	if (rule_stats_json(&maps, json) < 0)
		tap_bail("cannot read the counters");
	one = cJSON_GetObjectItemCaseSensitive(json->child, "limits");
	one = cJSON_GetObjectItemCaseSensitive(one, name);
	CHECK(one && one->child->valuedouble == dropped && one->child->next->valuedouble == would_drop,
	      "%s: dropped %g, would drop %g, expected %g and %g", name, one ? one->child->valuedouble : -1,
	      one ? one->child->next->valuedouble : -1, dropped, would_drop);
	cJSON_Delete(json);
}

static void test_bytes(void)
{
	publish("\"packets\": 100000, \"bytes\": 10000");
	/* 54 and 446 bytes: 20 frames. */
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.1", 30, 20);
	expect((struct packet_spec){ TCP4 }, "192.0.2.1", 1, 0);
	expect((struct packet_spec){ TCP6, .zeros = 426 }, "2001:db8:1::1", 15, 15);
	expect((struct packet_spec){ TCP6, .zeros = 426 }, "2001:db8:1::2", 15, 5);
	expect((struct packet_spec){ TCP4, .zeros = 8000 }, "192.0.2.2", 3, 1);
	expect_counted("default", 10 + 1 + 10 + 2, 0);
	tap_result("bytes of a source, both families");
	publish("\"packets\": 3, \"bytes\": 10000");
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.3", 10, 3);
	tap_result("packets hold beside bytes");
}

static void test_overrides(void)
{
	publish("\"packets\": 9, \"overrides\": [{\"cidr\": \"10.0.0.0/8\", \"packets\": 5}, "
		"{\"cidr\": \"10.1.0.0/16\", \"packets\": 2, \"name\": \"narrow\"}, {\"cidr\": \"10.1.2.3\", \"mode\": \"off\"}, "
		"{\"cidr\": \"2001:db8::/32\", \"packets\": 4}, {\"cidr\": \"2001:db8:5:6::/64\", \"packets\": 1}, "
		"{\"cidr\": \"::/0\", \"packets\": 7}, {\"cidr\": \"192.0.2.200\", \"bytes\": 1000}]");
	expect((struct packet_spec){ TCP4 }, "10.2.0.1", 20, 5);
	expect((struct packet_spec){ TCP4 }, "10.1.0.1", 20, 2);
	expect((struct packet_spec){ TCP4 }, "10.1.2.3", 20, 20);
	expect((struct packet_spec){ TCP4 }, "11.0.0.1", 20, 9);
	expect((struct packet_spec){ TCP6 }, "2001:db8:5:7::1", 20, 4);
	expect((struct packet_spec){ TCP6 }, "2001:db8:5:6::1", 20, 1);
	expect((struct packet_spec){ TCP6 }, "2001:db9::1", 20, 7);
	tap_result("the longest prefix wins, of the family that it was written in");
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.200", 20, 2);
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.201", 20, 9);
	tap_result("a network may have its own limit of bytes, and has the default's packets");
	expect_counted("10.0.0.0/8", 15, 0);
	expect_counted("narrow", 18, 0);
	expect_counted("10.1.2.3", 0, 0);
	expect_counted("::/0", 13, 0);
	tap_result("each is counted by its name, which is its network unless it has another");
	publish("\"packets\": 2, \"overrides\": [{\"cidr\": \"0.0.0.0/0\", \"packets\": 1}]");
	expect((struct packet_spec){ TCP4 }, "198.18.0.1", 9, 1);
	expect((struct packet_spec){ TCP6 }, "2001:db8:99::1", 9, 2);
	tap_result("all of IPv4 is nothing of IPv6");
}

static void test_classes(void)
{
	publish("\"packets\": 100000, \"classes\": [{\"name\": \"icmp\", \"protocol\": \"icmp\", \"packets\": 3}, "
		"{\"name\": \"dns\", \"protocol\": \"udp\", \"port\": 53, \"packets\": 2}, "
		"{\"name\": \"udp\", \"protocol\": \"udp\", \"packets\": 10}, "
		"{\"name\": \"fragments\", \"protocol\": \"fragment\", \"packets\": 4}, "
		"{\"name\": \"others\", \"protocol\": \"other\", \"packets\": 1}, "
		"{\"name\": \"web\", \"protocol\": \"tcp\", \"port\": 80, \"bytes\": 1000}]");
	expect((struct packet_spec){ ICMP4 }, "192.0.2.10", 9, 3);
	expect((struct packet_spec){ ICMP4 }, "192.0.2.11", 9, 3);
	expect((struct packet_spec){ TCP4, .dest_port = 81 }, "192.0.2.10", 50, 50);
	expect((struct packet_spec){ ICMP6 }, "2001:db8:10::1", 9, 3);
	expect_counted("icmp", 18, 0);
	tap_result("ICMP of a source, both families; the rest of it goes on");
	expect((struct packet_spec){ UDP4, .dest_port = 53 }, "192.0.2.12", 9, 2);
	expect((struct packet_spec){ UDP4, .dest_port = 54 }, "192.0.2.12", 20, 8);
	expect((struct packet_spec){ UDP6, .dest_port = 53 }, "2001:db8:12::1", 9, 2);
	expect((struct packet_spec){ UDP4, .source_port = 53, .dest_port = 99 }, "192.0.2.13", 9, 9);
	expect_counted("dns", 14, 0);
	expect_counted("udp", 12, 0);
	tap_result("a port and its protocol, each with a limit; what the first drops is nothing to the second");
	expect((struct packet_spec){ TCP4, .fragment = MORE, .zeros = 4 }, "192.0.2.14", 2, 2);
	expect((struct packet_spec){ TCP4, .fragment = 100, .zeros = 8 }, "192.0.2.14", 9, 2);
	expect((struct packet_spec){ TCP6, .extensions = { EXT_FRAGMENT(1480) } }, "2001:db8:14::1", 9, 4);
	expect((struct packet_spec){ TCP6, .extensions = { EXT_FRAGMENT(0) } }, "2001:db8:15::1", 9, 9);
	expect((struct packet_spec){ .family = 4, .proto = PROTO_ICMP, .fragment = 5 }, "192.0.2.15", 9, 3);
	expect((struct packet_spec){ UDP4, .fragment = 5 }, "192.0.2.16", 9, 4);
	tap_result("fragments, which are of their protocol as well; an atomic one is none");
	expect((struct packet_spec){ .family = 4, .proto = 47 }, "192.0.2.17", 9, 1);
	expect((struct packet_spec){ .family = 6, .proto = 132 }, "2001:db8:17::1", 9, 1);
	expect((struct packet_spec){ .family = 6, .proto = PROTO_ICMP }, "2001:db8:18::1", 9, 1);
	tap_result("other protocols");
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.18", 9, 2);
	expect((struct packet_spec){ TCP6, .zeros = 926 }, "2001:db8:19::1", 9, 1);
	tap_result("bytes of a class");
	expect(
		(struct packet_spec){
			.family = 6, .proto = PROTO_ICMPV6, .icmp_type = 135, .hop_limit = 255, .zeros = 16 },
		"fe80::9", 20, 20);
	expect((struct packet_spec){ ICMP4 }, "203.0.113.77", 20, 20);
	expect((struct packet_spec){ .name = "ARP", .type = 0x0806, .zeros = 28 }, NULL, 20, 20);
	tap_result("neither neighbour discovery, nor what is on the allow list, nor ARP");
}

static void test_modes(void)
{
	struct xdp_stats before, moved;

	publish("\"packets\": 5, \"classes\": [{\"name\": \"seen\", \"protocol\": \"udp\", \"packets\": 2, \"mode\": \"monitor\"}], "
		"\"overrides\": [{\"cidr\": \"10.9.0.0/16\", \"packets\": 1, \"mode\": \"monitor\"}]");
	xdp_read_stats(&run, &before);
	expect((struct packet_spec){ UDP4 }, "192.0.2.30", 9, 5);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.would_drop == 3, "would drop %llu", moved.would_drop);
	expect_counted("seen", 0, 7);
	expect((struct packet_spec){ TCP4 }, "10.9.0.1", 9, 9);
	expect_counted("10.9.0.0/16", 0, 8);
	tap_result("a monitored limit counts what it would drop; the others drop");
	publish("\"mode\": \"monitor\", \"packets\": 5, \"classes\": [{\"name\": \"mine\", \"protocol\": \"tcp\", \"packets\": 2}, "
		"{\"name\": \"strict\", \"protocol\": \"icmp\", \"packets\": 2, \"mode\": \"enforce\"}]");
	expect((struct packet_spec){ TCP4 }, "192.0.2.31", 9, 9);
	expect((struct packet_spec){ ICMP4 }, "192.0.2.31", 9, 2);
	expect_counted("mine", 0, 7);
	expect_counted("strict", 7, 0);
	tap_result("a limit has the mode of rate_limit unless it has its own");
	publish("\"enabled\": false, \"packets\": 1, \"classes\": [{\"name\": \"x\", \"protocol\": \"tcp\", \"packets\": 1}]");
	expect((struct packet_spec){ TCP4 }, "192.0.2.32", 9, 9);
	tap_result("all are off when rate_limit is");
}

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

#define RUN 2000 /* frames; more than the bucket has got back since the run before, as a rule */

/*
 * Frames until one is refused, which is when the bucket is empty. Returns how many passed; `begin` and `end` are those of the
 * run in which it was: a busy CPU may stop us at any moment between them.
 */
static uint64_t drain(struct packet_spec spec, const char *source, uint64_t *begin, uint64_t *end)
{
	uint64_t until = now_ns() + 20000000000ULL, sent = 0, got;

	do {
		*begin = now_ns();
		got = passed(spec, source, RUN);
		*end = now_ns();
		sent += got;
	} while (got == RUN && *end < until);
	CHECK(got < RUN, "%s: nothing was refused in 20 s", source);
	return sent;
}

/*
 * From one moment when the bucket is empty to another, at least a quarter of a second later: what passes is what the rate
 * gives back in that time. The bucket takes a second to fill, so that nothing is lost while we are stopped.
 */
static void expect_rate(struct packet_spec spec, const char *source, uint64_t size, uint64_t rate)
{
	uint64_t first_begin, first_end, begin, end, sent = 0, least, most;

	drain(spec, source, &first_begin, &first_end);
	do
		sent += size * drain(spec, source, &begin, &end);
	while (end - first_end < 250000000);
	least = (begin - first_end) * rate / 1000000000;
	most = (end - first_begin) * rate / 1000000000;
	CHECK(sent + size + least / 100 >= least && sent <= most + most / 100 + size,
	      "%lu passed, the rate allows %lu to %lu", sent, least, most);
}

static void test_bucket_rate(void)
{
	publish("\"algorithm\": \"token_bucket\", \"packets\": 20000, \"burst\": 20000");
	expect_rate((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.41", 1, 20000);
	tap_result("token bucket: the rate of packets");
	publish("\"algorithm\": \"token_bucket\", \"packets\": 4294967295, \"bytes\": 5000000, \"burst_bytes\": 5000000");
	expect_rate((struct packet_spec){ TCP4, .zeros = 446 }, "192.0.2.42", 500, 5000000);
	tap_result("token bucket: the rate of bytes");
}

static void test_bucket(void)
{
	publish("\"algorithm\": \"token_bucket\", \"window_ms\": 3600000, \"packets\": 3600, \"burst\": 7, "
		"\"overrides\": [{\"cidr\": \"10.0.0.0/8\", \"packets\": 36, \"burst_bytes\": 1000, \"bytes\": 36000}], "
		"\"classes\": [{\"name\": \"ping\", \"protocol\": \"icmp\", \"packets\": 36, \"burst\": 3}]");
	expect((struct packet_spec){ TCP4 }, "192.0.2.40", 20, 7);
	expect((struct packet_spec){ TCP6 }, "2001:db8:40::1", 20, 7);
	expect((struct packet_spec){ TCP4, .zeros = 446 }, "10.0.0.1", 20, 2);
	expect((struct packet_spec){ TCP4 }, "10.0.0.2", 100, 18);
	expect((struct packet_spec){ ICMP4 }, "192.0.2.45", 20, 3);
	expect((struct packet_spec){ TCP4 }, "192.0.2.45", 20, 4);
	tap_result("token bucket: a burst passes at once, of packets and bytes, by network and class");
	publish("\"algorithm\": \"token_bucket\", \"packets\": 50, \"burst\": 2");
	expect((struct packet_spec){ TCP4 }, "192.0.2.43", 9, 2);
	sleep_ms(25);
	CHECK(passed((struct packet_spec){ TCP4 }, "192.0.2.43", 1) == 1, "nothing came back in 25 ms");
	tap_result("token bucket: it fills up again");
}

/* What a source has of its bytes becomes `word`: as what a token bucket has left. */
static void write_bytes(const char *source, uint64_t word)
{
	struct quota_key key = { .source = source_of(source), .of = QUOTA_BYTES };
	struct quota quota = { word };

	if (bpf_map_update_elem(maps.fd[MAP_QUOTAS], &key, &quota, BPF_EXIST))
		tap_bail("no quota of %s", source);
}

static void test_reload(void)
{
	static const char *const
		window = "\"packets\": 4, \"bytes\": 100000",
		*const bucket = "\"algorithm\": \"token_bucket\", \"packets\": 40, \"burst\": 4, \"bytes\": 100000";

	publish(window);
	expect((struct packet_spec){ TCP4 }, "192.0.2.50", 9, 4);
	publish(bucket);
	expect((struct packet_spec){ TCP4 }, "192.0.2.50", 4, 4);
	expect((struct packet_spec){ TCP4 }, "192.0.2.51", 4, 4);
	publish(window);
	expect((struct packet_spec){ TCP4 }, "192.0.2.51", 9, 4);
	tap_result("what the other algorithm left holds nobody");
	expect((struct packet_spec){ TCP4 }, "192.0.2.53", 1, 1);
	/* The window in force has number 0. */
	write_bytes("192.0.2.53", 100000);
	expect((struct packet_spec){ TCP4 }, "192.0.2.53", 9, 3);
	tap_result("a time that looks like this window's number is none");
	publish("\"packets\": 9, \"classes\": [{\"name\": \"kept\", \"protocol\": \"tcp\", \"packets\": 2}]");
	expect((struct packet_spec){ TCP4 }, "192.0.2.52", 5, 2);
	publish("\"packets\": 9, \"classes\": [{\"name\": \"first\", \"protocol\": \"udp\", \"packets\": 1}, "
		"{\"name\": \"kept\", \"protocol\": \"tcp\", \"packets\": 2}]");
	expect((struct packet_spec){ TCP4 }, "192.0.2.52", 5, 0);
	expect_counted("kept", 8, 0);
	expect_counted("first", 0, 0);
	tap_result("a limit keeps its counters over a reload by its name");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	if (maps_of_object(run.object, &maps) < 0)
		tap_bail("the object lacks a map");
	test_bytes();
	test_overrides();
	test_classes();
	test_modes();
	test_bucket();
	test_bucket_rate();
	test_reload();
	maps_close(&maps);
	xdp_run_close(&run);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: the order of the rules, the lists, and which generation of the policy is in force. */
#include <string.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP

static struct xdp_run run;

static const struct policy lists = { .rate_mode = RATE_ENFORCE,
				     .window_ns = WINDOW_ENDLESS,
				     .packets = 1,
				     .drop_invalid = 1,
				     .has_deny = 1,
				     .has_allow = 1 };
static const struct policy tolerant = { .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1 };

/* What becomes of a frame of the source. */
static void expect(struct packet_spec spec, const char *source, enum xdp_reason reason)
{
	static struct frame frame;

	spec.source = source;
	packet_build(&spec, &frame);
	xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, reason, NO_PROTOCOL, source ? source : spec.name);
}

static void expect4(const char *source, enum xdp_reason reason)
{
	expect((struct packet_spec){ TCP4 }, source, reason);
}

static void expect6(const char *source, enum xdp_reason reason)
{
	expect((struct packet_spec){ TCP6 }, source, reason);
}

/* A frame of which IP's header is fine and TCP's is not. */
static void build_malformed(struct frame *frame, const char *source)
{
	struct packet_spec spec = { TCP4, .source = source };

	packet_build(&spec, frame);
	frame->bytes[frame->l4 + 12] = 0;
}

/* Malformed under a policy that tolerates it: counted as such, and once more for what became of it. */
static void expect_tolerated(const struct frame *frame, enum xdp_reason reason)
{
	struct xdp_stats before, moved;
	int action;

	xdp_read_stats(&run, &before);
	action = xdp_run_frame(&run, frame->bytes, frame->len, ALL_LINEAR, 1);
	moved = xdp_stats_since(&run, &before);
	CHECK(action == (reason == XDP_REASON_PASS ? XDP_PASS : XDP_DROP), "action %d", action);
	CHECK(moved.packets == 1 && moved.reasons[XDP_REASON_MALFORMED] == 1 && moved.reasons[reason] == 1,
	      "packets %llu, malformed %llu, expected reason %llu", moved.packets, moved.reasons[XDP_REASON_MALFORMED],
	      moved.reasons[reason]);
	CHECK(!moved.protocols[PROTOCOL_OTHER], "a malformed packet was classified");
}

static void test_nothing_known(void)
{
	static struct frame frame;

	expect4(NULL, XDP_REASON_PASS);
	build_malformed(&frame, NULL);
	expect_tolerated(&frame, XDP_REASON_PASS);
	tap_result("before the first policy everything passes and is counted");
}

static void test_deny(void)
{
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.0", 24);
	xdp_add_cidr(&run, CIDR_DENY, "198.51.100.7", 32);
	xdp_add_cidr(&run, CIDR_DENY, "10.0.0.0", 8);
	xdp_add_cidr(&run, CIDR_DENY, "2001:db8:bad::", 48);
	xdp_add_cidr(&run, CIDR_DENY, "2001:db8:1:2::3", 128);
	xdp_set_policy(&run, (struct policy){ .has_deny = 1 });
	expect4("203.0.113.0", XDP_REASON_DENIED);
	expect4("203.0.113.255", XDP_REASON_DENIED);
	expect4("203.0.114.0", XDP_REASON_PASS);
	expect4("203.0.112.255", XDP_REASON_PASS);
	expect4("198.51.100.7", XDP_REASON_DENIED);
	expect4("198.51.100.6", XDP_REASON_PASS);
	expect4("10.255.0.1", XDP_REASON_DENIED);
	expect4("11.0.0.1", XDP_REASON_PASS);
	expect6("2001:db8:bad:ffff::1", XDP_REASON_DENIED);
	expect6("2001:db8:bae::1", XDP_REASON_PASS);
	expect6("2001:db8:1:2::3", XDP_REASON_DENIED);
	expect6("2001:db8:1:2::4", XDP_REASON_PASS);
	tap_result("the deny list holds whole networks of both families, and nothing beside them");
}

static void test_deny_families(void)
{
	xdp_add_cidr(&run, CIDR_DENY, "0.0.0.0", 0);
	xdp_set_policy(&run, (struct policy){ .has_deny = 1 });
	expect4("192.0.2.1", XDP_REASON_DENIED);
	expect4("0.0.0.0", XDP_REASON_DENIED);
	expect6("2001:db8::1", XDP_REASON_PASS);
	expect6("::1", XDP_REASON_PASS);
	expect((struct packet_spec){ .name = "ARP", .type = 0x0806 }, NULL, XDP_REASON_PASS);
	expect((struct packet_spec){ .name = "LLDP", .type = 0x88cc }, NULL, XDP_REASON_PASS);
	tap_result("denying all of IPv4 leaves IPv6 and what is not IP alone");
}

static void test_deny_everything_of_a_source(void)
{
	xdp_add_cidr(&run, CIDR_DENY, "192.0.2.0", 24);
	xdp_add_cidr(&run, CIDR_DENY, "fe80::", 10);
	xdp_set_policy(&run, (struct policy){ .has_deny = 1 });
	expect((struct packet_spec){ .tags = { 0x88a8, 0x8100 }, TCP4 }, NULL, XDP_REASON_DENIED);
	expect((struct packet_spec){ .family = 4, .proto = PROTO_UDP, .fragment = 100 }, NULL, XDP_REASON_DENIED);
	expect((struct packet_spec){ .family = 4, .proto = 132 }, NULL, XDP_REASON_DENIED);
	expect((struct packet_spec){ .family = 4, .proto = PROTO_ICMP }, NULL, XDP_REASON_DENIED);
	expect((struct packet_spec){ .family = 6, .proto = PROTO_ICMPV6, .icmp_type = 135, .hop_limit = 255 },
	       "fe80::1", XDP_REASON_DENIED);
	tap_result("a denied source is denied with any tag, fragment and protocol");
}

static void test_order(void)
{
	static struct frame frame;

	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.0", 24);
	xdp_add_cidr(&run, CIDR_ALLOW, "203.0.113.0", 25);
	xdp_add_cidr(&run, CIDR_ALLOW, "192.0.2.0", 24);
	xdp_set_policy(&run, lists);
	build_malformed(&frame, "203.0.113.1");
	xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_MALFORMED, NO_PROTOCOL, "malformed and denied");
	expect4("203.0.113.1", XDP_REASON_DENIED);
	expect4("203.0.113.200", XDP_REASON_DENIED);
	expect4("192.0.2.9", XDP_REASON_PASS);
	expect4("192.0.2.9", XDP_REASON_PASS);
	expect4("198.51.100.9", XDP_REASON_PASS);
	expect4("198.51.100.9", XDP_REASON_RATE_LIMIT);
	tap_result("malformed before denied, denied before allowed, allowed before limited");
}

static void test_flags(void)
{
	struct policy policy = lists;

	policy.has_deny = policy.has_allow = 0;
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.1", 32);
	xdp_add_cidr(&run, CIDR_ALLOW, "203.0.113.2", 32);
	xdp_set_policy(&run, policy);
	expect4("203.0.113.1", XDP_REASON_PASS);
	expect4("203.0.113.2", XDP_REASON_PASS);
	expect4("203.0.113.2", XDP_REASON_RATE_LIMIT);
	tap_result("a list that the policy calls empty is not consulted");
}

static void test_tolerated(void)
{
	static struct frame frame;
	struct policy policy = tolerant;

	policy.has_deny = 1;
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.0", 24);
	xdp_set_policy(&run, policy);
	build_malformed(&frame, "192.0.2.77");
	expect_tolerated(&frame, XDP_REASON_PASS);
	expect_tolerated(&frame, XDP_REASON_RATE_LIMIT);
	build_malformed(&frame, "203.0.113.1");
	expect_tolerated(&frame, XDP_REASON_DENIED);
	build_malformed(&frame, "192.0.2.78");
	frame.bytes[frame.l3] = 0x44;
	expect_tolerated(&frame, XDP_REASON_PASS);
	expect_tolerated(&frame, XDP_REASON_PASS);
	tap_result("a tolerated malformed packet is counted, and limited and denied by its source");
}

static void test_generations(void)
{
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.1", 32);
	xdp_set_policy(&run, (struct policy){ .has_deny = 1 });
	/* Written for the next generation, and not in force. */
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.2", 32);
	expect4("203.0.113.1", XDP_REASON_DENIED);
	expect4("203.0.113.2", XDP_REASON_PASS);
	xdp_write_policy(&run, (run.generation + 1) & 1,
			 &(struct policy){ .generation = run.generation + 1, .has_deny = 1 });
	expect4("203.0.113.1", XDP_REASON_DENIED);
	expect4("203.0.113.2", XDP_REASON_PASS);
	xdp_write_control(&run, run.generation + 1);
	expect4("203.0.113.1", XDP_REASON_PASS);
	expect4("203.0.113.2", XDP_REASON_DENIED);
	tap_result("raising the generation swaps policy and lists at once");
}

static void test_unknown_generation(void)
{
	static struct frame frame;
	uint32_t generation = run.generation;

	xdp_write_control(&run, generation + 2);
	expect4("203.0.113.2", XDP_REASON_PASS);
	build_malformed(&frame, NULL);
	expect_tolerated(&frame, XDP_REASON_PASS);
	xdp_write_control(&run, generation);
	expect4("203.0.113.2", XDP_REASON_DENIED);
	tap_result("a generation without its policy enforces nothing, and counts");
}

static void test_frames_counted(void)
{
	struct packet_spec spec = { .family = 4,
				    .proto = PROTO_UDP,
				    .zeros = 5000,
				    .dest_port = 9,
				    .payload = "z",
				    .classes = { { 1, PROTOCOL_OTHER } } };
	static struct frame frame;

	xdp_set_policy(&run, (struct policy){ .drop_invalid = 1 });
	packet_build(&spec, &frame);
	xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_PASS, PROTOCOL_OTHER, "longer than a page");
	tap_result("bytes count what lies outside the linear part too");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	test_nothing_known();
	test_deny();
	test_deny_families();
	test_deny_everything_of_a_source();
	test_order();
	test_flags();
	test_tolerated();
	test_generations();
	test_unknown_generation();
	test_frames_counted();
	xdp_run_close(&run);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: packets that no receiver may accept are dropped under their kind, and each legal one next to them passes. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <net/if.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define MORE 0x2000
#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define UDP4 .family = 4, .proto = PROTO_UDP
#define UDP6 .family = 6, .proto = PROTO_UDP
#define ICMP4 .family = 4, .proto = PROTO_ICMP
#define ICMP6 .family = 6, .proto = PROTO_ICMPV6
#define ROUTE "\x07\x04\x0a\x00\x00\x01\x00" /* an option's length, pointer, one address; and END */

struct shape {
	struct packet_spec spec;
	enum malformed kind;
	size_t left; /* bytes of IP's payload; 0: all */
};

/* clang-format off */
static const struct shape fragments[] = {
	{ .spec = { .name = "IPv4: a first fragment with 8 bytes of TCP", TCP4, .fragment = MORE }, .kind = MALFORMED_TINY_FRAGMENT, .left = 8 },
	{ .spec = { .name = "IPv4: a first fragment without TCP's options", TCP4, .fragment = MORE, .tcp_options = 5 },
	  .kind = MALFORMED_TINY_FRAGMENT, .left = 24 },
	{ .spec = { .name = "IPv4: a first fragment with half of UDP's header", UDP4, .fragment = MORE },
	  .kind = MALFORMED_TINY_FRAGMENT, .left = 4 },
	{ .spec = { .name = "IPv4: a first fragment with all of TCP's header", TCP4, .fragment = MORE, .zeros = 4 } },
	{ .spec = { .name = "IPv6: a first fragment with 16 bytes of TCP", TCP6, .extensions = { EXT_FRAGMENT(1) } },
	  .kind = MALFORMED_TINY_FRAGMENT, .left = 24 },
	{ .spec = { .name = "IPv6: a first fragment without the next header", TCP6,
	    .extensions = { EXT_FRAGMENT(1), EXT(PROTO_DSTOPTS, 1) } }, .kind = MALFORMED_TINY_FRAGMENT, .left = 16 },
	{ .spec = { .name = "IPv6: a first fragment with nothing", UDP6, .extensions = { EXT_FRAGMENT(1) } },
	  .kind = MALFORMED_TINY_FRAGMENT, .left = 8 },
	{ .spec = { .name = "IPv6: cut short, and no fragment", TCP6, .extensions = { EXT_FRAGMENT(0) } },
	  .kind = MALFORMED_TRUNCATED, .left = 24 },

	{ .spec = { .name = "IPv4: a fragment that ends at 65535", UDP4, .fragment = 8189, .zeros = 3 } },
	{ .spec = { .name = "IPv4: a fragment that ends at 65536", UDP4, .fragment = 8189, .zeros = 4 },
	  .kind = MALFORMED_OVERSIZED_FRAGMENT },
	{ .spec = { .name = "IPv4: the ping of death", ICMP4, .fragment = 8191, .zeros = 500 }, .kind = MALFORMED_OVERSIZED_FRAGMENT },
	{ .spec = { .name = "IPv6: a fragment that ends at 65535", UDP6, .extensions = { EXT_FRAGMENT(0xfff8) }, .zeros = 7 } },
	{ .spec = { .name = "IPv6: a fragment that ends at 65536", ICMP6, .extensions = { EXT_FRAGMENT(0xfff8) }, .zeros = 8 },
	  .kind = MALFORMED_OVERSIZED_FRAGMENT },

	{ .spec = { .name = "IPv4: TCP at offset 8", TCP4, .fragment = 1, .zeros = 16 }, .kind = MALFORMED_OVERLAPPING_FRAGMENT },
	{ .spec = { .name = "IPv4: TCP at offset 8, more to come", TCP4, .fragment = MORE | 1, .zeros = 16 },
	  .kind = MALFORMED_OVERLAPPING_FRAGMENT },
	{ .spec = { .name = "IPv4: TCP at offset 16", TCP4, .fragment = 2, .zeros = 16 } },
	{ .spec = { .name = "IPv4: UDP at offset 8", UDP4, .fragment = 1, .zeros = 16 } },
	{ .spec = { .name = "IPv6: TCP at offset 8", TCP6, .extensions = { EXT_FRAGMENT(8) }, .zeros = 16 },
	  .kind = MALFORMED_OVERLAPPING_FRAGMENT },
	{ .spec = { .name = "IPv6: TCP at offset 16", TCP6, .extensions = { EXT_FRAGMENT(16) }, .zeros = 16 } },
	{ .spec = { .name = "IPv6: UDP at offset 8", UDP6, .extensions = { EXT_FRAGMENT(8) }, .zeros = 16 } },

	{ .spec = { .name = "IPv6: a first fragment of 41 bytes", TCP6, .extensions = { EXT_FRAGMENT(1) }, .zeros = 21 },
	  .kind = MALFORMED_UNALIGNED_FRAGMENT },
	{ .spec = { .name = "IPv6: a middle fragment of 15 bytes", UDP6, .extensions = { EXT_FRAGMENT(1480 | 1) }, .zeros = 15 },
	  .kind = MALFORMED_UNALIGNED_FRAGMENT },
	{ .spec = { .name = "IPv6: a middle fragment of 16 bytes", UDP6, .extensions = { EXT_FRAGMENT(1480 | 1) }, .zeros = 16 } },
	{ .spec = { .name = "IPv6: a last fragment of 15 bytes", UDP6, .extensions = { EXT_FRAGMENT(1480) }, .zeros = 15 } },
	{ .spec = { .name = "IPv4: a middle fragment of 15 bytes is cut to 8 by its receiver", UDP4, .fragment = MORE | 185,
	    .zeros = 15 } },
};

static const struct shape routes[] = {
	{ .spec = { .name = "IPv4: loose source route", UDP4, .options = 2, .option_bytes = "\x83" ROUTE },
	  .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv4: strict source route", TCP4, .options = 2, .option_bytes = "\x89" ROUTE },
	  .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv4: source route behind other options", ICMP4, .options = 4,
	    .option_bytes = "\x01\x94\x04\x00\x00\x44\x04\x05\x00\x83" ROUTE }, .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv4: source route in a later fragment", UDP4, .fragment = 185, .options = 2,
	    .option_bytes = "\x83" ROUTE }, .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv4: source route of an unknown protocol", .family = 4, .proto = 132, .options = 2,
	    .option_bytes = "\x89" ROUTE }, .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv4: what stands behind the end of options is none", UDP4, .options = 3,
	    .option_bytes = "\x01\x01\x01\x00\x83" ROUTE } },
	{ .spec = { .name = "IPv4: record route", UDP4, .options = 2, .option_bytes = "\x07" ROUTE } },
	{ .spec = { .name = "IPv4: router alert", UDP4, .options = 1, .option_bytes = "\x94\x04\x00\x00" } },
	{ .spec = { .name = "IPv4: an unknown option of 40 bytes", UDP4, .options = 10,
	    .option_bytes = "\x9e\x28                                      " } },
	{ .spec = { .name = "IPv4: an option of length 0", UDP4, .options = 1, .option_bytes = "\x94\0\0\0" },
	  .kind = MALFORMED_BAD_OPTIONS },
	{ .spec = { .name = "IPv4: an option of length 1", TCP4, .options = 1, .option_bytes = "\x94\x01\0\0" },
	  .kind = MALFORMED_BAD_OPTIONS },
	{ .spec = { .name = "IPv4: an option one byte too long", UDP4, .options = 2, .option_bytes = "\x01\x01\x01\x94\x06\0\0\0" },
	  .kind = MALFORMED_BAD_OPTIONS },
	{ .spec = { .name = "IPv4: an option without its length", UDP4, .options = 1, .option_bytes = "\x01\x01\x01\x94" },
	  .kind = MALFORMED_BAD_OPTIONS },
	{ .spec = { .name = "IPv4: an option far too long", UDP4, .options = 10, .option_bytes =
	    "\x94\xff                                      " }, .kind = MALFORMED_BAD_OPTIONS },
	{ .spec = { .name = "IPv6: routing header of type 0", UDP6, .extensions = { EXT_ROUTING(0, 1) } },
	  .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv6: routing header of type 0 behind options", TCP6,
	    .extensions = { EXT(PROTO_HOPOPTS, 0), EXT(PROTO_DSTOPTS, 1), EXT_ROUTING(0, 255) } },
	  .kind = MALFORMED_SOURCE_ROUTE },
	{ .spec = { .name = "IPv6: routing header of type 0, used up", UDP6, .extensions = { EXT_ROUTING(0, 0) } } },
	{ .spec = { .name = "IPv6: routing header of type 2", UDP6, .extensions = { EXT_ROUTING(2, 1) } } },
	{ .spec = { .name = "IPv6: segment routing header", UDP6, .extensions = { EXT_ROUTING(4, 1) } } },
};

#define LAND4 .source = "198.51.100.1"
#define LAND6 .source = "2001:db8:ffff::1"

static const struct shape lands[] = {
	{ .spec = { .name = "IPv4: TCP from its own destination", TCP4, LAND4, .tcp_flags = 2 }, .kind = MALFORMED_LAND },
	{ .spec = { .name = "IPv4: UDP from its own destination", UDP4, LAND4 }, .kind = MALFORMED_LAND },
	{ .spec = { .name = "IPv6: TCP from its own destination", TCP6, LAND6, .tcp_flags = 2 }, .kind = MALFORMED_LAND },
	{ .spec = { .name = "IPv6: UDP from its own destination, behind options", UDP6, LAND6,
	    .extensions = { EXT(PROTO_DSTOPTS, 0) } }, .kind = MALFORMED_LAND },
	{ .spec = { .name = "IPv4: ICMP from its own destination", ICMP4, LAND4 } },
	{ .spec = { .name = "IPv4: another protocol from its own destination", .family = 4, .proto = 132, LAND4 } },
	{ .spec = { .name = "IPv6: half of the address is the same", TCP6, .source = "2001:db8:ffff::2" } },
	{ .spec = { .name = "IPv6: the other half is", TCP6, .source = "2001:db8:fffe::1" } },
	{ .spec = { .name = "IPv4: another source", TCP4, .source = "198.51.100.2" } },
};
/* clang-format on */

static struct xdp_run run;

static void test_shape(const struct shape *shape, enum malformed kind, const char *name)
{
	static struct frame frame;
	struct packet_spec spec = shape->spec;
	size_t header = spec.family == 4 ? 20 + 4 * spec.options : 40;
	int class = spec.zeros && (spec.proto == PROTO_TCP || spec.proto == PROTO_UDP) ? PROTOCOL_OTHER : NO_PROTOCOL;

	packet_build(&spec, &frame);
	if (shape->left)
		frame_set_end(&frame, frame.l3 + header + shape->left, 0);
	if (!frame.payload)
		class = NO_PROTOCOL;
	if (kind)
		xdp_expect_malformed(&run, frame.bytes, frame.len, kind, name);
	else
		xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_PASS, class, name);
	tap_result(name);
}

static void test_table(const struct shape *shapes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		test_shape(&shapes[i], shapes[i].kind, shapes[i].spec.name);
}

/* Of 256 combinations those that RFC 9293 has a use for: the lower six bits are FIN, SYN, RST, PSH, ACK, URG. */
static void test_flags(uint8_t family)
{
	struct packet_spec spec = { .family = family, .proto = PROTO_TCP };
	static struct frame frame;

	packet_build(&spec, &frame);
	for (int flags = 0; flags < 256; flags++) {
		bool fin = flags & 1, syn = flags & 2, rst = flags & 4, ack = flags & 16;
		bool legal = syn ? !fin && !rst : ack || rst;
		char what[16];

		snprintf(what, sizeof(what), "flags %02x", flags);
		frame.bytes[frame.l4 + 13] = flags;
		if (legal)
			xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_PASS, NO_PROTOCOL, what);
		else
			xdp_expect_malformed(&run, frame.bytes, frame.len, MALFORMED_BAD_TCP_FLAGS, what);
	}
	tap_result(family == 4 ? "IPv4: every combination of TCP flags" : "IPv6: every combination of TCP flags");
}

/* In a network namespace of its own, with an interface that is not its loopback. */
static void test_land(void)
{
	for (size_t i = 0; i < sizeof(lands) / sizeof(*lands); i++)
		test_shape(&lands[i], MALFORMED_NONE, "over loopback everybody may talk to himself");
	if (unshare(CLONE_NEWNET) || system("ip link add land0 type veth peer name land1") ||
	    !(run.ifindex = if_nametoindex("land0")))
		tap_bail("cannot make an interface");
	test_table(lands, sizeof(lands) / sizeof(*lands));
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	xdp_set_policy(&run, (struct policy){ .drop_invalid = 1 });
	test_flags(4);
	test_flags(6);
	test_table(fragments, sizeof(fragments) / sizeof(*fragments));
	test_table(routes, sizeof(routes) / sizeof(*routes));
	test_land();
	xdp_run_close(&run);
	return tap_end();
}

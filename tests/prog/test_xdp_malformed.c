/* SPDX-License-Identifier: MIT */
/* Tests: each kind of malformed packet is dropped as such, and each odd but legal one next to it passes. */
#include <string.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define PATCHES 4
#define BIG_LEN 70000
#define MORE 0x2000
#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define UDP4 .family = 4, .proto = PROTO_UDP
#define UDP6 .family = 6, .proto = PROTO_UDP
#define IP(at, byte) { .layer = 3, .offset = (at), .value = (byte) }
#define L4(at, byte) { .layer = 4, .offset = (at), .value = (byte) }

/* A byte that is written over the built packet. */
struct patch {
	uint8_t layer; /* 0: no more */
	uint8_t offset;
	uint8_t value;
};

struct patched {
	struct packet_spec spec;
	struct patch patches[PATCHES];
	enum malformed kind;
};

/* clang-format off */
static const struct patched malformed[] = {
	{ { .name = "IPv4: version 5", TCP4 }, { IP(0, 0x55) }, MALFORMED_BAD_VERSION },
	{ { .name = "IPv4: version 6", TCP4 }, { IP(0, 0x65) }, MALFORMED_BAD_VERSION },
	{ { .name = "IPv4: header of 16 bytes", TCP4 }, { IP(0, 0x44) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "IPv4: header of 0 bytes", TCP4 }, { IP(0, 0x40) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "IPv4: header longer than the packet", TCP4 }, { IP(0, 0x4f) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: packet shorter than its header", TCP4 }, { IP(3, 19) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: packet shorter than its options", TCP4, .options = 2 }, { IP(3, 27) },
	  MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: length 0", TCP4 }, { IP(3, 0) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: one byte missing", TCP4 }, { IP(3, 41) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: longer than any frame", TCP4 }, { IP(2, 0xff) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: later fragment, one byte missing", UDP4, .fragment = 5 }, { IP(3, 21) },
	  MALFORMED_BAD_LENGTH },
	{ { .name = "IPv4: unknown protocol, one byte missing", .family = 4, .proto = 132 }, { IP(3, 21) },
	  MALFORMED_BAD_LENGTH },
	{ { .name = "IPv6: version 4", TCP6 }, { IP(0, 0x45) }, MALFORMED_BAD_VERSION },
	{ { .name = "IPv6: version 7", TCP6 }, { IP(0, 0x70) }, MALFORMED_BAD_VERSION },
	{ { .name = "IPv6: one byte missing", TCP6 }, { IP(5, 21) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv6: longer than any frame", TCP6 }, { IP(4, 0xff) }, MALFORMED_BAD_LENGTH },
	{ { .name = "IPv6: length 0 before TCP", TCP6 }, { IP(5, 0) }, MALFORMED_TRUNCATED },
	{ { .name = "IPv6: options longer than the packet", TCP6, .extensions = { EXT(PROTO_DSTOPTS, 0) } },
	  { IP(41, 3) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "IPv6: options end the packet, TCP is missing", .family = 6,
	    .extensions = { EXT(PROTO_DSTOPTS, 0) }, .proto = PROTO_NONE }, { IP(40, PROTO_TCP) },
	  MALFORMED_TRUNCATED },
	{ { .name = "IPv6: header behind the last one is missing", .family = 6, .proto = PROTO_NONE },
	  { IP(6, PROTO_FRAGMENT) }, MALFORMED_TRUNCATED },
	{ { .name = "IPv6: authentication longer than the packet", TCP6, .extensions = { EXT(PROTO_AH, 4) } },
	  { IP(41, 10) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "TCP: header of 16 bytes", TCP4 }, { L4(12, 0x40) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "TCP: header of 0 bytes", TCP6 }, { L4(12, 0x00) }, MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "TCP: header longer than the packet", TCP4, .payload = "0123456789012345678" }, { L4(12, 0xa0) },
	  MALFORMED_BAD_HEADER_LENGTH },
	{ { .name = "TCP: half a header in the first fragment", TCP4, .fragment = MORE }, { IP(3, 36) },
	  MALFORMED_TINY_FRAGMENT },
	{ { .name = "UDP: length 7", UDP4 }, { L4(5, 7) }, MALFORMED_BAD_LENGTH },
	{ { .name = "UDP: length 0", UDP4 }, { L4(5, 0) }, MALFORMED_BAD_LENGTH },
	{ { .name = "UDP: length 0 over IPv6", UDP6 }, { L4(5, 0) }, MALFORMED_BAD_LENGTH },
	{ { .name = "UDP: one byte missing", UDP4, .payload = "abc" }, { L4(5, 12) }, MALFORMED_BAD_LENGTH },
	{ { .name = "UDP: longer than any frame", UDP6 }, { L4(4, 0xff) }, MALFORMED_BAD_LENGTH },
	{ { .name = "UDP: length 7 in the first fragment", UDP4, .fragment = MORE }, { L4(5, 7) },
	  MALFORMED_BAD_LENGTH },
	{ { .name = "ICMP: seven bytes", .family = 4, .proto = PROTO_ICMP }, { IP(3, 27) }, MALFORMED_TRUNCATED },
	{ { .name = "ICMPv6: seven bytes", .family = 6, .proto = PROTO_ICMPV6 }, { IP(5, 7) }, MALFORMED_TRUNCATED },
};

static const struct patched legal[] = {
	{ { .name = "UDP: first fragment of a longer datagram", UDP4, .fragment = MORE, .payload = "GET ",
	    .classes = { { 1, PROTOCOL_OTHER } } }, { L4(4, 9) }, MALFORMED_NONE },
	{ { .name = "UDP: first fragment of a longer datagram over IPv6", UDP6, .extensions = { EXT_FRAGMENT(1) },
	    .payload = "GET / HT",
	    .classes = { { 1, PROTOCOL_OTHER } } }, { L4(4, 9) }, MALFORMED_NONE },
	{ { .name = "UDP: bytes behind the datagram are not its payload", UDP4, .payload = "GET ",
	    .classes = { { 1, PROTOCOL_OTHER } } }, { L4(5, 11) }, MALFORMED_NONE },
	{ { .name = "UDP: only bytes behind an empty datagram", UDP4, .payload = "GET " }, { L4(5, 8) }, MALFORMED_NONE },
	{ { .name = "IPv6: jumbogram", TCP6, .extensions = { EXT(PROTO_HOPOPTS, 0) }, .payload = "GET ",
	    .classes = { { 1, PROTOCOL_HTTP1 } } }, { IP(5, 0) }, MALFORMED_NONE },
	{ { .name = "IPv6: more extension headers than are read", TCP6,
	    .extensions = { EXT(PROTO_HOPOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0),
			    EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0),
			    EXT(PROTO_DSTOPTS, 0) },
	    .payload = "GET " }, {}, MALFORMED_NONE },
	{ { .name = "IPv6: mobility header", .family = 6, .proto = 135, .payload = "z" }, {}, MALFORMED_NONE },
	{ { .name = "IPv4: wrong checksum is the stack's affair", TCP4 }, { IP(10, 0xff) }, MALFORMED_NONE },
};
/* clang-format on */

static struct xdp_run run;

static void build(const struct patched *p, const uint16_t tags[PACKET_TAGS], struct frame *frame)
{
	struct packet_spec spec = p->spec;
	const struct patch *patch;
	size_t i;

	memcpy(spec.tags, tags, sizeof(spec.tags));
	packet_build(&spec, frame);
	for (i = 0; i < PATCHES && p->patches[i].layer; i++) {
		patch = &p->patches[i];
		frame->bytes[(patch->layer == 3 ? frame->l3 : frame->l4) + patch->offset] = patch->value;
	}
}

static int protocol_of(const struct packet_spec *spec)
{
	return spec->classes[0].bytes ? spec->classes[0].protocol : NO_PROTOCOL;
}

static void test_table(const struct patched *table, size_t n)
{
	static const uint16_t links[][PACKET_TAGS] = { {}, { 0x8100 }, { 0x88a8, 0x8100 } };
	static struct frame frame;
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < sizeof(links) / sizeof(*links); k++) {
			build(&table[i], links[k], &frame);
			if (table[i].kind)
				xdp_expect_malformed(&run, frame.bytes, frame.len, table[i].kind, "patched");
			else
				xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_PASS,
					   protocol_of(&table[i].spec), "patched");
		}
		tap_result(table[i].spec.name);
	}
}

/* A frame too long for any length field, as a virtual device carries from one stack to the next. */
static void test_big(const struct packet_spec *spec, int protocol, unsigned int length_at, enum malformed short_kind)
{
	static uint8_t bytes[BIG_LEN];
	static struct frame frame;

	packet_build(spec, &frame);
	memcpy(bytes, frame.bytes, frame.len);
	memset(bytes + frame.len, 0, sizeof(bytes) - frame.len);
	bytes[frame.l3 + length_at] = bytes[frame.l3 + length_at + 1] = 0;
	if (spec->proto == PROTO_UDP)
		bytes[frame.l4 + 4] = bytes[frame.l4 + 5] = 0;
	xdp_expect(&run, bytes, sizeof(bytes), ALL_LINEAR, XDP_REASON_PASS, protocol, spec->name);
	xdp_expect_malformed(&run, bytes, frame.len, short_kind, "the same, short");
	tap_result(spec->name);
}

int main(void)
{
	static const struct packet_spec big4 = { .name = "IPv4: length 0 of more than 65535 bytes",
						 TCP4,
						 .payload = "GET " };
	static const struct packet_spec big6 = { .name = "IPv6: length 0 of more than 65535 bytes",
						 TCP6,
						 .payload = "GET " };
	static const struct packet_spec jumbo = {
		.name = "UDP: length 0 of a jumbogram", UDP6, .payload = "GET ", .extensions = { EXT(PROTO_HOPOPTS, 0) }
	};

	tap_start();
	xdp_run_open(&run, 0);
	xdp_set_policy(&run, (struct policy){ .drop_invalid = 1 });
	test_table(malformed, sizeof(malformed) / sizeof(*malformed));
	test_table(legal, sizeof(legal) / sizeof(*legal));
	test_big(&big4, PROTOCOL_HTTP1, 2, MALFORMED_BAD_LENGTH);
	test_big(&big6, PROTOCOL_HTTP1, 4, MALFORMED_TRUNCATED);
	test_big(&jumbo, PROTOCOL_OTHER, 4, MALFORMED_BAD_LENGTH);
	xdp_run_close(&run);
	return tap_end();
}

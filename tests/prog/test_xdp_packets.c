/* SPDX-License-Identifier: MIT */
/*
 * Tests: every legal frame passes and is classified; cut at every byte it is malformed exactly where its layout says
 * so; and it does not matter how much of it lies in the linear part of the buffer.
 */
#include <errno.h>
#include <string.h>

#include "tap.h"
#include "xdp_packets.h"
#include "xdp_run.h"

static struct xdp_run run;

/* The class of the first `len` bytes of the packet's payload. */
static int class_of(const struct packet_spec *spec, const struct frame *frame, size_t len)
{
	int i, protocol = NO_PROTOCOL;

	if (!frame->payload)
		return NO_PROTOCOL;
	for (i = 0; i < PACKET_CLASSES && spec->classes[i].bytes; i++) {
		if (len >= spec->classes[i].bytes)
			protocol = spec->classes[i].protocol;
	}
	return protocol;
}

static bool passes(const struct packet_spec *spec, const struct frame *frame, size_t linear)
{
	int class = class_of(spec, frame, frame->ip_end - frame->payload);

	return xdp_expect(&run, frame->bytes, frame->len, linear, XDP_REASON_PASS, class, "whole");
}

static void test_whole(const struct packet_spec *spec, struct frame *frame)
{
	packet_build(spec, frame);
	passes(spec, frame, ALL_LINEAR);
	frame_pad(frame);
	passes(spec, frame, ALL_LINEAR);
}

/* The lengths within stay: an IP packet that is not there whole is malformed. */
static void test_cut_frame(const struct packet_spec *spec, struct frame *frame)
{
	size_t len, end;

	packet_build(spec, frame);
	end = frame->l3 ? frame->ip_end : frame->link_end;
	for (len = FRAME_LEAST; len < frame->len; len++) {
		if (!xdp_expect(&run, frame->bytes, len, ALL_LINEAR, len < end ? XDP_REASON_MALFORMED : XDP_REASON_PASS,
				NO_PROTOCOL, "cut frame"))
			return;
	}
}

/* IP's length follows the cut, in a frame that goes on behind it: no byte behind IP's end may count. */
static void cut_packet(const struct packet_spec *spec, struct frame *frame, bool udp, bool shorten)
{
	size_t end, start = frame->l3 + (spec->family == 4 ? 20 : 40), whole = frame->ip_end, len = frame->len;
	bool bad;
	int class;

	if (spec->extensions[0].here && spec->extensions[0].proto == PROTO_HOPOPTS)
		start++; /* hop-by-hop and length 0 are a jumbogram */
	for (end = start; end <= whole; end++) {
		frame_set_end(frame, end, udp && end >= frame->headers_end);
		bad = end < frame->headers_end;
		bad |= frame->units_from && (end - frame->units_from) % 8;
		/* A datagram, other than a fragment of one, that says that it is longer than the packet. */
		bad |= spec->proto == PROTO_UDP && frame->l4 && !udp && end < whole;
		class = bad ? NO_PROTOCOL : class_of(spec, frame, end - frame->payload);
		if (!xdp_expect(&run, frame->bytes, shorten ? end : len, ALL_LINEAR,
				bad ? XDP_REASON_MALFORMED : XDP_REASON_PASS, class,
				udp ? "cut datagram" : "cut packet"))
			return;
	}
}

static void test_cut_packet(const struct packet_spec *spec, struct frame *frame)
{
	packet_build(spec, frame);
	if (!frame->l3)
		return;
	cut_packet(spec, frame, false, false);
	packet_build(spec, frame);
	cut_packet(spec, frame, false, true);
	if (spec->proto != PROTO_UDP)
		return;
	packet_build(spec, frame);
	cut_packet(spec, frame, true, false);
}

static void test_table(void)
{
	static struct frame frame;
	size_t i;

	for (i = 0; i < n_xdp_packets; i++) {
		test_whole(&xdp_packets[i], &frame);
		test_cut_frame(&xdp_packets[i], &frame);
		test_cut_packet(&xdp_packets[i], &frame);
		tap_result(xdp_packets[i].name);
	}
}

/* Every length of the linear part that the kernel can make. */
static void test_linear(void)
{
	static struct frame frame;
	size_t i, linear;

	packet_build(&xdp_packets[0], &frame);
	if (xdp_run_frame(&run, frame.bytes, frame.len, FRAME_LEAST, 1) == -EINVAL) {
		tap_skip("any linear part", "before Linux 6.18 BPF_PROG_TEST_RUN fills a page first");
		return;
	}
	for (i = 0; i < n_xdp_packets; i++) {
		packet_build(&xdp_packets[i], &frame);
		for (linear = FRAME_LEAST; linear < frame.len; linear++) {
			if (!passes(&xdp_packets[i], &frame, linear)) {
				tap_note("%s", xdp_packets[i].name);
				break;
			}
		}
	}
	tap_result("any linear part");
}

/* On every kernel: extension headers that push TCP behind the first page, and with it out of the linear part. */
static void test_jumbo(void)
{
	static const struct packet_spec specs[] = {
		{ .name = "TCP header behind the linear part",
		  .family = 6,
		  .proto = PROTO_TCP,
		  .extensions = { EXT(PROTO_HOPOPTS, 255), EXT(PROTO_DSTOPTS, 255) },
		  .payload = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
		  .classes = { { 1, PROTOCOL_WEBSOCKET } } },
		{ .name = "jumbo frame",
		  .family = 4,
		  .proto = PROTO_TCP,
		  .payload = "GET / HTTP/1.1\r\n\r\n",
		  .zeros = 8900,
		  .classes = { { 1, PROTOCOL_HTTP1 } } },
	};
	static struct frame frame;
	size_t i;

	for (i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		packet_build(&specs[i], &frame);
		passes(&specs[i], &frame, ALL_LINEAR);
		frame.len--;
		xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, XDP_REASON_MALFORMED, NO_PROTOCOL, specs[i].name);
		tap_result(specs[i].name);
	}
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	xdp_set_policy(&run, (struct policy){ .rate_mode = RATE_ENFORCE,
					      .window_ns = WINDOW_ENDLESS,
					      .packets = UINT32_MAX,
					      .drop_invalid = 1,
					      GRPC_DEFAULT });
	test_table();
	test_linear();
	test_jumbo();
	xdp_run_close(&run);
	return tap_end();
}

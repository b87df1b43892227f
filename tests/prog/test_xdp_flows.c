/* SPDX-License-Identifier: MIT */
/* Tests: flows are told apart, counted, and classified by their first payload alone, in both families. */
#include <string.h>
#include <bpf/bpf.h>

#include "flow_cases.h"
#include "flows_test.h"

#define FIRST_PORT 20000

static struct packet_spec spec_of(const struct flow_case *c, size_t i, uint8_t family)
{
	return (struct packet_spec){
		.family = family,
		.proto = c->proto ? c->proto : PROTO_TCP,
		.source_port = c->source_port ? c->source_port : FIRST_PORT + i,
		.dest_port = c->dest_port,
	};
}

static bool name_is(const struct flow *flow, const char *host)
{
	size_t len = host ? strlen(host) : 0;

	return flow->name_len == len && !memcmp(flow->name, host ?: "", len);
}

static void test_case(const struct flow_case *c, size_t at, uint8_t family)
{
	struct packet_spec spec = spec_of(c, at, family);
	struct xdp_stats before, moved;
	static struct frame frame;
	struct flow flow = {};
	size_t i, bytes = 0;
	bool known;

	xdp_read_stats(&run, &before);
	for (i = 0; i < FLOW_SEGMENTS && c->segments[i].bytes; i++) {
		spec.payload = c->segments[i].bytes;
		spec.payload_len = c->segments[i].len;
		spec.zeros = i + 1 == FLOW_SEGMENTS || !c->segments[i + 1].bytes ? c->zeros : 0;
		CHECK(send_segment(&spec, &frame) == XDP_PASS, "segment %zu was dropped", i);
		bytes += frame.len;
	}
	moved = xdp_stats_since(&run, &before);
	flows_look(&frame, &flow, &known);
	if (!CHECK(known, "IPv%d: the flow is not known", family))
		return;
	CHECK(flow.packets == i && flow.bytes == bytes, "IPv%d: %llu packets, %llu bytes; expected %zu, %zu", family,
	      flow.packets, flow.bytes, i, bytes);
	CHECK(flow.protocol == c->protocol && flow.version == c->version && !flow.tries == !c->open,
	      "IPv%d: protocol %u, version %u, tries %u; expected %u, %u", family, flow.protocol, flow.version,
	      flow.tries, c->protocol, c->version);
	CHECK(c->open || name_is(&flow, c->host), "IPv%d: name \"%.*s\"", family, flow.name_len, flow.name);
	CHECK(moved.protocols[c->protocol] >= 1, "IPv%d: not counted under the protocol", family);
	CHECK(flow.first && flow.last >= flow.first, "IPv%d: times %llu, %llu", family, flow.first, flow.last);
}

static void test_cases(void)
{
	size_t i;

	for (i = 0; i < n_flow_cases; i++) {
		test_case(&flow_cases[i], i, 4);
		test_case(&flow_cases[i], i, 6);
		tap_result(flow_cases[i].name);
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* A packet without payload begins no flow and is not counted under one. */
static void test_no_payload(void)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP },
			   later = { .family = 4, .proto = PROTO_TCP, .fragment = 185, PAYLOAD("zz") };
	static struct frame frame;
	struct flow flow;
	bool known;

	flows_forget();
	send_segment(&spec, &frame);
	CHECK(!flows_look(&frame, &flow, &known), "an empty segment began a flow");
	send_segment(&later, &frame);
	frame.l4 = frame.headers_end;
	CHECK(!flows_look(&frame, &flow, &known), "a later fragment began a flow");
	tap_result("no payload, no flow");
}

/* Every packet counts under its flow's protocol, whatever it carries. */
static void test_counted(void)
{
	struct packet_spec first = { .family = 6, .proto = PROTO_TCP, PAYLOAD(GET) };
	struct packet_spec more = { .family = 6, .proto = PROTO_TCP, PAYLOAD("zzzz"), .tags = { 0x8100 } };
	struct xdp_stats before, moved;
	static struct frame frame;
	struct flow flow = {};
	bool known;
	int i;

	flows_forget();
	xdp_read_stats(&run, &before);
	send_segment(&first, &frame);
	for (i = 0; i < 9; i++)
		send_segment(&more, &frame);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.protocols[PROTOCOL_HTTP1] == 10 && !moved.protocols[PROTOCOL_OTHER], "%llu of HTTP/1, %llu others",
	      moved.protocols[PROTOCOL_HTTP1], moved.protocols[PROTOCOL_OTHER]);
	CHECK(flows_look(&frame, &flow, &known) == 1 && known && flow.packets == 10, "%llu packets", flow.packets);
	tap_result("packets count under their flow's protocol");
}

/* What does not continue the first bytes is passed over; a flow that stays open is other in the end. */
static void test_open(void)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP, PAYLOAD("G") };
	static struct frame frame;
	struct flow flow = {};
	uint32_t start = seq;
	bool known;
	int i;

	flows_forget();
	send_segment(&spec, &frame);
	for (i = 0; i < 3; i++) {
		seq = start; /* the same again */
		send_segment(&spec, &frame);
	}
	spec.payload = "ET / HTTP/1.1\r\nHost: late\r\n\r\n";
	spec.payload_len = strlen(spec.payload);
	send_segment(&spec, &frame);
	flows_look(&frame, &flow, &known);
	CHECK(flow.protocol == PROTOCOL_HTTP1 && !flow.tries && name_is(&flow, "late"), "protocol %u, tries %u",
	      flow.protocol, flow.tries);
	tap_result("a segment that comes again does not count twice");

	flows_forget();
	start = seq;
	spec = (struct packet_spec){ .family = 4, .proto = PROTO_TCP, PAYLOAD("G") };
	for (i = 0; i < 17; i++) {
		seq = start;
		send_segment(&spec, &frame);
	}
	spec = (struct packet_spec){ .family = 4, .proto = PROTO_TCP, PAYLOAD(GET) };
	send_segment(&spec, &frame);
	flows_look(&frame, &flow, &known);
	CHECK(flow.protocol == PROTOCOL_OTHER && !flow.tries && flow.packets == 18,
	      "protocol %u, tries %u, packets %llu", flow.protocol, flow.tries, flow.packets);
	tap_result("an open flow is decided after some tries");
}

/* Two flows of one hash, which nobody can make: the later one takes the entry, and is not taken for the other. */
static void test_collision(void)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP, PAYLOAD(GET) };
	static struct frame frame;
	struct flow flow = {};
	struct flow_key key;
	bool known;

	flows_forget();
	send_segment(&spec, &frame);
	if (bpf_map_get_next_key(flows_fd, NULL, &key) || bpf_map_lookup_elem(flows_fd, &key, &flow))
		tap_bail("the flow is not known");
	flow.tuple.dest.b[15]++;
	flow.protocol = PROTOCOL_SSH;
	bpf_map_update_elem(flows_fd, &key, &flow, BPF_ANY);
	send_segment(&spec, &frame);
	CHECK(flows_look(&frame, &flow, &known) == 1 && known && flow.packets == 1 && flow.protocol == PROTOCOL_HTTP1,
	      "known %d, %llu packets, protocol %u", known, flow.packets, flow.protocol);
	tap_result("a flow is told by its tuple, not by its hash");
}

/* Fewer flows than the map would hold, in a time that is shorter than a machine may take for them: none is lost from sight. */
static void test_flood(void)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_UDP, PAYLOAD("flood") };
	struct xdp_stats before, moved;
	static struct frame frame;
	struct flow flow;
	bool known;
	int i, kept;

	flows_forget();
	xdp_set_policy(&run, on);
	packet_build(&spec, &frame);
	xdp_read_stats(&run, &before);
	for (i = 0; i < 5000; i++) {
		frame.bytes[frame.l3 + 14] = i >> 8;
		frame.bytes[frame.l3 + 15] = i;
		xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1);
	}
	moved = xdp_stats_since(&run, &before);
	kept = flows_look(&frame, &flow, &known);
	CHECK(kept + moved.unkept == 5000, "%d kept, %llu not", kept, moved.unkept);
	CHECK(moved.protocols[PROTOCOL_OTHER] == 5000, "%llu counted", moved.protocols[PROTOCOL_OTHER]);
	tap_result("each flow is kept, or counted as not kept");
}

int main(void)
{
	tap_start();
	flows_open();
	test_cases();
	test_no_payload();
	test_counted();
	test_open();
	test_collision();
	test_flood();
	xdp_run_close(&run);
	return tap_end();
}

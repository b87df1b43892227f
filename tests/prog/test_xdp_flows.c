/* SPDX-License-Identifier: MIT */
/*
 * Tests: flows are told apart, counted, and classified by their first payload alone, in both families; protocol rules drop
 * or count them.
 */
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow_cases.h"
#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define FIRST_PORT 20000

static struct xdp_run run;
static int flows_fd, rules_fd, counts_fd;
static uint32_t seq;

static const struct policy on = { .drop_invalid = 1, .flows = 1, GRPC_DEFAULT };

static int map_of(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(run.object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

/* How many flows there are; *ret is the one of that frame, if it is known. */
static int flows_look(const struct frame *frame, struct flow *ret, bool *ret_known)
{
	bool v4 = frame->bytes[frame->l3] >> 4 == 4;
	const uint8_t *addresses = frame->bytes + frame->l3 + (v4 ? 12 : 8);
	struct flow_key key;
	struct flow flow;
	int n = 0;

	*ret_known = false;
	for (int r = bpf_map_get_next_key(flows_fd, NULL, &key); !r; r = bpf_map_get_next_key(flows_fd, &key, &key)) {
		n++;
		if (bpf_map_lookup_elem(flows_fd, &key, &flow) ||
		    memcmp(&flow.tuple.source_port, frame->bytes + frame->l4, 4) ||
		    memcmp(flow.tuple.source.b + (v4 ? 12 : 0), addresses, v4 ? 4 : 16) ||
		    memcmp(flow.tuple.dest.b + (v4 ? 12 : 0), addresses + (v4 ? 4 : 16), v4 ? 4 : 16) ||
		    flow.tuple.l3_proto != (v4 ? L3_IPV4 : L3_IPV6))
			continue;
		*ret = flow;
		*ret_known = true;
	}
	return n;
}

static void flows_forget(void)
{
	struct flow_key key;

	while (!bpf_map_get_next_key(flows_fd, NULL, &key))
		bpf_map_delete_elem(flows_fd, &key);
}

static void build(const struct packet_spec *spec, struct frame *frame)
{
	size_t i;

	packet_build(spec, frame);
	for (i = 0; spec->proto == PROTO_TCP && i < 4; i++)
		frame->bytes[frame->l4 + 4 + i] = seq >> (24 - 8 * i);
}

/* The packet of a segment; the next one continues it. */
static int send_segment(const struct packet_spec *spec, struct frame *frame)
{
	int action;

	build(spec, frame);
	action = xdp_run_frame(&run, frame->bytes, frame->len, ALL_LINEAR, 1);
	seq += spec->payload_len + spec->zeros;
	return action;
}

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

#define PAYLOAD(s) .payload = (s), .payload_len = sizeof(s) - 1
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

/* ---- rules ---- */

static void put_rule(uint32_t i, struct protocol_rule rule)
{
	uint32_t slot = ((run.generation + 1) & 1) * MPBPF_PROTOCOL_RULES + i;

	rule.generation = run.generation + 1;
	if (bpf_map_update_elem(rules_fd, &slot, &rule, BPF_ANY))
		tap_bail("cannot write a rule");
}

static struct rule_count counted(uint32_t number)
{
	static struct rule_count cpus[1024];
	struct rule_count sum = {};
	int i;

	if (bpf_map_lookup_elem(counts_fd, &number, cpus))
		tap_bail("cannot read rule_counts");
	for (i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.dropped += cpus[i].dropped;
		sum.would_drop += cpus[i].would_drop;
	}
	return sum;
}

static const struct packet_spec old_tls = { .family = 4,
					    .proto = PROTO_TCP,
					    .dest_port = 443,
					    PAYLOAD("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x02"
						    "0123456789abcdef0123456789abcdef\x00\x00\x02\x13\x01\x01\x00") };
static const struct packet_spec ssh = { .family = 6, .proto = PROTO_TCP, .dest_port = 8080, PAYLOAD("SSH-2.0-x\r\n") };

static void with_rules(struct protocol_rule first, struct protocol_rule second)
{
	struct policy policy = on;

	flows_forget();
	put_rule(0, first);
	put_rule(1, second);
	policy.n_protocol_rules = 2;
	xdp_set_policy(&run, policy);
}

static const struct protocol_rule below_1_2 = { .protocol = PROTOCOL_TLS, .below = TLS_1_2, .number = 3 };
static const struct protocol_rule no_ssh = { .protocol = PROTOCOL_SSH, .port = __builtin_bswap16(8080), .number = 4 };

/* `action` for the flow's first packet and for the next one. */
static void expect(const char *what, struct packet_spec spec, int action)
{
	static struct frame frame;
	int first = send_segment(&spec, &frame), second;

	spec.payload = "zz";
	spec.payload_len = 2;
	second = send_segment(&spec, &frame);
	CHECK(first == action && second == action, "%s: actions %d, %d; expected %d", what, first, second, action);
}

static void test_rules_drop(void)
{
	struct packet_spec new_tls = old_tls, ssh_22 = ssh;
	struct xdp_stats before, moved;
	char hello[64];

	memcpy(hello, old_tls.payload, old_tls.payload_len);
	hello[10] = 3;
	new_tls.payload = hello;
	new_tls.source_port = 50000;
	ssh_22.dest_port = 22;
	with_rules(below_1_2, no_ssh);
	xdp_read_stats(&run, &before);
	expect("TLS 1.1", old_tls, XDP_DROP);
	expect("SSH on the web's port", ssh, XDP_DROP);
	expect("TLS 1.2", new_tls, XDP_PASS);
	expect("SSH on its own port", ssh_22, XDP_PASS);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PROTOCOL] == 4 && moved.reasons[XDP_REASON_PASS] == 4,
	      "%llu dropped, %llu passed", moved.reasons[XDP_REASON_PROTOCOL], moved.reasons[XDP_REASON_PASS]);
	CHECK(moved.protocols[PROTOCOL_TLS] == 2 && moved.protocols[PROTOCOL_SSH] == 2, "dropped packets were counted");
	CHECK(counted(3).dropped == 2 && counted(4).dropped == 2, "rules counted %llu, %llu", counted(3).dropped,
	      counted(4).dropped);
	tap_result("a rule drops every packet of its flows, and only those");
}

static void test_rules_monitor(void)
{
	struct protocol_rule dry = below_1_2;
	struct xdp_stats before, moved;

	dry.dry = 1;
	dry.number = 5;
	with_rules(dry, below_1_2);
	xdp_read_stats(&run, &before);
	expect("TLS 1.1", old_tls, XDP_PASS);
	moved = xdp_stats_since(&run, &before);
	CHECK(!moved.reasons[XDP_REASON_PROTOCOL] && moved.protocols[PROTOCOL_TLS] == 2, "dropped %llu, tls %llu",
	      moved.reasons[XDP_REASON_PROTOCOL], moved.protocols[PROTOCOL_TLS]);
	CHECK(counted(5).would_drop == 2 && !counted(5).dropped && counted(3).dropped == 2, "counted %llu, %llu, %llu",
	      counted(5).would_drop, counted(5).dropped, counted(3).dropped);
	tap_result("mode monitor only counts, and the first rule holds");
}

/* A flow that is known is judged by a new policy from its next packet on. */
static void test_rules_reload(void)
{
	static struct frame frame;
	struct packet_spec next = ssh;

	flows_forget();
	xdp_set_policy(&run, on);
	expect("without rules", ssh, XDP_PASS);
	put_rule(0, no_ssh);
	xdp_set_policy(&run, (struct policy){ .drop_invalid = 1, .flows = 1, .n_protocol_rules = 1 });
	next.payload = "zz";
	next.payload_len = 2;
	CHECK(send_segment(&next, &frame) == XDP_DROP, "the new rule does not hold for a known flow");
	xdp_set_policy(&run, on);
	CHECK(send_segment(&next, &frame) == XDP_PASS, "the old rule still holds");
	tap_result("a new policy holds for known flows");
}

/* A version that cannot be read is below every version: a client cannot hide it in pieces. */
static void test_rules_hidden(void)
{
	struct packet_spec spec = old_tls;
	static struct frame frame;
	int i, action = XDP_PASS;

	with_rules(below_1_2, no_ssh);
	spec.payload_len = 9;
	send_segment(&spec, &frame);
	for (i = 0; i < 20 && action == XDP_PASS; i++) {
		seq -= 9;
		action = send_segment(&spec, &frame);
	}
	CHECK(action == XDP_DROP, "passed");
	tap_result("a hidden version is below every version");
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
	xdp_run_open(&run, 0);
	flows_fd = map_of("flows");
	rules_fd = map_of("protocol_rules");
	counts_fd = map_of("rule_counts");
	xdp_set_policy(&run, on);
	test_cases();
	test_no_payload();
	test_counted();
	test_open();
	test_collision();
	test_rules_drop();
	test_rules_monitor();
	test_rules_reload();
	test_rules_hidden();
	test_flood();
	xdp_run_close(&run);
	return tap_end();
}

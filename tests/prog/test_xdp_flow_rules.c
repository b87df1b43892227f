/* SPDX-License-Identifier: MIT */
/* Tests: protocol rules drop the packets of their flows, or count them. */
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flows_test.h"

static int rules_fd, counts_fd;

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

int main(void)
{
	tap_start();
	flows_open();
	rules_fd = map_of("protocol_rules");
	counts_fd = map_of("rule_counts");
	test_rules_drop();
	test_rules_monitor();
	test_rules_reload();
	test_rules_hidden();
	xdp_run_close(&run);
	return tap_end();
}

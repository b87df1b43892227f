/* SPDX-License-Identifier: MIT */
/* Tests: SYNs of a source against what it may make in a second, and what it may have open. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "syn_run.h"
#include "tap.h"

#define HOUR (3600 * 1000000000ULL * BUCKET_TICKS) /* so that no test is long enough for the next one */
#define BURST 3

static struct xdp_run run;
/* BURST at once, then one an hour. */
static const struct policy rated = { .conn_mode = RATE_ENFORCE,
				     .conn_interval = HOUR,
				     .conn_burst = (BURST - 1) * HOUR };
/* As many as they like in a second, five open. */
static const struct policy open5 = {
	.conn_mode = RATE_ENFORCE, .conn_open = 5, .conn_interval = 1, .conn_burst = 1ULL << 62
};

static void expect_segment(const char *source, uint8_t flags, enum xdp_reason reason)
{
	struct packet_spec spec = { .family = strchr(source, ':') ? 6 : 4, .proto = PROTO_TCP, .source = source };
	static struct frame frame;

	syn_build(&spec, flags, 0, &frame);
	xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, reason, NO_PROTOCOL, source);
}

static void expect(const char *source, enum xdp_reason reason)
{
	expect_segment(source, FLAG_SYN, reason);
}

static void set_open(const char *source, int64_t open)
{
	struct opener opener = { .open = open, .born = 1 };
	struct source_key key = source_of(source);
	int map = bpf_object__find_map_fd_by_name(run.object, "openers");

	if (bpf_map_update_elem(map, &key, &opener, BPF_ANY))
		tap_bail("openers: %s", strerror(errno));
}

static void test_off(void)
{
	set_open("192.0.2.1", 1000000);
	xdp_set_policy(&run, (struct policy){ .conn_open = 1 });
	for (int i = 0; i < 3 * BURST; i++)
		expect("192.0.2.1", XDP_REASON_PASS);
	tap_result("off: as many as they like");
}

static void test_rate(void)
{
	static const char *const sources[] = { "192.0.2.1", "192.0.2.2", "2001:db8:0:1::1" };

	xdp_set_policy(&run, rated);
	for (size_t k = 0; k < sizeof(sources) / sizeof(sources[0]); k++) {
		for (int i = 0; i < BURST; i++)
			expect(sources[k], XDP_REASON_PASS);
		expect(sources[k], XDP_REASON_CONNECTIONS);
		expect(sources[k], XDP_REASON_CONNECTIONS);
	}
	expect("2001:db8:0:1:ffff::2", XDP_REASON_CONNECTIONS);
	expect("2001:db8:0:2::1", XDP_REASON_PASS);
	tap_result("a source, an IPv4 address or an IPv6 /64, may make its burst, others theirs");
}

static void test_others_pass(void)
{
	static const uint8_t flags[] = { FLAG_ACK, FLAG_FIN | FLAG_ACK, FLAG_RST, FLAG_SYN | FLAG_ACK };

	for (size_t i = 0; i < sizeof(flags); i++)
		expect_segment("192.0.2.1", flags[i], XDP_REASON_PASS);
	tap_result("what is no SYN passes");
}

static void test_open(void)
{
	xdp_set_policy(&run, open5);
	set_open("198.51.100.9", 4);
	expect("198.51.100.9", XDP_REASON_PASS);
	set_open("198.51.100.9", 5);
	expect("198.51.100.9", XDP_REASON_CONNECTIONS);
	expect("198.51.100.8", XDP_REASON_PASS);
	/* What was forgotten meanwhile may have left too little. */
	set_open("198.51.100.9", -1);
	expect("198.51.100.9", XDP_REASON_PASS);
	tap_result("a source that has all that it may have gets no more");
}

static void test_allow(void)
{
	struct policy policy = open5;

	set_open("203.0.113.9", 5);
	xdp_add_cidr(&run, CIDR_ALLOW, "203.0.113.0", 24);
	policy.has_allow = 1;
	xdp_set_policy(&run, policy);
	expect("203.0.113.9", XDP_REASON_PASS);
	tap_result("sources that are allowed are not limited");
}

static void test_monitor(void)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP, .source = "203.0.113.9" };
	struct policy policy = open5;
	struct xdp_stats before, moved;
	static struct frame frame;

	policy.conn_mode = RATE_MONITOR;
	xdp_set_policy(&run, policy);
	syn_build(&spec, FLAG_SYN, 0, &frame);
	xdp_read_stats(&run, &before);
	CHECK(xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1) == XDP_PASS, "dropped");
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.conn_would_drop == 1 && moved.reasons[XDP_REASON_PASS] == 1, "would drop %llu, passed %llu",
	      moved.conn_would_drop, moved.reasons[XDP_REASON_PASS]);
	tap_result("monitor: counted, and passed");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	test_off();
	test_rate();
	test_others_pass();
	test_open();
	test_allow();
	test_monitor();
	xdp_run_close(&run);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: the limit of packets per source and window, as one CPU sees it. */
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define LIMIT 5
#define MILLISECOND 1000000ULL
#define WAIT_MS 5000	      /* many times as long as the windows that are waited for */
#define LATE 5		      /* windows: within what a CPU may be late */
#define COUNT_MAX 0xffff0000u /* where counting has to have stopped; anything below must count on */
#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define WINDOW(window, count) ((uint64_t)((uint32_t)(window) ^ WINDOW_MARK) << 32 | (uint32_t)(count))

static struct xdp_run run;

static const struct policy limit = { .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = LIMIT };

static struct policy limit_mode(enum rate_mode mode)
{
	struct policy policy = limit;

	policy.rate_mode = mode;
	return policy;
}

static void expect(struct packet_spec spec, const char *source, enum xdp_reason reason)
{
	static struct frame frame;

	spec.source = source;
	packet_build(&spec, &frame);
	xdp_expect(&run, frame.bytes, frame.len, ALL_LINEAR, reason, NO_PROTOCOL, source ? source : spec.name);
}

static void expect_n(struct packet_spec spec, const char *source, int n, enum xdp_reason reason)
{
	while (n--)
		expect(spec, source, reason);
}

static void flood(struct packet_spec spec, const char *source, uint32_t n)
{
	static struct frame frame;

	spec.source = source;
	packet_build(&spec, &frame);
	CHECK(xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, n) >= 0, "test run failed");
}

static void expect_source(const char *source, uint64_t expected)
{
	struct source_key key = source_of(source);
	uint64_t value = 0;

	CHECK(xdp_read_source(&run, &key, &value), "%s: not remembered", source);
	CHECK(value == expected, "%s: window %u count %u, expected window %u count %u", source, (uint32_t)(value >> 32),
	      (uint32_t)value, (uint32_t)(expected >> 32), (uint32_t)expected);
}

static void write_source(const char *source, uint64_t value)
{
	struct source_key key = source_of(source);

	CHECK(xdp_write_source(&run, &key, value), "%s: no room", source);
}

static void test_limit(void)
{
	const struct packet_spec tcp4 = { TCP4 }, tcp6 = { TCP6 };

	xdp_set_policy(&run, limit);
	expect_n(tcp4, "192.0.2.1", LIMIT, XDP_REASON_PASS);
	expect_n(tcp4, "192.0.2.1", 3, XDP_REASON_RATE_LIMIT);
	expect(tcp4, "192.0.2.2", XDP_REASON_PASS);
	expect_source("192.0.2.1", WINDOW(0, LIMIT + 3));
	expect_source("192.0.2.2", WINDOW(0, 1));
	tap_result("n packets of an IPv4 source pass, the next does not, another source's does; all are counted");
	expect_n(tcp6, "2001:db8:0:1::1", LIMIT - 1, XDP_REASON_PASS);
	expect(tcp6, "2001:db8:0:1:ffff::2", XDP_REASON_PASS);
	expect(tcp6, "2001:db8:0:1::1", XDP_REASON_RATE_LIMIT);
	expect(tcp6, "2001:db8:0:1::3", XDP_REASON_RATE_LIMIT);
	expect(tcp6, "2001:db8:0:2::1", XDP_REASON_PASS);
	expect_source("2001:db8:0:1::", WINDOW(0, LIMIT + 2));
	tap_result("an IPv6 /64 is one source");
}

static void test_all_protocols(void)
{
	static const struct packet_spec specs[] = {
		{ TCP4 },
		{ .family = 4, .proto = PROTO_UDP, .tags = { 0x8100 } },
		{ .family = 4, .proto = PROTO_ICMP, .icmp_type = 8 },
		{ .family = 4, .proto = PROTO_UDP, .fragment = 100 },
		{ .family = 4, .proto = 132, .options = 3, .tags = { 0x88a8, 0x8100 } },
	};
	size_t i;

	xdp_set_policy(&run, limit);
	for (i = 0; i < LIMIT; i++)
		expect(specs[i], "192.0.2.10", XDP_REASON_PASS);
	for (i = 0; i < LIMIT; i++)
		expect(specs[i], "192.0.2.10", XDP_REASON_RATE_LIMIT);
	tap_result("every protocol, fragment and tag of a source counts together");
}

static void test_not_ip(void)
{
	xdp_set_policy(&run, limit);
	expect_n((struct packet_spec){ .name = "ARP", .type = 0x0806, .zeros = 28 }, NULL, 4 * LIMIT, XDP_REASON_PASS);
	expect_n((struct packet_spec){ .name = "LLDP", .type = 0x88cc, .zeros = 28 }, NULL, 4 * LIMIT, XDP_REASON_PASS);
	tap_result("what is not IP is not limited");
}

static struct packet_spec icmpv6(uint8_t type, uint8_t hop_limit)
{
	return (struct packet_spec){
		.family = 6, .proto = PROTO_ICMPV6, .icmp_type = type, .hop_limit = hop_limit, .zeros = 16
	};
}

static void test_neighbours(void)
{
	static const uint8_t listener[] = { 130, 131, 132, 143 };
	uint8_t type;
	size_t i;

	xdp_set_policy(&run, limit);
	flood((struct packet_spec){ TCP6 }, "fe80::1", 2 * LIMIT);
	expect((struct packet_spec){ TCP6 }, "fe80::1", XDP_REASON_RATE_LIMIT);
	for (type = 133; type <= 137; type++) {
		expect(icmpv6(type, 255), "fe80::2", XDP_REASON_PASS);
		expect(icmpv6(type, 254), "fe80::2", XDP_REASON_RATE_LIMIT);
	}
	for (i = 0; i < sizeof(listener); i++) {
		expect(icmpv6(listener[i], 1), "fe80::2", XDP_REASON_PASS);
		expect(icmpv6(listener[i], 64), "fe80::2", XDP_REASON_RATE_LIMIT);
	}
	expect(icmpv6(128, 255), "fe80::2", XDP_REASON_RATE_LIMIT);
	expect_n(icmpv6(135, 255), "::", 2 * LIMIT, XDP_REASON_PASS);
	expect_n(icmpv6(143, 1), "::", 2 * LIMIT, XDP_REASON_PASS);
	expect_n(icmpv6(136, 255), "2001:db8:5::1", 2 * LIMIT, XDP_REASON_PASS);
	expect_n(icmpv6(143, 1), "2001:db8:6::1", LIMIT, XDP_REASON_PASS);
	expect(icmpv6(143, 1), "2001:db8:6::1", XDP_REASON_RATE_LIMIT);
	tap_result("a flood from fe80::/64 does not take neighbour and listener discovery from the link");
}

static void test_modes(void)
{
	const struct packet_spec tcp4 = { TCP4 };
	struct source_key key = source_of("192.0.2.30");
	struct xdp_stats before, moved;
	uint64_t value;

	xdp_set_policy(&run, limit_mode(RATE_MONITOR));
	xdp_read_stats(&run, &before);
	flood(tcp4, "192.0.2.20", LIMIT + 7);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] == LIMIT + 7 && moved.would_drop == 7 &&
		      !moved.reasons[XDP_REASON_RATE_LIMIT],
	      "pass %llu, would drop %llu, dropped %llu", moved.reasons[XDP_REASON_PASS], moved.would_drop,
	      moved.reasons[XDP_REASON_RATE_LIMIT]);
	expect_source("192.0.2.20", WINDOW(0, LIMIT + 7));
	tap_result("monitor counts what it would drop, and passes it");
	xdp_set_policy(&run, limit_mode(RATE_OFF));
	expect_n(tcp4, "192.0.2.30", 2 * LIMIT, XDP_REASON_PASS);
	CHECK(!xdp_read_source(&run, &key, &value), "the source is remembered");
	tap_result("off passes everything and remembers no source");
}

static void test_allowed_is_not_counted(void)
{
	struct policy policy = limit;
	struct source_key key = source_of("192.0.2.40");
	uint64_t value;

	policy.has_allow = 1;
	xdp_add_cidr(&run, CIDR_ALLOW, "192.0.2.40", 32);
	xdp_set_policy(&run, policy);
	expect_n((struct packet_spec){ TCP4 }, "192.0.2.40", 2 * LIMIT, XDP_REASON_PASS);
	CHECK(!xdp_read_source(&run, &key, &value), "the source is remembered");
	tap_result("an allowed source is not counted");
}

/* The window in force has number 0, so those before it are -1, -2 … */
static void test_window_moves(void)
{
	const struct packet_spec tcp4 = { TCP4 };

	xdp_set_policy(&run, limit);
	write_source("192.0.2.50", WINDOW(-1, 1000));
	expect_n(tcp4, "192.0.2.50", LIMIT, XDP_REASON_PASS);
	expect(tcp4, "192.0.2.50", XDP_REASON_RATE_LIMIT);
	expect_source("192.0.2.50", WINDOW(0, LIMIT + 1));
	write_source("192.0.2.51", WINDOW(INT32_MIN + 1, 1000));
	expect(tcp4, "192.0.2.51", XDP_REASON_PASS);
	expect_source("192.0.2.51", WINDOW(0, 1));
	tap_result("a new window starts at one");
	write_source("192.0.2.52", WINDOW(LATE, LIMIT - 1));
	expect(tcp4, "192.0.2.52", XDP_REASON_PASS);
	expect(tcp4, "192.0.2.52", XDP_REASON_RATE_LIMIT);
	expect_source("192.0.2.52", WINDOW(LATE, LIMIT + 1));
	tap_result("a late CPU counts in the newer window and does not move it back");
	write_source("192.0.2.53", WINDOW(1000000, 1000));
	expect(tcp4, "192.0.2.53", XDP_REASON_PASS);
	expect_source("192.0.2.53", WINDOW(0, 1));
	tap_result("a window number from windows of another length does not hold a source for ever");
	/* As what a token bucket has left: a time, in which the bits of the window's number happen to be those of this one. */
	write_source("192.0.2.54", WINDOW(0, 1000) & ~((uint64_t)WINDOW_MARK << 32));
	expect(tcp4, "192.0.2.54", XDP_REASON_PASS);
	expect_source("192.0.2.54", WINDOW(0, 1));
	tap_result("a time that looks like this window's number is none");
}

static void test_saturates(void)
{
	const struct packet_spec tcp4 = { TCP4 };
	struct source_key key = source_of("192.0.2.60");
	uint64_t value = 0;

	xdp_set_policy(&run, limit);
	write_source("192.0.2.60", WINDOW(3, COUNT_MAX - 10));
	flood(tcp4, "192.0.2.60", 200000);
	CHECK(xdp_read_source(&run, &key, &value) && value >> 32 == (3 | WINDOW_MARK) && (uint32_t)value >= COUNT_MAX,
	      "window %u count %u", (uint32_t)(value >> 32), (uint32_t)value);
	expect(tcp4, "192.0.2.60", XDP_REASON_RATE_LIMIT);
	write_source("192.0.2.60", WINDOW(3, UINT32_MAX));
	expect(tcp4, "192.0.2.60", XDP_REASON_RATE_LIMIT);
	expect_source("192.0.2.60", WINDOW(3, UINT32_MAX));
	tap_result("the count saturates and does not run over into the window");
}

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MILLISECOND };

	nanosleep(&t, NULL);
}

/* The number of the window now, as another source's packet finds it. */
static uint32_t window_now(void)
{
	struct source_key key = source_of("192.0.2.71");
	uint64_t value = 0;

	flood((struct packet_spec){ TCP4 }, "192.0.2.71", 1);
	if (!xdp_read_source(&run, &key, &value))
		tap_bail("a source is not remembered");
	return value >> 32;
}

/* Until a window begins, so that what comes then comes in one. */
static void wait_window(void)
{
	uint32_t was = window_now();
	int i;

	for (i = 0; window_now() == was; i++) {
		if (i == WAIT_MS)
			tap_bail("no window begins");
		sleep_ms(1);
	}
}

static void test_time(void)
{
	const uint64_t length = 300 * MILLISECOND;
	const struct packet_spec tcp4 = { TCP4 };
	struct policy policy = limit;
	int i;

	policy.window_ns = length;
	xdp_set_policy(&run, policy);
	for (i = 0; i < 2; i++) {
		wait_window();
		expect_n(tcp4, "192.0.2.70", LIMIT, XDP_REASON_PASS);
		expect_n(tcp4, "192.0.2.70", 2, XDP_REASON_RATE_LIMIT);
	}
	tap_result("the next window of the clock passes n packets again");
	policy.window_ns = 1000 * length;
	xdp_set_policy(&run, policy);
	expect(tcp4, "192.0.2.70", XDP_REASON_PASS);
	tap_result("longer windows by a reload begin anew");
}

static void test_extremes(void)
{
	const struct packet_spec tcp4 = { TCP4 };
	struct policy policy = limit;

	policy.packets = UINT32_MAX;
	xdp_set_policy(&run, policy);
	write_source("192.0.2.80", WINDOW(0, UINT32_MAX));
	expect(tcp4, "192.0.2.80", XDP_REASON_PASS);
	policy.packets = 0;
	xdp_set_policy(&run, policy);
	expect(tcp4, "192.0.2.81", XDP_REASON_RATE_LIMIT);
	policy.packets = 1;
	policy.window_ns = 0;
	xdp_set_policy(&run, policy);
	expect_n(tcp4, "192.0.2.82", 3, XDP_REASON_PASS);
	tap_result("the greatest limit limits nothing, none limits all, no window is no limit");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	test_limit();
	test_all_protocols();
	test_not_ip();
	test_neighbours();
	test_modes();
	test_allowed_is_not_counted();
	test_window_moves();
	test_saturates();
	test_time();
	test_extremes();
	xdp_run_close(&run);
	return tap_end();
}

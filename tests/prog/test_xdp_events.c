/* SPDX-License-Identifier: MIT */
/* Tests: what is dropped is recorded, as much as a second may have; every reader sees all of it, and the latest are kept. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>

#include "core/clock.h"
#include "core/events.h"
#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define TCP4 .family = 4, .proto = PROTO_TCP
#define UDP6 .family = 6, .proto = PROTO_UDP

static struct xdp_run run;
static struct maps maps = MAPS_EMPTY;
static struct events events = EVENTS_EMPTY;

/* A second lasts as long as this test wants it to. */
static const struct policy endless = {
	.drop_invalid = 1, .has_deny = 1, .events = UINT32_MAX, .event_jiffies = UINT32_MAX
};

static void offer(struct packet_spec spec, const char *source, uint32_t n)
{
	static struct frame frame;

	spec.source = source;
	packet_build(&spec, &frame);
	if (xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, n) < 0)
		tap_bail("test run failed");
}

static void set_policy(struct policy policy)
{
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.0", 24);
	xdp_add_cidr(&run, CIDR_DENY, "2001:db8:bad::", 48);
	xdp_set_policy(&run, policy);
}

static unsigned int drain(struct events *from, struct event_record *last, uint64_t *missed)
{
	unsigned int n = 0;

	while (events_next(from, last, missed) > 0)
		n++;
	return n;
}

/* The one event that there is. */
static struct event_record only(void)
{
	struct event_record event = {};
	uint64_t missed = 0;
	unsigned int n = drain(&events, &event, &missed);

	CHECK(n == 1 && !missed, "%u events, %lu missed, expected one", n, missed);
	return event;
}

static bool is_address(const struct addr *addr, const char *text)
{
	uint8_t want[16];

	address_parse(text, want);
	return !memcmp(addr->b, want, sizeof(want));
}

static void test_record(void)
{
	int64_t before = clock_ns(CLOCK_BOOTTIME);
	struct event_record e;

	set_policy(endless);
	offer((struct packet_spec){ TCP4, .source_port = 1234, .dest_port = 443, .zeros = 10 }, "203.0.113.9", 1);
	e = only();
	CHECK(e.kind == EVENT_PACKET && e.reason == XDP_REASON_DENIED && !e.detail && !e.flags && !e.rule,
	      "kind %u, reason %u, detail %u, flags %u, rule %u", e.kind, e.reason, e.detail, e.flags, e.rule);
	CHECK(e.family == 4 && e.protocol == PROTO_TCP && is_address(&e.source, "203.0.113.9") &&
		      is_address(&e.dest, "198.51.100.1") && ntohs(e.source_port) == 1234 && ntohs(e.dest_port) == 443,
	      "family %u, protocol %u, ports %u and %u, or an address", e.family, e.protocol, ntohs(e.source_port),
	      ntohs(e.dest_port));
	CHECK(e.len == 64 && e.ifindex == 1, "%u bytes, interface %u", e.len, e.ifindex);
	CHECK((int64_t)e.time >= before && (int64_t)e.time <= clock_ns(CLOCK_BOOTTIME), "time %llu", e.time);
	offer((struct packet_spec){ UDP6, .tags = { 0x8100 } }, "2001:db8:bad::7", 1);
	e = only();
	CHECK(e.family == 6 && e.protocol == PROTO_UDP && is_address(&e.source, "2001:db8:bad::7") &&
		      is_address(&e.dest, "2001:db8:ffff::1") && ntohs(e.dest_port) == 80,
	      "family %u, protocol %u, port %u, or an address", e.family, e.protocol, ntohs(e.dest_port));
	tap_result("a record says who, whereto, what, why and when, both families");
	offer((struct packet_spec){ TCP4, .tcp_flags = 3 }, "192.0.2.1", 1);
	e = only();
	CHECK(e.reason == XDP_REASON_MALFORMED && e.detail == MALFORMED_BAD_TCP_FLAGS && e.family == 4, "reason %u, %u",
	      e.reason, e.detail);
	offer((struct packet_spec){ .type = 0x0800, .payload = "x" }, NULL, 1);
	e = only();
	CHECK(e.detail == MALFORMED_TRUNCATED && !e.family && !e.protocol, "detail %u, family %u", e.detail, e.family);
	tap_result("malformed packets by their kind, with no address where there is none");
	offer((struct packet_spec){ TCP4 }, "192.0.2.1", 5);
	offer((struct packet_spec){ .type = 0x0806, .zeros = 28 }, NULL, 5);
	CHECK(!drain(&events, &e, &(uint64_t){ 0 }), "what passes was recorded");
	tap_result("what passes is not recorded");
}

static void test_would(void)
{
	struct policy policy = endless;
	struct event_record e;

	policy.rate_mode = RATE_MONITOR;
	policy.window_ns = WINDOW_ENDLESS;
	policy.packets = 1;
	policy.drop_invalid = 0;
	set_policy(policy);
	offer((struct packet_spec){ TCP4 }, "192.0.2.10", 2);
	e = only();
	CHECK(e.reason == XDP_REASON_RATE_LIMIT && e.flags == EVENT_WOULD, "reason %u, flags %u", e.reason, e.flags);
	offer((struct packet_spec){ TCP4, .tcp_flags = 1 }, "192.0.2.11", 1);
	e = only();
	CHECK(e.reason == XDP_REASON_MALFORMED && e.flags == EVENT_WOULD, "reason %u, flags %u", e.reason, e.flags);
	tap_result("what would have been dropped is recorded as that");
}

static void test_bound(void)
{
	const struct timespec while_ticks = { .tv_nsec = 60000000 };
	struct policy policy = endless;
	struct xdp_stats before, moved;
	struct event_record e;
	uint64_t missed = 0;
	unsigned int n;

	policy.events = 5;
	set_policy(policy);
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", 1);
	drain(&events, &e, &missed);
	xdp_read_stats(&run, &before);
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", 1000);
	moved = xdp_stats_since(&run, &before);
	/* The second that began before this one had room for all. */
	n = drain(&events, &e, &missed);
	CHECK(n <= 5 && moved.events == n && moved.events_suppressed == 1000 - n, "%u events, %llu, suppressed %llu", n,
	      moved.events, moved.events_suppressed);
	policy.event_jiffies = 1;
	set_policy(policy);
	nanosleep(&while_ticks, NULL);
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", 3);
	n = drain(&events, &e, &missed);
	CHECK(n == 3, "%u events of a new second", n);
	tap_result("no more than so many a second; the others are counted; the next second has as many");
	policy.events = 0;
	set_policy(policy);
	xdp_read_stats(&run, &before);
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", 10);
	moved = xdp_stats_since(&run, &before);
	CHECK(!drain(&events, &e, &missed) && !moved.events && !moved.events_suppressed, "%llu, %llu", moved.events,
	      moved.events_suppressed);
	tap_result("none when none are wanted, and none counted");
}

static void test_readers(void)
{
	struct events second = EVENTS_EMPTY;
	struct event_record e = {}, f = {};
	uint64_t missed = 0, head = events.gates->head;
	unsigned int n;

	set_policy(endless);
	if (events_open(&maps, &second) < 0)
		tap_bail("cannot map the events");
	drain(&second, &f, &missed);
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", 100);
	n = drain(&events, &e, &missed);
	CHECK(n == 100 && e.number == head + 100, "%u events, the last is %llu", n, e.number);
	n = drain(&second, &f, &missed);
	CHECK(n == 100 && f.number == e.number && !missed, "%u events, the last is %llu, missed %lu", n, f.number,
	      missed);
	tap_result("two readers see the same events");
	offer((struct packet_spec){ TCP4 }, "203.0.113.1", MPBPF_EVENTS_MAX + 500);
	n = drain(&events, &e, &missed);
	CHECK(n == MPBPF_EVENTS_MAX && missed == 500 && e.number == head + 100 + MPBPF_EVENTS_MAX + 500,
	      "%u events, missed %lu, the last is %llu", n, missed, e.number);
	events_close(&second);
	missed = 0;
	if (events_open(&maps, &second) < 0)
		tap_bail("cannot map the events");
	n = drain(&second, &f, &missed);
	CHECK(n == MPBPF_EVENTS_MAX && !missed && f.number == e.number, "%u events, missed %lu", n, missed);
	events_close(&second);
	tap_result("the latest are kept, and a reader is told what it missed");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	if (maps_of_object(run.object, &maps) < 0 || events_open(&maps, &events) < 0)
		tap_bail("cannot map the events");
	test_record();
	test_would();
	test_bound();
	test_readers();
	events_close(&events);
	maps_close(&maps);
	xdp_run_close(&run);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: the SYN guard answers SYNs as the stack would, lets what belongs to a connection pass, and drops the rest. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "syn_run.h"
#include "tap.h"

#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define RATE 40

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct xdp_run run;

/* Each with an MSS, of which the cookie keeps one from a table of the kernel's; 0: no option. */
static const struct shape {
	struct packet_spec spec;
	uint16_t mss, mss_back;
} shapes[] = {
	{ { .name = "IPv4", TCP4, .tcp_options = 1 }, 1460, 1460 },
	{ { .name = "IPv4, ten words of options", TCP4, .tcp_options = 10 }, 1400, 1300 },
	{ { .name = "IPv4 without options", TCP4 }, 0, 536 },
	{ { .name = "IPv4 with IP options", TCP4, .options = 10, .tcp_options = 1 }, 1460, 1460 },
	{ { .name = "IPv4, VLAN", .tags = { 0x8100 }, TCP4, .tcp_options = 1 }, 1460, 1460 },
	{ { .name = "IPv4, QinQ", .tags = { 0x88a8, 0x8100 }, TCP4, .tcp_options = 1 }, 1460, 1460 },
	{ { .name = "IPv4 with bytes", TCP4, .tcp_options = 1, .payload = "early", .zeros = 700 }, 1460, 1460 },
	{ { .name = "IPv6", TCP6, .tcp_options = 1 }, 1440, 1440 },
	{ { .name = "IPv6 without options", TCP6 }, 0, 1220 },
	{ { .name = "IPv6, VLAN", .tags = { 0x8100 }, TCP6, .tcp_options = 5 }, 1440, 1440 },
	{ { .name = "IPv6, QinQ", .tags = { 0x88a8, 0x8100 }, TCP6, .tcp_options = 10 }, 1440, 1440 },
	{ { .name = "IPv6 with extension headers",
	    TCP6,
	    .extensions = { EXT(PROTO_HOPOPTS, 1), EXT(PROTO_DSTOPTS, 0), EXT_FRAGMENT(0) },
	    .tcp_options = 1 },
	  1440,
	  1440 },
};

static void policy_set(uint8_t mode, uint32_t rate)
{
	xdp_set_policy(&run, (struct policy){ .drop_invalid = 1, .syn_mode = mode, .syn_rate = rate });
}

/* The counters that a frame moves: one of the reasons, or none for `validated`. */
static void expect(const struct frame *frame, enum xdp_reason reason, bool validated, const char *what)
{
	static const int actions[XDP_REASON_MAX] = {
		[XDP_REASON_PASS] = XDP_PASS, [XDP_REASON_SYN_COOKIE] = XDP_TX, [XDP_REASON_SYN_GUARD] = XDP_DROP
	};
	struct xdp_stats before, moved;
	static struct answer answer;

	xdp_read_stats(&run, &before);
	syn_run(&run, frame, ALL_LINEAR, 1, &answer);
	moved = xdp_stats_since(&run, &before);
	CHECK(answer.action == actions[reason], "%s: action %d", what, answer.action);
	CHECK(moved.packets == 1 && moved.reasons[reason] == 1, "%s: not counted as %d", what, reason);
	CHECK(moved.syn_validated == validated, "%s: validated %llu", what, moved.syn_validated);
	if (answer.action != XDP_TX)
		CHECK(answer.len == frame->len && !memcmp(answer.bytes, frame->bytes, frame->len), "%s: changed", what);
}

static void expect_flags(const struct packet_spec *spec, uint8_t flags, enum xdp_reason reason, const char *what)
{
	static struct frame frame;

	syn_build(spec, flags, 0, &frame);
	expect(&frame, reason, false, what);
}

static void expect_syn(struct packet_spec spec, enum xdp_reason reason, const char *what)
{
	expect_flags(&spec, FLAG_SYN, reason, what);
}

static void test_off(void)
{
	policy_set(SYN_OFF, 1);
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_PASS, "SYN");
	expect_flags(&(struct packet_spec){ TCP6 }, FLAG_ACK, XDP_REASON_PASS, "ACK");
	tap_result("off: everything passes");
}

static void test_answers(void)
{
	static struct frame frame;
	static struct answer answer;

	policy_set(SYN_ALWAYS, 1);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];

		syn_build(&s->spec, FLAG_SYN, s->mss, &frame);
		syn_run(&run, &frame, ALL_LINEAR, 1, &answer);
		syn_check_answer(&answer, &frame, s->mss_back, s->spec.name);
		expect(&frame, XDP_REASON_SYN_COOKIE, false, s->spec.name);
	}
	tap_result(
		"a SYN is answered byte by byte as it should be, both families, tags, options and extension headers");
}

static void test_round_trip(void)
{
	static struct frame syn, ack;
	static struct answer answer;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];

		syn_build(&s->spec, FLAG_SYN, s->mss, &syn);
		syn_run(&run, &syn, ALL_LINEAR, 1, &answer);
		syn_acknowledge(&answer, &syn, 0, &ack);
		expect(&ack, XDP_REASON_PASS, true, s->spec.name);
		/* Not by one: the next cookie may stand for the same SYN with another MSS. */
		syn_acknowledge(&answer, &syn, 0x100, &ack);
		expect(&ack, XDP_REASON_SYN_GUARD, false, s->spec.name);
		syn_acknowledge(&answer, &syn, 0, &ack);
		ack.bytes[ack.l4] ^= 1;
		expect(&ack, XDP_REASON_SYN_GUARD, false, "the cookie of another port");
	}
	tap_result("a handshake with the cookie passes, any other is dropped");
}

static void test_linear(void)
{
	static struct frame syn;
	static struct answer answer;
	const struct packet_spec spec = {
		.tags = { 0x8100 }, TCP6, .tcp_options = 2, .payload = "early", .zeros = 2000
	};

	syn_build(&spec, FLAG_SYN, 1440, &syn);
	for (size_t linear = FRAME_LEAST; linear < 120; linear += 7) {
		syn_run(&run, &syn, linear, 1, &answer);
		if (answer.action == -EINVAL) {
			tap_skip("any linear part", "this kernel does not let a test run choose it");
			return;
		}
		syn_check_answer(&answer, &syn, 1440, "linear");
	}
	tap_result("any linear part");
}

static void test_strays(void)
{
	static const uint8_t flags[] = { FLAG_ACK, FLAG_RST, FLAG_SYN | FLAG_ACK, FLAG_RST | FLAG_ACK,
					 FLAG_FIN | FLAG_ACK };

	for (size_t i = 0; i < sizeof(flags); i++) {
		expect_flags(&(struct packet_spec){ TCP4 }, flags[i], XDP_REASON_SYN_GUARD, "IPv4");
		expect_flags(&(struct packet_spec){ TCP6 }, flags[i], XDP_REASON_SYN_GUARD, "IPv6");
	}
	tap_result("segments of no connection are dropped");
}

static void test_not_ours(void)
{
	expect_syn((struct packet_spec){ TCP4, .dest_port = 81 }, XDP_REASON_PASS, "nobody listens");
	expect_flags(&(struct packet_spec){ TCP4, .dest_port = 81 }, FLAG_ACK, XDP_REASON_PASS, "nobody listens, ACK");
	expect_syn((struct packet_spec){ TCP4, .fragment = 0x2000, .zeros = 8 }, XDP_REASON_PASS, "a fragment");
	expect_syn((struct packet_spec){ TCP6, .extensions = { EXT(PROTO_ROUTING, 0) } }, XDP_REASON_PASS, "routed");
	expect_syn((struct packet_spec){ TCP6, .extensions = { EXT(PROTO_AH, 4) } }, XDP_REASON_PASS, "authenticated");
	syn_link_set(&run, (const uint8_t[6]){ 2, 0, 0, 0, 0, 9 });
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_PASS, "for another station");
	expect_flags(&(struct packet_spec){ TCP4 }, FLAG_ACK, XDP_REASON_PASS, "for another station, ACK");
	syn_link_set(&run, our_mac);
	tap_result("what the guard is not for passes");
}

/* A frame for an address that is not this host's. */
static void expect_elsewhere(struct packet_spec spec, enum xdp_reason reason, const char *what)
{
	static struct frame frame;

	syn_build(&spec, FLAG_SYN, 0, &frame);
	frame.bytes[frame.l3 + (spec.family == 4 ? 19 : 39)] = 77;
	expect(&frame, reason, false, what);
}

static void test_forwarded(void)
{
	syn_sysctl("ipv4/conf/lo/forwarding", "1");
	syn_sysctl("ipv6/conf/lo/forwarding", "1");
	expect_elsewhere((struct packet_spec){ TCP4 }, XDP_REASON_PASS, "IPv4 to be forwarded");
	expect_elsewhere((struct packet_spec){ TCP6 }, XDP_REASON_PASS, "IPv6 to be forwarded");
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_SYN_COOKIE, "IPv4 for this host");
	expect_syn((struct packet_spec){ TCP6 }, XDP_REASON_SYN_COOKIE, "IPv6 for this host");
	syn_sysctl("ipv4/conf/lo/forwarding", "0");
	syn_sysctl("ipv6/conf/lo/forwarding", "0");
	tap_result("a router answers for itself alone");
}

static void test_connection(int listener)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(40001) },
			   to = { .sin_family = AF_INET, .sin_port = htons(PORT_SERVED) };
	const struct packet_spec spec = { TCP4, .source_port = 40001 };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	inet_pton(AF_INET, "192.0.2.1", &from.sin_addr);
	inet_pton(AF_INET, "198.51.100.1", &to.sin_addr);
	if (bind(client, (void *)&from, sizeof(from)) || connect(client, (void *)&to, sizeof(to)))
		tap_bail("cannot connect: %s", strerror(errno));
	server = accept(listener, NULL, NULL);
	expect_flags(&spec, FLAG_ACK, XDP_REASON_PASS, "an open connection");
	expect_flags(&spec, FLAG_RST, XDP_REASON_PASS, "its reset");
	expect_flags(&spec, FLAG_SYN, XDP_REASON_PASS, "a SYN on it");
	/* The server closes first: TIME_WAIT is on its side. */
	close(server);
	close(client);
	expect_flags(&spec, FLAG_ACK, XDP_REASON_PASS, "TIME_WAIT");
	expect_flags(&spec, FLAG_SYN, XDP_REASON_PASS, "a SYN in TIME_WAIT");
	tap_result("connections are left alone, and so is TIME_WAIT");
}

static void test_ports(void)
{
	struct syn_port_key key = { .generation = run.generation + 1, .port = htons(PORT_SERVED) };
	int map = bpf_object__find_map_fd_by_name(run.object, "syn_ports");
	struct policy policy = { .syn_mode = SYN_ALWAYS, .syn_named = 1 };
	uint32_t value = 1;

	CHECK(!bpf_map_update_elem(map, &key, &value, BPF_ANY), "syn_ports: %s", strerror(errno));
	xdp_set_policy(&run, policy);
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_SYN_COOKIE, "named");
	xdp_set_policy(&run, policy);
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_PASS, "not named");
	expect_flags(&(struct packet_spec){ TCP4 }, FLAG_ACK, XDP_REASON_PASS, "not named, ACK");
	tap_result("where ports are named, these alone are guarded");
}

static void test_stack(int listener)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT_SERVED),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	policy_set(SYN_ALWAYS, 1);
	syn_sysctl("ipv4/tcp_syncookies", "1");
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_PASS, "tcp_syncookies is 1");
	syn_sysctl("ipv4/tcp_syncookies", "2");
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_SYN_COOKIE, "tcp_syncookies is 2");
	listen(listener, 0);
	if (connect(client, (void *)&to, sizeof(to)))
		tap_bail("cannot connect: %s", strerror(errno));
	expect_syn((struct packet_spec){ TCP4 }, XDP_REASON_SYN_GUARD, "the service accepts nothing");
	close(client);
	close(accept(listener, NULL, NULL));
	listen(listener, 16);
	tap_result("without a cookie of the stack's: passed, or dropped where the stack would drop it");
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Early in a second, so that what follows is in one. */
static void await_second(void)
{
	while (now() % 1000000000 > 300000000)
		usleep(20000);
}

static void test_auto(void)
{
	static struct frame syn, ack;
	static struct answer answer;
	struct syn_state state = {};

	policy_set(SYN_AUTO, RATE);
	syn_state_set(&run, &state);
	syn_build(&(struct packet_spec){ TCP4 }, FLAG_SYN, 0, &syn);
	syn_build(&(struct packet_spec){ TCP4 }, FLAG_ACK, 0, &ack);
	await_second();
	syn_run(&run, &syn, ALL_LINEAR, RATE, &answer);
	CHECK(answer.action == XDP_PASS, "action %d within the rate", answer.action);
	expect(&ack, XDP_REASON_PASS, false, "ACK before");
	CHECK(!syn_state_get(&run).until, "active within the rate");
	expect(&syn, XDP_REASON_SYN_COOKIE, false, "one more SYN");
	expect(&ack, XDP_REASON_SYN_GUARD, false, "ACK then");
	state = syn_state_get(&run);
	CHECK(state.until > now() + 9000000000 && state.until < now() + 10000000000, "until %llu", state.until);
	/* Another second, with no more than half of the rate: nothing is prolonged. */
	state = (struct syn_state){ .until = now() + 2000000000 };
	syn_state_set(&run, &state);
	await_second();
	for (int i = 0; i < RATE / 2; i++)
		expect(&syn, XDP_REASON_SYN_COOKIE, false, "still active");
	CHECK(syn_state_get(&run).until == state.until, "half of the rate prolongs it");
	expect(&syn, XDP_REASON_SYN_COOKIE, false, "more than half");
	CHECK(syn_state_get(&run).until > state.until, "more than half of the rate does not prolong it");
	syn_state_set(&run, &(struct syn_state){ .until = now() - 1 });
	expect(&ack, XDP_REASON_PASS, false, "ACK at rest");
	expect(&syn, XDP_REASON_PASS, false, "SYN at rest");
	tap_result("auto: active above the rate, and as long as more than half of it comes");
}

static void test_mtu(void)
{
	static struct frame syn;
	static struct answer answer;

	policy_set(SYN_ALWAYS, 1);
	if (system("ip link set lo mtu 1300"))
		tap_bail("cannot set the MTU");
	syn_build(&(struct packet_spec){ TCP4, .tcp_options = 1 }, FLAG_SYN, 1460, &syn);
	syn_run(&run, &syn, ALL_LINEAR, 1, &answer);
	syn_check_answer(&answer, &syn, 1260, "MTU 1300");
	tap_result("the MSS is what the interface can receive");
}

int main(void)
{
	int listener;

	tap_start();
	listener = syn_net_open();
	xdp_run_open(&run, 0);
	syn_link_set(&run, our_mac);
	test_off();
	test_answers();
	test_round_trip();
	test_linear();
	test_strays();
	test_not_ours();
	test_forwarded();
	test_connection(listener);
	test_ports();
	test_stack(listener);
	test_auto();
	test_mtu();
	xdp_run_close(&run);
	return tap_end();
}

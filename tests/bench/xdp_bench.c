/* SPDX-License-Identifier: MIT */
/*
 * Bench: ns per packet of xdp_ingress as BPF_PROG_TEST_RUN measures them, its own cost included, and the memory of
 * `sources`. Usage: xdp_bench [ROUNDS [REPEAT]]. Two figures each: the median of the rounds, and the least, which is nearer to what the
 * program takes itself when the machine has other work to do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/prog/packets.h"
#include "tests/prog/syn_run.h"
#include "tests/prog/tap.h"
#include "tests/prog/xdp_front.h"
#include "tests/prog/xdp_run.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define ROUNDS_MAX 101
#define SOURCES 1000
#define LEASE 25  /* of the default limit, with two CPUs */
#define CHARGE 50 /* of that */
#define GET "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
#define BROWSER                                                                                              \
	"GET /chat HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"         \
	"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, " \
	"like Gecko) Chrome/120.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://www.example.com\r\n"
#define HELLO "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03"

/* clang-format off */
static const struct policy off = { .drop_invalid = 1 };
static const struct policy limit = {
	.rate_mode = RATE_ENFORCE, .window_ns = 1000000000, .packets = UINT32_MAX, .lease = LEASE, .charge = CHARGE, .drop_invalid = 1
};
/* The defaults of a configuration: the limit, and flows. */
static const struct policy flows = {
	.rate_mode = RATE_ENFORCE, .window_ns = 1000000000, .packets = UINT32_MAX, .lease = LEASE, .charge = CHARGE, .drop_invalid = 1, .flows = 1, GRPC_DEFAULT
};
static const struct policy tight = {
	.rate_mode = RATE_ENFORCE, .window_ns = 1000000000, .packets = 1, .lease = 1, .drop_invalid = 1
};
static const struct policy deny = {
	.rate_mode = RATE_ENFORCE, .window_ns = 1000000000, .packets = UINT32_MAX, .lease = LEASE, .charge = CHARGE, .drop_invalid = 1, .has_deny = 1
};

/* All that has no cost per request configured: a deny list of others, connections of a source, the SYN guard at rest, events. */
static const struct policy all = {
	.rate_mode = RATE_ENFORCE, .window_ns = 1000000000, .packets = UINT32_MAX, .lease = LEASE, .charge = CHARGE, .drop_invalid = 1, .has_deny = 1,
	.flows = 1, GRPC_DEFAULT, .syn_mode = SYN_AUTO, .syn_rate = 1000, .conn_mode = RATE_ENFORCE, .conn_open = 1000,
	.conn_interval = 1, .conn_burst = UINT32_MAX, .events = 100, .event_jiffies = 250
};

static const struct bench {
	struct packet_spec spec;	/* its name is the line's */
	const struct policy *policy;
	const char *deny;		/* an address in the deny list */
	int action;
} benches[] = {
	{ { .name = "pass, no limit", .family = 4, .proto = PROTO_TCP }, &off, NULL, XDP_PASS },
	{ { .name = "pass, limit, one source", .family = 4, .proto = PROTO_TCP }, &limit, NULL, XDP_PASS },
	{ { .name = "pass, limit, one source, IPv6", .family = 6, .proto = PROTO_TCP }, &limit, NULL, XDP_PASS },
	{ { .name = "pass, limit, one source, QinQ", .tags = { 0x88a8, 0x8100 }, .family = 4, .proto = PROTO_UDP },
	  &limit, NULL, XDP_PASS },
	{ { .name = "pass, limit, deny list of another", .family = 4, .proto = PROTO_TCP }, &deny, "203.0.113.7",
	  XDP_PASS },
	{ { .name = "drop, deny list", .family = 4, .proto = PROTO_TCP }, &deny, "192.0.2.1", XDP_DROP },
	{ { .name = "drop, over the limit", .family = 4, .proto = PROTO_TCP }, &tight, NULL, XDP_DROP },
	{ { .name = "pass, TLS application data", .family = 4, .proto = PROTO_TCP, .dest_port = 443,
	    .payload = "\x17\x03\x03", .zeros = 1400 }, &limit, NULL, XDP_PASS },
	{ { .name = "pass, TLS ClientHello", .family = 4, .proto = PROTO_TCP, .dest_port = 443,
	    .payload = "\x16\x03\x01\x02\x00\x01", .payload_len = 6 }, &limit, NULL, XDP_PASS },
	{ { .name = "pass, HTTP GET of curl", .family = 4, .proto = PROTO_TCP, .payload = GET },
	  &limit, NULL, XDP_PASS },
	{ { .name = "pass, HTTP GET, WebSocket of a browser", .family = 4, .proto = PROTO_TCP, .payload = BROWSER },
	  &limit, NULL, XDP_PASS },
	{ { .name = "pass, flows, no payload", .family = 4, .proto = PROTO_TCP }, &flows, NULL, XDP_PASS },
	{ { .name = "pass, flows, TLS ClientHello", .family = 4, .proto = PROTO_TCP, .dest_port = 443,
	    .payload = HELLO, .payload_len = sizeof(HELLO) - 1 }, &flows, NULL, XDP_PASS },
	{ { .name = "pass, flows, TLS application data", .family = 4, .proto = PROTO_TCP, .dest_port = 443,
	    .payload = "\x17\x03\x03", .zeros = 1400 }, &flows, NULL, XDP_PASS },
	{ { .name = "pass, flows, IPv6, HTTP GET of curl", .family = 6, .proto = PROTO_TCP, .payload = GET },
	  &flows, NULL, XDP_PASS },
	{ { .name = "pass, flows, HTTP GET of curl", .family = 4, .proto = PROTO_TCP, .payload = GET },
	  &flows, NULL, XDP_PASS },
	{ { .name = "pass, all on", .family = 4, .proto = PROTO_TCP }, &all, "203.0.113.7", XDP_PASS },
	{ { .name = "pass, all on, IPv6", .family = 6, .proto = PROTO_TCP }, &all, "203.0.113.7", XDP_PASS },
	{ { .name = "pass, all on, TLS application data", .family = 4, .proto = PROTO_TCP, .dest_port = 443,
	    .payload = "\x17\x03\x03", .zeros = 1400 }, &all, "203.0.113.7", XDP_PASS },
	{ { .name = "drop, all on, deny list", .family = 4, .proto = PROTO_TCP }, &all, "192.0.2.1", XDP_DROP },
	{ { .name = "pass, flows, HTTP GET of a browser", .family = 4, .proto = PROTO_TCP, .payload = BROWSER },
	  &flows, NULL, XDP_PASS },
};
/* clang-format on */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, n, sizeof(*values), compare);
	return n & 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void print_figures(const char *name, double *ns, int n)
{
	double middle = median(ns, n);

	printf("%-58s %6.0f %6.0f\n", name, middle, ns[0]);
}

static void prepare(struct xdp_run *run, const struct bench *bench, struct frame *frame)
{
	packet_build(&bench->spec, frame);
	frame_pad(frame);
	if (bench->deny)
		xdp_add_cidr(run, CIDR_DENY, bench->deny, 32);
	xdp_set_policy(run, *bench->policy);
	/* Twice: the first of a limit of one packet still passes. */
	xdp_run_frame(run, frame->bytes, frame->len, ALL_LINEAR, 2);
}

static void bench_one(struct xdp_run *run, const struct bench *bench, int rounds, uint32_t repeat)
{
	double ns[ROUNDS_MAX];
	struct frame frame;
	uint32_t one;
	int i, action;

	prepare(run, bench, &frame);
	for (i = 0; i < rounds; i++) {
		action = xdp_time_frame(run, frame.bytes, frame.len, repeat, &one);
		if (action != bench->action)
			tap_bail("%s: action %d, expected %d", bench->spec.name, action, bench->action);
		ns[i] = one;
	}
	print_figures(bench->spec.name, ns, rounds);
}

/*
 * Each source in its turn: cold for its first packet, warm for the rest. One round is a thousand measurements as it is.
 */
static void bench_sources(struct xdp_run *run, uint32_t repeat)
{
	struct packet_spec spec = { .name = "pass, limit, 1000 sources", .family = 4, .proto = PROTO_TCP };
	double ns[SOURCES];
	struct frame frame;
	uint32_t one, i;

	packet_build(&spec, &frame);
	frame_pad(&frame);
	xdp_set_policy(run, limit);
	for (i = 0; i < SOURCES; i++) {
		frame.bytes[frame.l3 + 14] = i >> 8;
		frame.bytes[frame.l3 + 15] = i;
		if (xdp_time_frame(run, frame.bytes, frame.len, repeat / SOURCES, &one) != XDP_PASS)
			tap_bail("%s: dropped", spec.name);
		ns[i] = one;
	}
	print_figures(spec.name, ns, SOURCES);
}

/* Packets of `n` sources by turns, what tells them apart among it. Known sources: each came once before. */
static void bench_spread(struct xdp_front *front, uint32_t n, const char *more, int rounds, uint32_t repeat)
{
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP };
	double ns[ROUNDS_MAX];
	struct frame frame;
	uint32_t one;
	char name[64];

	xdp_front_spread(front, n);
	packet_build(&spec, &frame);
	frame_pad(&frame);
	snprintf(name, sizeof(name), "pass, limit, by turns of %u sources%s", n, more);
	for (int i = -1; i < rounds; i++) {
		if (xdp_time_frame(&front->run, frame.bytes, frame.len, i < 0 ? n : repeat, &one) != XDP_PASS)
			tap_bail("%s: dropped", name);
		if (i >= 0)
			ns[i] = one;
	}
	print_figures(name, ns, rounds);
}

static void bench_growth(struct xdp_run *run, struct xdp_front *front, int rounds, uint32_t repeat)
{
	static const uint32_t sources[] = { 1, 1000, 1000000 };
	struct policy policy = limit;

	xdp_set_policy(run, policy);
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		bench_spread(front, sources[i], "", rounds, repeat);
	policy.charge = 0;
	xdp_set_policy(run, policy);
	for (size_t i = 1; i < sizeof(sources) / sizeof(*sources); i++)
		bench_spread(front, sources[i], ", each looked up", rounds, repeat);
}

/* In a network namespace of its own, for a cookie needs a socket that listens. The answer is written over the SYN: resent, it is one again. */
static void bench_cookies(struct xdp_run *run, struct xdp_front *front, int rounds, uint32_t repeat)
{
	const struct packet_spec spec = { .family = 4, .proto = PROTO_TCP, .tcp_options = 2 };
	const char *name = "answer, SYN cookie";
	int listener = syn_net_open();
	struct policy policy = all;
	double ns[ROUNDS_MAX];
	struct frame frame;
	uint32_t one;

	syn_link_set(run, (const uint8_t[6]){ 2, 0, 0, 0, 0, 1 });
	policy.syn_mode = SYN_ALWAYS;
	xdp_set_policy(run, policy);
	syn_build(&spec, FLAG_SYN, 1460, &frame);
	xdp_front_resend(front, &frame);
	for (int i = 0; i < rounds; i++) {
		if (xdp_time_frame(&front->run, frame.bytes, frame.len, repeat, &one) != XDP_TX)
			tap_bail("%s: not answered", name);
		ns[i] = one;
	}
	print_figures(name, ns, rounds);
	close(listener);
}

static void print_memory(const struct xdp_run *run)
{
	unsigned long long bytes = xdp_map_memory(run->sources);

	printf("%-58s %4.1f MB, %.1f bytes an entry\n", "memory of sources", bytes / 1e6,
	       (double)bytes / MPBPF_SOURCES_MAX);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 7;
	uint32_t repeat = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	struct xdp_front front;
	struct xdp_run run;
	size_t i;

	if (rounds < 1 || rounds > ROUNDS_MAX || repeat < SOURCES) {
		fprintf(stderr, "usage: xdp_bench [ROUNDS [REPEAT]], 1 to %d rounds of at least %d\n", ROUNDS_MAX,
			SOURCES);
		return 2;
	}
	xdp_run_open(&run, 0);
	printf("%-58s %6s %6s\n", "xdp_ingress, ns per packet", "median", "least");
	for (i = 0; i < sizeof(benches) / sizeof(*benches); i++)
		bench_one(&run, &benches[i], rounds, repeat);
	bench_sources(&run, repeat);
	xdp_front_open(&run, &front);
	bench_growth(&run, &front, rounds, repeat);
	print_memory(&run);
	bench_cookies(&run, &front, rounds, repeat);
	xdp_front_close(&front);
	xdp_run_close(&run);
	return 0;
}

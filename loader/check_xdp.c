// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, XDP: loaded, run on frames by the kernel's test run, attached to veth and sent real frames. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "core/stats.h"
#include "core/util.h"
#include "loader/check.h"
#include "loader/check_net.h"
#include "mpbpf.skel.h"

#define IFACE "check0"
#define PEER "check1"
#define GOOD "198.51.100.7"  /* TEST-NET-2 (RFC 5737) */
#define DENIED "203.0.113.7" /* in CHECK_DENIED */
#define ROUND_MS 50

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	char payload[32];
} __attribute__((packed));

static uint16_t ip_checksum(const struct iphdr *ip)
{
	const uint16_t *words = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* A UDP datagram to nobody; its sum of 0 stands for none (RFC 768). */
static struct frame make_frame(const char *source)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct frame frame = {
		.eth = { .h_dest = { 0x02, 0, 0, 0, 0, 1 },
			 .h_source = { 0x02, 0, 0, 0, 0, 2 },
			 .h_proto = htons(ETH_P_IP) },
		.udp = { .source = htons(4000),
			 .dest = htons(4001),
			 .len = htons(sizeof(struct udphdr) + sizeof(frame.payload)) },
		.payload = "mpbpf check",
	};

	ip.tot_len = htons(sizeof(frame) - sizeof(frame.eth));
	ip.saddr = inet_addr(source);
	ip.daddr = inet_addr("192.0.2.1");
	ip.check = ip_checksum(&ip);
	frame.ip = ip;
	return frame;
}

int check_xdp_load(struct check *c)
{
	int r = check_instance_load(c, false, &c->xdp);

	return r < 0 ? r : check_ok(c, "xdp_ingress passes the verifier");
}

/* The program's verdict on one frame, or -errno. */
static int run_on(const struct check *c, struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(*frame), .repeat = 1);
	int r = bpf_prog_test_run_opts(bpf_program__fd(c->xdp.object->progs.xdp_ingress), &opts);

	return r < 0 ? r : (int)opts.retval;
}

int check_xdp_verdict(struct check *c)
{
	struct frame malformed = make_frame(GOOD);
	struct {
		const char *what;
		struct frame frame;
		int want;
	} cases[] = {
		{ "a good packet", make_frame(GOOD), XDP_PASS },
		{ "a malformed packet", malformed, XDP_DROP },
		{ "a packet from the deny list", make_frame(DENIED), XDP_DROP },
	};

	cases[1].frame.ip.ihl = 4;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int got = run_on(c, &cases[i].frame);

		if (got < 0)
			return check_fail(c, "test run: %s", strerror(-got));
		if (got != cases[i].want)
			return check_fail(c, "%s got verdict %d, not %d", cases[i].what, got, cases[i].want);
	}
	return check_ok(c, "a good packet passes; a malformed one and one from the deny list are dropped");
}

static int make_veth(struct check *c)
{
	int r;

	if (c->veth)
		return 0;
	r = net_veth(IFACE, PEER);
	if (r == 0)
		r = net_up(IFACE);
	if (r == 0)
		r = net_up(PEER);
	if (r < 0)
		return check_fail(c, "a veth pair to try it on: %s", strerror(-r));
	c->veth = true;
	return 0;
}

/* What came out behind the program so far. */
struct seen {
	unsigned int good, denied;
};

static void look(int fd, struct seen *seen)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	struct frame frame;
	ssize_t n;

	for (;;) {
		n = recvfrom(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&from, &len);
		if (n < 0)
			return;
		if (n != sizeof(frame) || from.sll_pkttype == PACKET_OUTGOING || frame.udp.dest != htons(4001))
			continue;
		seen->good += frame.ip.saddr == inet_addr(GOOD);
		seen->denied += frame.ip.saddr == inet_addr(DENIED);
	}
}

static uint64_t denied_count(const struct check *c)
{
	struct stats stats;

	return stats_read(&c->xdp.maps, &stats) < 0 ? 0 : stats.xdp.reasons[XDP_REASON_DENIED];
}

/*
 * Sends one frame that is to be dropped and one that is to pass until both have shown: a link that has just come up
 * loses some. 0; -ENODATA: they pass uncounted; -errno when nothing can be sent.
 */
static int exchange(const struct check *c, int in, int out, struct seen *ret)
{
	struct frame denied = make_frame(DENIED), good = make_frame(GOOD);
	int64_t end = clock_ns(CLOCK_MONOTONIC) + CHECK_IO_MS * 1000000LL;
	struct pollfd p = { .fd = in, .events = POLLIN };
	uint64_t before = denied_count(c);

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		if (send(out, &denied, sizeof(denied), 0) < 0 || send(out, &good, sizeof(good), 0) < 0)
			return -errno;
		poll(&p, 1, ROUND_MS);
		look(in, ret);
		if (ret->denied || (ret->good && denied_count(c) > before))
			break;
	}
	return denied_count(c) > before || !ret->good ? 0 : -ENODATA;
}

/* With the program attached. */
static int try_frames(struct check *c)
{
	_cleanup_close_ int in = -1, out = -1;
	struct seen seen = {};
	int r;

	r = net_packet_socket(IFACE, &in);
	if (r == 0)
		r = net_packet_socket(PEER, &out);
	if (r == 0)
		r = exchange(c, in, out, &seen);
	if (r == -ENODATA)
		return check_fail(c, "attached, but frames pass it by uncounted");
	if (r < 0)
		return check_fail(c, "sending frames: %s", strerror(-r));
	if (seen.denied)
		return check_fail(c, "attached, but a denied frame came through");
	if (!seen.good)
		return check_fail(c, "attached, but no frame came through");
	return check_ok(c, "attached to a veth pair by a link: real frames are counted, passed and dropped");
}

static int try_mode(struct check *c, unsigned int flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	_cleanup_close_ int link = -1;
	int r;

	r = make_veth(c);
	if (r < 0)
		return r;
	link = bpf_link_create(bpf_program__fd(c->xdp.object->progs.xdp_ingress), if_nametoindex(IFACE), BPF_XDP,
			       &opts);
	if (link < 0)
		return check_fail(c, "attaching to a veth pair by a link: %s", strerror(-link));
	return try_frames(c);
}

int check_xdp_native(struct check *c)
{
	return try_mode(c, XDP_FLAGS_DRV_MODE);
}

int check_xdp_skb(struct check *c)
{
	return try_mode(c, XDP_FLAGS_SKB_MODE);
}

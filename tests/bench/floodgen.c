/* SPDX-License-Identifier: MIT */
/*
 * Bench tool: sends whole frames onto an interface at a bounded rate, for a bounded time, and prints how many left a second.
 * Frames go past the sender's own stack and queues (AF_PACKET), so that the sender costs less than what it loads.
 *
 *   floodgen INTERFACE MAC SOURCE DESTINATION PORT syn|udp|spoofed PER_SECOND SECONDS
 *
 * spoofed: SYNs whose sources are made up, in 198.18.0.0/15 (RFC 2544); SOURCE is not used then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "core/clock.h"

#define BATCH 32
#define MADE_UP 0xc6120000u /* 198.18.0.0 */
#define MADE_UP_MASK 0x1ffffu
#define PAUSE_NS 500000
#define UDP_PAYLOAD 18 /* fills the shortest frame */

struct __attribute__((packed)) frame {
	struct ether_header eth;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct {
			struct udphdr udp;
			uint8_t payload[UDP_PAYLOAD];
		};
	};
};

struct flood {
	struct frame first;
	bool tcp, spoofed;
	long per_second, seconds;
	int fd;
};

static uint32_t sum16(const void *at, size_t len)
{
	const uint8_t *b = at;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += b[i] << 8 | b[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* What differs from frame to frame, and the checksums. UDP has none. */
static void frame_next(const struct flood *flood, struct frame *f)
{
	uint8_t *addresses = (uint8_t *)f + offsetof(struct frame, ip) + offsetof(struct iphdr, saddr);

	if (flood->spoofed)
		f->ip.saddr = htonl(MADE_UP | (random() & MADE_UP_MASK));
	f->ip.id = random();
	f->ip.check = 0;
	f->ip.check = fold(sum16((uint8_t *)f + offsetof(struct frame, ip), sizeof(f->ip)));
	if (!flood->tcp) {
		f->udp.source = htons(1024 + random() % 60000);
		return;
	}
	f->tcp.source = htons(1024 + random() % 60000);
	f->tcp.seq = random();
	f->tcp.check = 0;
	f->tcp.check = fold(sum16((uint8_t *)f + offsetof(struct frame, tcp), sizeof(f->tcp)) + sum16(addresses, 8) +
			    IPPROTO_TCP + sizeof(f->tcp));
}

static size_t frame_size(const struct flood *flood)
{
	size_t l4 = flood->tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr) + UDP_PAYLOAD;

	return offsetof(struct frame, tcp) + l4;
}

static int link_open(struct flood *flood, const char *name)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(name) };
	struct ifreq request = {};
	int one = 1;

	flood->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (flood->fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(flood->fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	memcpy(flood->first.eth.ether_shost, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (setsockopt(flood->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		return -errno;
	return bind(flood->fd, (void *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static bool frame_first(struct flood *flood, char **argv)
{
	struct frame *f = &flood->first;
	struct ether_addr *mac = ether_aton(argv[2]);
	struct in_addr source, dest;

	if (!mac || inet_pton(AF_INET, argv[3], &source) != 1 || inet_pton(AF_INET, argv[4], &dest) != 1)
		return false;
	memcpy(f->eth.ether_dhost, mac, ETH_ALEN);
	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->ip = (struct iphdr){ .version = 4,
				.ihl = 5,
				.ttl = 64,
				.protocol = flood->tcp ? IPPROTO_TCP : IPPROTO_UDP,
				.tot_len = htons(frame_size(flood) - sizeof(f->eth)),
				.saddr = source.s_addr,
				.daddr = dest.s_addr };
	if (flood->tcp) {
		f->tcp = (struct tcphdr){ .dest = htons(atoi(argv[5])), .doff = 5, .syn = 1, .window = htons(65535) };
	} else {
		f->udp.dest = htons(atoi(argv[5]));
		f->udp.len = htons(sizeof(f->udp) + UDP_PAYLOAD);
	}
	return true;
}

/* Sends what is due, and sleeps. Returns how many frames left, or -errno. */
static long flood_run(const struct flood *flood)
{
	static struct frame frames[BATCH];
	struct mmsghdr messages[BATCH] = {};
	struct iovec parts[BATCH];
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	int64_t start = clock_ns(CLOCK_MONOTONIC), spent = 0;
	long sent = 0, tried = 0;
	int n;

	for (int i = 0; i < BATCH; i++) {
		frames[i] = flood->first;
		parts[i] = (struct iovec){ &frames[i], frame_size(flood) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	while (spent < flood->seconds * NSEC_PER_SEC) {
		/* No catching up: what a busy machine did not let out is not sent later at once. */
		if (tried < flood->per_second * (spent / 1e9) - flood->per_second / 50)
			tried = flood->per_second * (spent / 1e9);
		for (; tried < flood->per_second * (spent / 1e9); tried += BATCH) {
			for (int i = 0; i < BATCH; i++)
				frame_next(flood, &frames[i]);
			n = sendmmsg(flood->fd, messages, BATCH, 0);
			if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
				return -errno;
			sent += n > 0 ? n : 0;
		}
		nanosleep(&pause, NULL);
		spent = clock_ns(CLOCK_MONOTONIC) - start;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct flood flood = {};
	long sent;
	int r;

	if (argc < 9) {
		fputs("usage: floodgen INTERFACE MAC SOURCE DESTINATION PORT syn|udp|spoofed PER_SECOND SECONDS\n",
		      stderr);
		return 2;
	}
	flood.spoofed = !strcmp(argv[6], "spoofed");
	flood.tcp = flood.spoofed || !strcmp(argv[6], "syn");
	flood.per_second = atol(argv[7]);
	flood.seconds = atol(argv[8]);
	r = frame_first(&flood, argv) ? link_open(&flood, argv[1]) : -EINVAL;
	sent = r < 0 ? r : flood_run(&flood);
	if (sent < 0) {
		fprintf(stderr, "floodgen: %s\n", strerror(-sent));
		return 1;
	}
	printf("%ld\n", sent / flood.seconds);
	return 0;
}

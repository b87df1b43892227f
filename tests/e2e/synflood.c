// SPDX-License-Identifier: MIT
/*
 * Test tool: sends a bounded number of TCP segments from made-up sources (198.18.0.0/15, RFC 2544) at a bounded rate, and prints
 * how many left.
 *
 *   synflood DESTINATION PORT COUNT PER_SECOND [ack]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>

#define SOURCES 0xc6120000 /* 198.18.0.0 */
#define TICK_NS 5000000

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
};

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint32_t sum16(const void *at, size_t len)
{
	const uint16_t *w = at;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += w[i];
	return sum;
}

/* The kernel fills in IP's length and checksum. */
static void fill(struct segment *s, const struct sockaddr_in *to, int ack)
{
	memset(s, 0, sizeof(*s));
	s->ip.version = 4;
	s->ip.ihl = 5;
	s->ip.ttl = 64;
	s->ip.protocol = IPPROTO_TCP;
	s->ip.saddr = htonl(SOURCES | (random() & 0x1ffff));
	s->ip.daddr = to->sin_addr.s_addr;
	s->tcp.source = htons(1024 + random() % 60000);
	s->tcp.dest = to->sin_port;
	s->tcp.seq = random();
	s->tcp.ack_seq = ack ? random() : 0;
	s->tcp.doff = 5;
	s->tcp.syn = !ack;
	s->tcp.ack = ack;
	s->tcp.window = htons(65535);
	s->tcp.check = fold(sum16(&s->tcp, sizeof(s->tcp)) + sum16(&s->ip.saddr, 8) + htons(IPPROTO_TCP) +
			    htons(sizeof(s->tcp)));
}

static long flood(int fd, const struct sockaddr_in *to, long count, long per_tick, int ack)
{
	struct timespec tick = { .tv_nsec = TICK_NS };
	struct segment s;
	long sent = 0;

	for (long i = 0; i < count; i++) {
		fill(&s, to, ack);
		if (sendto(fd, &s, sizeof(s), 0, (const void *)to, sizeof(*to)) == sizeof(s))
			sent++;
		else if (errno != ENOBUFS && errno != EAGAIN)
			return -errno;
		if ((i + 1) % per_tick == 0)
			nanosleep(&tick, NULL);
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	long sent, per_tick;
	int fd;

	if (argc < 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fputs("usage: synflood DESTINATION PORT COUNT PER_SECOND [ack]\n", stderr);
		return 2;
	}
	to.sin_port = htons(atoi(argv[2]));
	per_tick = atol(argv[4]) * (TICK_NS / 1000) / 1000000;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0) {
		perror("synflood");
		return 1;
	}
	sent = flood(fd, &to, atol(argv[3]), per_tick > 0 ? per_tick : 1, argc > 5);
	if (sent < 0) {
		fprintf(stderr, "synflood: %s\n", strerror(-sent));
		return 1;
	}
	printf("%ld segments\n", sent);
	return 0;
}

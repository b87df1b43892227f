// SPDX-License-Identifier: MIT
/*
 * Test tool: a TCP client of its own, whose segments may overlap; its address is nobody's, so that no stack answers for it.
 *
 *   overlap SOURCE DESTINATION PORT INTERFACE [STEP]...
 *
 * A step is OFFSET[KIND]:TEXT, a segment that begins so many bytes into the stream (TEXT with \r and \n), or wait:MS. KIND is f: the
 * client ends behind it; s: with a wrong checksum; a: it acknowledges what was never sent; o: less than was acknowledged before.
 * Prints what the other side sends until it is quiet, and "reset" for a reset, and exits with 0; 1: it cannot connect. MPBPF_SLOW
 * multiplies what it waits.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define QUIET_MS 100
#define ANSWER_MS 5000
#define LOCAL_PORT 40000
#define FIRST_SEQ 1000u

static int out, in;
static struct sockaddr_in from, to;
static uint32_t ack, top = FIRST_SEQ + 1; /* behind the last byte that was sent */
static bool wrong_sum;			  /* of what is sent next */

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
	char data[1400];
};

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint32_t added(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? b[i] : b[i] << 8;
	return sum;
}

static void segment_send(uint32_t seq, int flags, const char *data, size_t len)
{
	struct segment s = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };
	uint32_t sum = IPPROTO_TCP + sizeof(s.tcp) + len;

	s.ip.saddr = from.sin_addr.s_addr;
	s.ip.daddr = to.sin_addr.s_addr;
	s.tcp.source = htons(LOCAL_PORT);
	s.tcp.dest = to.sin_port;
	s.tcp.seq = htonl(seq);
	s.tcp.ack_seq = htonl(ack);
	s.tcp.doff = 5;
	s.tcp.syn = !!(flags & TH_SYN);
	s.tcp.ack = !!(flags & TH_ACK);
	s.tcp.rst = !!(flags & TH_RST);
	s.tcp.fin = !!(flags & TH_FIN);
	s.tcp.psh = len > 0;
	s.tcp.window = htons(65535);
	memcpy(s.data, data, len);
	sum = added(sum, &s.ip.saddr, 8);
	s.tcp.check = htons(folded(added(sum, &s.tcp, sizeof(s.tcp) + len)) ^ (wrong_sum ? 0x0ff0 : 0));
	if (sendto(out, &s, sizeof(s.ip) + sizeof(s.tcp) + len, 0, (void *)&to, sizeof(to)) < 0) {
		perror("overlap: send");
		exit(1);
	}
}

/* What comes within `ms` is printed and acknowledged. Returns whether anything did. */
static bool receive(int ms)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	struct segment s;
	ssize_t n;
	int len;

	for (;;) {
		if (poll(&p, 1, ms) <= 0)
			return false;
		n = recv(in, &s, sizeof(s), 0);
		if (n < (ssize_t)(sizeof(s.ip) + sizeof(s.tcp)) || s.ip.protocol != IPPROTO_TCP ||
		    s.ip.daddr != from.sin_addr.s_addr || s.tcp.source != to.sin_port)
			continue;
		if (s.tcp.rst) {
			puts("reset");
			return false;
		}
		len = ntohs(s.ip.tot_len) - s.ip.ihl * 4 - s.tcp.doff * 4;
		if (s.tcp.syn) {
			ack = ntohl(s.tcp.seq) + 1;
			return true;
		}
		if (ntohl(s.tcp.seq) != ack || !(len || s.tcp.fin))
			continue;
		fwrite((char *)&s.tcp + s.tcp.doff * 4, 1, len, stdout);
		ack += len + s.tcp.fin;
		segment_send(top, TH_ACK, "", 0);
		return true;
	}
}

static size_t unescaped(char *text)
{
	char *to = text, *at;

	for (at = text; *at; at++) {
		if (at[0] == '\\' && (at[1] == 'r' || at[1] == 'n'))
			*to++ = *++at == 'r' ? '\r' : '\n';
		else
			*to++ = *at;
	}
	return to - text;
}

static void piece_send(uint32_t seq, const char *kind, const char *data, size_t len)
{
	uint32_t right = ack;
	bool fin = false;

	for (; *kind != ':'; kind++) {
		fin = fin || *kind == 'f';
		wrong_sum = wrong_sum || *kind == 's';
		if (*kind == 'a')
			ack += 1000;
		else if (*kind == 'o')
			ack -= 1;
	}
	segment_send(seq, TH_ACK | (fin ? TH_FIN : 0), data, len);
	wrong_sum = false;
	ack = right;
	if ((int32_t)(seq + len + fin - top) > 0)
		top = seq + len + fin;
}

static void step(char *text)
{
	char *data = strchr(text, ':'), *kind;
	uint32_t seq = FIRST_SEQ + 1 + strtoul(text, &kind, 10);
	size_t len;

	if (!data++)
		exit(2);
	if (!strncmp(text, "wait:", 5)) {
		usleep(atoi(data) * 1000);
		return;
	}
	len = unescaped(data);
	if (len > sizeof(((struct segment *)0)->data))
		exit(2);
	piece_send(seq, kind, data, len);
}

static void open_sockets(const char *interface)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };

	here.sll_ifindex = if_nametoindex(interface);
	out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	if (out < 0 || in < 0 || bind(in, (void *)&here, sizeof(here))) {
		perror("overlap: socket");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int slow = getenv("MPBPF_SLOW") ? atoi(getenv("MPBPF_SLOW")) : 1, i;

	if (argc < 5 || inet_pton(AF_INET, argv[1], &from.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: overlap SOURCE DESTINATION PORT INTERFACE [OFFSET[KIND]:TEXT | wait:MS]...\n");
		return 2;
	}
	to.sin_family = AF_INET;
	to.sin_port = htons(atoi(argv[3]));
	open_sockets(argv[4]);
	segment_send(FIRST_SEQ, TH_SYN, "", 0);
	if (!receive(ANSWER_MS * slow)) {
		fprintf(stderr, "overlap: no answer\n");
		return 1;
	}
	segment_send(top, TH_ACK, "", 0);
	for (i = 5; i < argc; i++)
		step(argv[i]);
	if (receive(ANSWER_MS * slow))
		while (receive(QUIET_MS * slow))
			;
	segment_send(top, TH_ACK | TH_RST, "", 0);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Tests: an ICMP error that comes in for a TCP connection over loopback (needs root). */
#ifndef MPBPF_TESTS_ICMP_ERROR_H
#define MPBPF_TESTS_ICMP_ERROR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/util.h"

/* What such an error says of the segment that it is about. */
struct icmp_error {
	struct icmphdr icmp;
	struct iphdr ip;
	uint16_t source_port, dest_port;
	uint32_t seq;
};

static inline uint16_t icmp_sum(const void *at, size_t len)
{
	const uint16_t *words = at;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* Of the next byte that the socket would send. */
static inline uint32_t next_seq(int fd)
{
	const int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP, queue = TCP_SEND_QUEUE;
	socklen_t len = sizeof(uint32_t);
	uint32_t seq = 0;

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), 0);
	return seq;
}

/* Its host is unreachable, somebody says. What `fd` has sent is acknowledged. */
static inline void icmp_error_send(int fd)
{
	struct sockaddr_in own = {}, peer = {};
	socklen_t len = sizeof(own);
	_cleanup_close_ int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct icmp_error error = { .icmp = { .type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH },
				    .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };

	assert_true(raw >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	error.ip.tot_len = htons(sizeof(struct iphdr) + sizeof(struct tcphdr));
	error.ip.saddr = own.sin_addr.s_addr;
	error.ip.daddr = peer.sin_addr.s_addr;
	error.source_port = own.sin_port;
	error.dest_port = peer.sin_port;
	error.seq = htonl(next_seq(fd));
	error.icmp.checksum = icmp_sum(&error, sizeof(error));
	peer.sin_port = 0;
	peer.sin_addr = own.sin_addr;
	assert_int_equal(sendto(raw, &error, sizeof(error), 0, (struct sockaddr *)&peer, sizeof(peer)), sizeof(error));
}

#endif

// SPDX-License-Identifier: MIT
/*
 * Test tool: sends a bounded number of UDP packets as fast as it can and prints how many left.
 *
 *   flood SOURCE DESTINATION PORT COUNT [BYTES]
 */
#include <stdio.h>
#include <time.h>

#include "http_client.h"

#define BATCH 64
#define BYTES_MAX 1400

static long flood(int fd, long count, size_t bytes)
{
	static char payload[BYTES_MAX];
	struct iovec iov = { payload, bytes };
	struct mmsghdr msgs[BATCH] = {};
	long sent = 0;
	int i, n;

	for (i = 0; i < BATCH; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		n = sendmmsg(fd, msgs, count - sent < BATCH ? count - sent : BATCH, 0);
		/* An ICMP error of an earlier packet, or a full queue: neither was sent. */
		if (n < 0 && errno != ECONNREFUSED && errno != ENOBUFS && errno != EAGAIN)
			return -errno;
		if (n > 0)
			sent += n;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct sockaddr_storage from, to;
	struct timespec a, b;
	socklen_t from_len, to_len;
	long bytes, sent;
	int fd;

	if (argc < 5 || client_address(argv[1], 0, &from, &from_len) < 0 ||
	    client_address(argv[2], atoi(argv[3]), &to, &to_len) < 0) {
		fputs("usage: flood SOURCE DESTINATION PORT COUNT [BYTES]\n", stderr);
		return 2;
	}
	bytes = argc > 5 ? atol(argv[5]) : 64;
	fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bytes < 0 || bytes > BYTES_MAX || bind(fd, (void *)&from, from_len) < 0 ||
	    connect(fd, (void *)&to, to_len) < 0) {
		perror("flood");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	sent = flood(fd, atol(argv[4]), bytes);
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (sent < 0) {
		fprintf(stderr, "flood: %s\n", strerror(-sent));
		return 1;
	}
	printf("%ld packets in %.0f ms\n", sent, (b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Bench: a list of `mpbpf block`: how long it takes to read from a file, put in force, replace and walk for what has expired,
 * its memory, and ns per packet as BPF_PROG_TEST_RUN measures them. Usage: lists_bench [NETWORKS]; 1,000,000 by default.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/lists.h"
#include "core/lists_maps.h"
#include "core/util.h"
#include "tests/prog/lists_run.h"
#include "tests/prog/packets.h"
#include "tests/prog/tap.h"

#define ROUNDS 7
#define REPEAT 200000
#define STRIDE 4093 /* from one address to the next: a prime, so that they lie everywhere */

static struct lists_run run;
static struct lists block = { .maps = &run.maps, .pin_root = run.pin_root, .list = CIDR_DENY };

static int64_t since(int64_t *from)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC), passed = now - *from;

	*from = now;
	return passed / NSEC_PER_MSEC;
}

/* Every second one an IPv6 /64 when `mixed`. */
static FILE *file_of(size_t n, bool mixed)
{
	FILE *file = tmpfile();

	if (!file)
		tap_bail("no temporary file");
	for (size_t i = 0; i < n; i++) {
		uint32_t a = 0x01000000 + i * STRIDE;

		if (mixed && i & 1)
			fprintf(file, "2001:db8:%x:%x::/64\n", a >> 16, a & 0xffff);
		else
			fprintf(file, "%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	}
	rewind(file);
	return file;
}

static void put(struct list_entry *entries, size_t n, bool replace)
{
	int r = list_put(&block, entries, n, replace, clock_ns(CLOCK_BOOTTIME));

	if (r < 0)
		tap_bail("putting the list in force: %s", strerror(-r));
}

static unsigned long long memory(void)
{
	unsigned long long sum = 0;

	for (enum list_family f = 0; f < LIST_FAMILY_MAX; f++) {
		_cleanup_close_ int fd = -1;

		if (list_networks_open(&block, f, &fd, NULL) == 0)
			sum += xdp_map_memory(fd);
	}
	return sum;
}

static void bench_load(size_t n, bool mixed)
{
	_cleanup_fclose_ FILE *file = file_of(n, mixed);
	struct list_purge purge = LIST_PURGE_WHOLE;
	int64_t at = clock_ns(CLOCK_MONOTONIC), read, first, again, purged;
	_cleanup_free_ struct list_entry *entries = NULL;
	char error[LIST_ERROR_MAX];

	if (list_file_read(file, &entries, &n, error) < 0)
		tap_bail("%s", error);
	read = since(&at);
	for (size_t i = 0; i < n; i++)
		entries[i].listed.until = LISTED_FOR_GOOD;
	put(entries, n, true);
	first = since(&at);
	put(entries, n, false);
	again = since(&at);
	while (list_purge(&block, &purge, clock_ns(CLOCK_BOOTTIME)) > 0)
		;
	purged = since(&at);
	printf("%-42s read %lld, replace %lld, add again %lld, look for expired %lld ms; %.1f MB\n",
	       mixed ? "half IPv4, half IPv6 /64" : "IPv4 addresses", (long long)read, (long long)first,
	       (long long)again, (long long)purged, memory() / 1e6);
}

static int compare(const void *a, const void *b)
{
	return *(const uint32_t *)a - *(const uint32_t *)b;
}

static void bench_packet(const char *what, const char *source, int expected)
{
	struct packet_spec spec = { .family = strchr(source, ':') ? 6 : 4, .proto = PROTO_TCP, .source = source };
	uint32_t ns[ROUNDS];
	struct frame frame;

	packet_build(&spec, &frame);
	for (size_t i = 0; i < ROUNDS; i++)
		if (xdp_time_frame(&run.xdp, frame.bytes, frame.len, REPEAT, &ns[i]) != expected)
			tap_bail("%s: another action than %d", what, expected);
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("%-42s %4u ns per packet\n", what, ns[ROUNDS / 2]);
}

/* A network of every length but the last, around an address that none of them covers. */
static void bench_lengths(void)
{
	struct list_entry entries[31] = {};
	size_t n = 0;

	for (unsigned int prefix = 1; prefix < 32; prefix++, n++) {
		entries[n].cidr = (struct cidr){ .addr = cidr_v4, .prefix = 96 + prefix };
		entries[n].cidr.addr.b[12 + (prefix - 1) / 8] |= 0x80 >> (prefix - 1) % 8;
		entries[n].listed.until = LISTED_FOR_GOOD;
	}
	put(entries, n, true);
	bench_packet("pass, a list of 31 lengths", "0.0.0.1", XDP_PASS);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;

	if (!n || n > MPBPF_LISTED_MAX) {
		fprintf(stderr, "usage: lists_bench [NETWORKS], 1 to %d\n", MPBPF_LISTED_MAX);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	lists_run_open(&run);
	bench_packet("pass, no list", "1.0.0.1", XDP_PASS);
	bench_packet("pass, no list, IPv6", "2001:db8:100::1", XDP_PASS);
	bench_load(n, false);
	bench_packet("pass, that list of others", "1.0.0.1", XDP_PASS);
	bench_packet("drop, on that list", "1.0.0.0", XDP_DROP);
	bench_load(n, true);
	bench_packet("pass, that list of others, IPv6", "2001:db8:ffff:1::1", XDP_PASS);
	bench_packet("drop, on that list, IPv6", "2001:db8:100:ffd::1", XDP_DROP);
	bench_lengths();
	lists_run_close(&run);
	return 0;
}

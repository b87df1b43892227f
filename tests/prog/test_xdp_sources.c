/* SPDX-License-Identifier: MIT */
/*
 * Tests: the default number of sources fits into `sources`, nearly all at once, and into 100 MB; and who is forgotten when there is
 * no room.
 */
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define MEMORY_MAX 100000000ULL
#define REMEMBERED(n) ((n) - (n) / 200)
#define SAMPLE 1009 /* each so-manieth source is looked at again */

static struct xdp_run run;

/*
 * How many of the sources send a packet: all, or one in MPBPF_SLOW on a machine that is so much slower than a real one. The
 * others are put into the map as their packet would have put them there.
 */
static uint32_t senders(void)
{
	const char *v = getenv("MPBPF_SLOW");
	int slow = v ? atoi(v) : 1;

	return MPBPF_SOURCES_MAX / (slow > 0 ? slow : 1);
}

static void set_source(struct frame *frame, uint32_t i)
{
	uint8_t *address = frame->bytes + frame->l3 + 12;

	address[0] = 10;
	address[1] = i >> 16;
	address[2] = i >> 8;
	address[3] = i;
}

static struct source_key numbered(uint32_t i)
{
	struct source_key key = {};

	memcpy(&key.w[1], (uint8_t[]){ 10, i >> 16, i >> 8, i }, 4);
	return key;
}

static uint32_t count_entries(const struct xdp_run *of)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < of->n_sets; i++)
		for (size_t way = 0; way < MPBPF_SOURCE_WAYS; way++)
			sum += of->sets[i].ways[way].name != 0;
	return sum;
}

static void test_memory(void)
{
	unsigned long long bytes = xdp_map_memory(run.sources), quotas;

	CHECK(bytes >= 2ULL * MPBPF_SOURCES_MAX * sizeof(struct source_way) && bytes <= MEMORY_MAX, "%llu bytes",
	      bytes);
	quotas = xdp_map_memory(bpf_object__find_map_fd_by_name(run.object, "quotas"));
	CHECK(quotas >= 16 * MPBPF_QUOTAS_MAX && bytes + quotas <= MEMORY_MAX, "%llu bytes and %llu of quotas", bytes,
	      quotas);
	tap_note("%llu bytes of quotas", quotas);
	tap_note("%llu bytes, %.1f a source", bytes, (double)bytes / MPBPF_SOURCES_MAX);
	tap_result("1,048,576 sources take at most 100 MB");
}

static void test_all_fit(void)
{
	static struct frame frame;
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP };
	uint32_t i, n = senders(), entries, dropped = 0, kept = 0, tried = 0;
	struct source_key key;

	packet_build(&spec, &frame);
	for (i = 0; i < n; i++) {
		set_source(&frame, i);
		dropped += xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1) != XDP_PASS;
	}
	for (; i < MPBPF_SOURCES_MAX; i++) {
		key = numbered(i);
		xdp_write_source(&run, &key, (uint64_t)WINDOW_MARK << 32 | 1);
	}
	entries = count_entries(&run);
	CHECK(!dropped, "%u first packets were dropped", dropped);
	CHECK(entries >= REMEMBERED(MPBPF_SOURCES_MAX) && entries <= MPBPF_SOURCES_MAX, "%u sources are remembered",
	      entries);
	tap_note("%u are remembered", entries);
	tap_result("of 1,048,576 sources more than 99.5 % are remembered at once");
	/*
	 * The limit is one packet: a source that was forgotten passes again, and takes the place of another. That is some more of a
	 * sample than of all.
	 */
	for (i = 0; i < MPBPF_SOURCES_MAX; i += SAMPLE, tried++) {
		set_source(&frame, i);
		kept += xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1) == XDP_DROP;
	}
	CHECK(kept >= tried - tried / 50, "%u of %u are", kept, tried);
	tap_result("and each of them is held to its limit");
}

/* ---- one page of sets ---- */

#define SMALL 128					  /* sources that it is for, in twice as many entries */
#define HEAVY 90					  /* packets of each of the first ones: all but the limit */
#define WINDOW_OVER ((uint64_t)(WINDOW_MARK - 100) << 32) /* too long ago for a CPU that is late at it */

static struct xdp_run small;

static int send_small(uint32_t source, uint32_t n)
{
	static struct frame frame;
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP };

	packet_build(&spec, &frame);
	set_source(&frame, source);
	return xdp_run_frame(&small, frame.bytes, frame.len, ALL_LINEAR, n);
}

/* How many of the sources from..to are remembered with at least so many packets. */
static uint32_t remembered(uint32_t from, uint32_t to, uint32_t packets)
{
	struct source_key key;
	uint32_t sum = 0;
	uint64_t value;

	for (; from < to; from++) {
		key = numbered(from);
		sum += xdp_read_source(&small, &key, &value) && (uint32_t)value >= packets;
	}
	return sum;
}

static void small_open(uint8_t flags)
{
	xdp_run_open(&small, SMALL);
	xdp_set_policy(&small, (struct policy){ .rate_mode = RATE_ENFORCE,
						.window_ns = WINDOW_ENDLESS,
						.packets = 100,
						.rate_flags = flags });
}

/* Sources come that are eight times as many as there are entries. */
static void test_heaviest_stay(void)
{
	uint32_t heavy = SMALL / 2, full = 2 * SMALL, passed = 0;

	small_open(0);
	CHECK(full == small.n_sets * MPBPF_SOURCE_WAYS, "%u sets", small.n_sets);
	for (uint32_t i = 0; i < heavy; i++)
		send_small(i, HEAVY);
	CHECK(remembered(0, heavy, HEAVY) == heavy, "%u of %u have room", remembered(0, heavy, HEAVY), heavy);
	for (uint32_t i = heavy; i < 8 * full; i++)
		passed += send_small(i, 1) == XDP_PASS;
	CHECK(passed == 8 * full - heavy, "%u first packets passed", passed);
	CHECK(count_entries(&small) == full, "%u of %u entries are taken", count_entries(&small), full);
	CHECK(remembered(0, heavy, HEAVY) == heavy, "%u of %u heavy ones are remembered", remembered(0, heavy, HEAVY),
	      heavy);
	CHECK(send_small(0, 11) == XDP_DROP, "what a heavy one had is forgotten");
	tap_result("no room: new sources pass, and take entries from those with the fewest packets");
	xdp_run_close(&small);
}

/* Heavy ones of a window that is over have nothing to lose, and one packet of this window has. */
static void test_old_window(void)
{
	uint32_t full = 2 * SMALL, light = 0;
	struct source_key key;

	small_open(0);
	for (uint32_t i = 0; i < 4 * full; i++) {
		key = numbered(i);
		xdp_write_source(&small, &key, WINDOW_OVER | HEAVY);
	}
	CHECK(count_entries(&small) > full * 9 / 10, "%u entries are taken", count_entries(&small));
	for (uint32_t i = 4 * full; i < 4 * full + SMALL / 4; i++)
		send_small(i, 1);
	light = remembered(4 * full, 4 * full + SMALL / 4, 1);
	CHECK(light == SMALL / 4, "%u of %u new sources are remembered", light, SMALL / 4);
	tap_result("no room: what was not seen in this window goes first");
	xdp_run_close(&small);
}

/* A bucket that fills in an hour, under a reload from windows: what was counted in these is nothing to lose. */
static void test_old_policy(void)
{
	const uint64_t cost = 3600ULL * 1000000000 * BUCKET_TICKS / 10;
	struct rate_rule rule = { .packets = { cost << MEASURE_SHIFT, 10 * cost }, .mode = RATE_ENFORCE };
	uint32_t full = 2 * SMALL, limited = 0, at;
	struct source_key key;

	xdp_run_open(&small, SMALL);
	for (uint32_t i = 0; i < 4 * full; i++) {
		key = numbered(i);
		xdp_write_source(&small, &key, (uint64_t)(WINDOW_MARK + 5) << 32 | HEAVY);
	}
	CHECK(count_entries(&small) > full * 9 / 10, "%u entries are taken", count_entries(&small));
	rule.generation = small.generation + 1;
	at = (rule.generation & 1) * MPBPF_RULES_MAX;
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(small.object, "rules"), &at, &rule, BPF_ANY))
		tap_bail("cannot write a rule");
	xdp_set_policy(&small, (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = 1, .rate_flags = RATE_BUCKET });
	for (uint32_t i = 4 * full; i < 4 * full + SMALL / 4; i++)
		send_small(i, 10);
	for (uint32_t i = 4 * full; i < 4 * full + SMALL / 4; i++)
		limited += send_small(i, 3) == XDP_DROP;
	CHECK(limited == SMALL / 4, "%u of %u new sources are held to their limit", limited, SMALL / 4);
	tap_result("no room: what was counted under a policy of windows goes before what a bucket holds");
	xdp_run_close(&small);
}

static void test_nobody(void)
{
	static struct frame frame;
	struct packet_spec spec = { .family = 4, .proto = PROTO_UDP, .source = "0.0.0.0" };
	struct source_key key = {};
	uint64_t value = 0;

	small_open(0);
	packet_build(&spec, &frame);
	CHECK(xdp_run_frame(&small, frame.bytes, frame.len, ALL_LINEAR, 100) == XDP_PASS, "dropped too early");
	CHECK(xdp_run_frame(&small, frame.bytes, frame.len, ALL_LINEAR, 1) == XDP_DROP, "not limited");
	CHECK(xdp_read_source(&small, &key, &value) && (uint32_t)value == 101 && count_entries(&small) == 1,
	      "counted %lu in %u entries", value, count_entries(&small));
	tap_result("0.0.0.0 has an entry like any other source");
	xdp_run_close(&small);
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	xdp_set_policy(&run, (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1 });
	test_memory();
	test_all_fit();
	xdp_run_close(&run);
	test_heaviest_stay();
	test_old_window();
	test_old_policy();
	test_nobody();
	return tap_end();
}

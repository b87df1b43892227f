/* SPDX-License-Identifier: MIT */
/* Tests: the default number of sources fits into `sources`, all at once, and into 100 MB. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define MEMORY_MAX 100000000ULL
#define SAMPLE 1009 /* each so-manieth source is looked at again */

static struct xdp_run run;

/* The kernel hands free entries to CPUs in small batches: on one CPU none is left over. */
static void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		tap_bail("cannot stay on one CPU");
}

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

/* Sources from..MPBPF_SOURCES_MAX as their first packet leaves them. */
static void put_rest(uint32_t from)
{
	static struct source_key keys[4096];
	static struct source values[4096];
	uint32_t i, n;

	for (; from < MPBPF_SOURCES_MAX; from += n) {
		for (n = 0; n < sizeof(keys) / sizeof(*keys) && from + n < MPBPF_SOURCES_MAX; n++) {
			i = from + n;
			keys[n] = (struct source_key){};
			memcpy(&keys[n].w[1], (uint8_t[]){ 10, i >> 16, i >> 8, i }, 4);
			values[n].window_count = (uint64_t)WINDOW_MARK << 32 | 1;
		}
		if (bpf_map_update_batch(run.sources, keys, values, &n, NULL))
			tap_bail("cannot put sources into the map");
	}
}

static uint32_t count_entries(void)
{
	static struct source_key keys[4096];
	static struct source values[4096];
	uint32_t in, out, n, sum = 0;
	bool first = true;

	for (;;) {
		n = sizeof(values) / sizeof(*values);
		if (bpf_map_lookup_batch(run.sources, first ? NULL : &in, &out, keys, values, &n, NULL)) {
			sum += n; /* the last batch comes with ENOENT */
			return sum;
		}
		sum += n;
		in = out;
		first = false;
	}
}

static void test_memory(void)
{
	struct bpf_map_info info = {};
	unsigned long long bytes = xdp_map_memory(run.sources), quotas;
	uint32_t len = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(run.sources, &info, &len) && info.max_entries == MPBPF_SOURCES_MAX,
	      "%u entries, expected %u", info.max_entries, MPBPF_SOURCES_MAX);
	CHECK(bytes >= (unsigned long long)info.max_entries * 16 && bytes <= MEMORY_MAX, "%llu bytes", bytes);
	quotas = xdp_map_memory(bpf_object__find_map_fd_by_name(run.object, "quotas"));
	CHECK(quotas >= 16 * MPBPF_QUOTAS_MAX && bytes + quotas <= MEMORY_MAX, "%llu bytes and %llu of quotas", bytes,
	      quotas);
	tap_note("%llu bytes of quotas", quotas);
	tap_note("%llu bytes, %.1f an entry", bytes, (double)bytes / info.max_entries);
	tap_result("1,048,576 sources take at most 100 MB");
}

static void test_all_fit(void)
{
	static struct frame frame;
	struct packet_spec spec = { .family = 4, .proto = PROTO_TCP };
	uint32_t i, n = senders(), entries, dropped = 0, kept = 0;

	packet_build(&spec, &frame);
	for (i = 0; i < n; i++) {
		set_source(&frame, i);
		dropped += xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1) != XDP_PASS;
	}
	put_rest(n);
	entries = count_entries();
	CHECK(!dropped, "%u first packets were dropped", dropped);
	CHECK(entries == MPBPF_SOURCES_MAX, "%u sources are remembered", entries);
	tap_result("1,048,576 sources are remembered at once");
	/* The limit is one packet: a source that was forgotten would pass again. */
	for (i = 0; i < MPBPF_SOURCES_MAX; i += SAMPLE) {
		set_source(&frame, i);
		kept += xdp_run_frame(&run, frame.bytes, frame.len, ALL_LINEAR, 1) == XDP_DROP;
	}
	CHECK(kept == (MPBPF_SOURCES_MAX + SAMPLE - 1) / SAMPLE, "%u of each %dth source are remembered", kept, SAMPLE);
	tap_result("and each of them is held to its limit");
}

int main(void)
{
	tap_start();
	stay_on_one_cpu();
	xdp_run_open(&run, 0);
	xdp_set_policy(&run, (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1 });
	test_memory();
	test_all_fit();
	xdp_run_close(&run);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: no packet is lost from the count of a source that all CPUs see at the same time. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packets.h"
#include "tap.h"
#include "xdp_front.h"
#include "xdp_run.h"
#include "xdp_workers.h"

#define PACKETS 1000000 /* of each CPU */
#define SOURCES 20000
#define BURST 20000					  /* each call costs milliseconds outside the packets */
#define WINDOW_BEFORE 0xffffffff00000000ULL		  /* window -1, where the one in force is 0 */
#define WINDOW_OVER ((uint64_t)(WINDOW_MARK - 100) << 32) /* too long ago for a CPU that is late at it */
#define WINDOW_NS 5000000ULL
#define WINDOW_LIMIT 100
#define WINDOW_MS 300
#define SOURCE "192.0.2.1"

static struct xdp_run run;
static atomic_bool stop;

static void *same_source(void *arg)
{
	struct worker *w = arg;

	worker_pin(w);
	workers_meet(1);
	worker_send(w, PACKETS);
	return NULL;
}

static void test_same_source(void)
{
	struct source_key key = source_of(SOURCE);
	struct xdp_stats before, moved;
	uint64_t sent, value = 0;

	xdp_set_policy(&run,
		       (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1000 });
	xdp_read_stats(&run, &before);
	sent = workers_run(same_source);
	moved = xdp_stats_since(&run, &before);
	CHECK(xdp_read_source(&run, &key, &value) && (uint32_t)value == sent, "sent %lu, counted %u", sent,
	      (uint32_t)value);
	CHECK(moved.packets == sent && moved.reasons[XDP_REASON_PASS] == 1000 &&
		      moved.reasons[XDP_REASON_RATE_LIMIT] == sent - 1000,
	      "sent %lu: packets %llu, passed %llu, dropped %llu", sent, moved.packets, moved.reasons[XDP_REASON_PASS],
	      moved.reasons[XDP_REASON_RATE_LIMIT]);
	tap_note("%d CPUs, %lu packets", n_workers, sent);
	tap_result("one source, all CPUs, one window: every packet is counted, exactly the limit passes");
}

/* Sources of the program in front, all of which have lost their entries to others of a window that is over. */
#define EVICTED 100
#define EVICTED_LIMIT 1000

static struct xdp_front front;

static void *spread(void *arg)
{
	struct worker *w = arg;

	worker_pin(w);
	workers_meet(1);
	if (xdp_run_frame(&front.run, w->frame.bytes, w->frame.len, ALL_LINEAR, PACKETS) < 0)
		tap_bail("test run failed");
	w->packets += PACKETS;
	return NULL;
}

static void fill_with_others(struct xdp_run *small)
{
	for (uint32_t i = 0; i < small->n_sets; i++)
		for (uint32_t way = 0; way < MPBPF_SOURCE_WAYS; way++)
			small->sets[i].ways[way] = (struct source_way){ .name = 1 + i * MPBPF_SOURCE_WAYS + way,
									.source.window_count = WINDOW_OVER | 500 };
}

/* All CPUs come to the same new sources, and each must take an entry from another source. */
static void test_taken_entries(void)
{
	const uint64_t most = EVICTED * EVICTED_LIMIT;
	struct xdp_stats before, moved;
	struct xdp_run small;
	uint64_t sent;

	xdp_run_open(&small, EVICTED);
	fill_with_others(&small);
	xdp_front_open(&small, &front);
	xdp_front_spread(&front, EVICTED);
	xdp_set_policy(
		&small,
		(struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = EVICTED_LIMIT });
	xdp_read_stats(&small, &before);
	sent = workers_run(spread);
	moved = xdp_stats_since(&small, &before);
	CHECK(moved.packets == sent && sent > 2 * most, "sent %lu, packets %llu", sent, moved.packets);
	CHECK(moved.reasons[XDP_REASON_PASS] >= most && moved.reasons[XDP_REASON_PASS] <= most + most / 100,
	      "%llu passed, expected %lu", moved.reasons[XDP_REASON_PASS], most);
	tap_note("%lu packets, %llu passed, expected %lu", sent, moved.reasons[XDP_REASON_PASS], most);
	tap_result(
		"entries that all CPUs take from other sources at once: each source has one limit, within a hundredth");
	xdp_front_close(&front);
	xdp_run_close(&small);
}

/* A source number becomes the frame's address. */
static void set_source(struct worker *w, uint32_t i)
{
	uint8_t *address = w->frame.bytes + w->frame.l3 + 12;

	address[0] = 10;
	address[1] = i >> 16;
	address[2] = i >> 8;
	address[3] = i;
}

static void *first_packets(void *arg)
{
	struct worker *w = arg;
	uint32_t i;

	worker_pin(w);
	for (i = 0; i < SOURCES; i++) {
		set_source(w, i);
		workers_meet(i + 1);
		worker_send(w, 1);
	}
	return NULL;
}

static struct source_key numbered_source(uint32_t i)
{
	struct source_key key = {};

	memcpy(&key.w[1], (uint8_t[]){ 10, i >> 16, i >> 8, i }, 4);
	return key;
}

static void send_first_packets(void)
{
	struct source_key key;
	uint64_t value, sum = 0, sent;
	uint32_t i;

	sent = workers_run(first_packets);
	for (i = 0; i < SOURCES; i++) {
		key = numbered_source(i);
		value = 0;
		xdp_read_source(&run, &key, &value);
		sum += (uint32_t)value;
	}
	CHECK(sum == sent, "sent %lu, counted %lu", sent, sum);
}

static void test_first_packets(void)
{
	struct source_key key;
	uint32_t i;

	xdp_set_policy(&run,
		       (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1000 });
	send_first_packets();
	tap_result("the first packets of a source on all CPUs at once are all counted");
	for (i = 0; i < SOURCES; i++) {
		key = numbered_source(i);
		CHECK(xdp_write_source(&run, &key, WINDOW_BEFORE | 500), "source %u: no room", i);
	}
	send_first_packets();
	tap_result("the first packets of a window on all CPUs at once are all counted");
}

static void *until_stopped(void *arg)
{
	struct worker *w = arg;

	worker_pin(w);
	memcpy(w->frame.bytes + w->frame.l3 + 12, (uint8_t[]){ 192, 0, 2, 2 }, 4);
	workers_meet(1);
	while (!atomic_load(&stop))
		worker_send(w, BURST);
	return NULL;
}

static uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void *stop_later(void *arg)
{
	(void)arg;
	usleep(WINDOW_MS * 1000);
	atomic_store(&stop, true);
	return NULL;
}

/* A window that was moved back, or begun twice, would let its limit through twice. */
static void test_window_changes(void)
{
	struct xdp_stats before, moved;
	uint64_t start, windows, sent;
	pthread_t clock;

	xdp_set_policy(&run,
		       (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = WINDOW_NS, .packets = WINDOW_LIMIT });
	xdp_read_stats(&run, &before);
	start = clock_now();
	if (pthread_create(&clock, NULL, stop_later, NULL))
		tap_bail("cannot start a thread");
	sent = workers_run(until_stopped);
	pthread_join(clock, NULL);
	/* One that had begun, and one that has, by jiffies. */
	windows = (clock_now() - start) / WINDOW_NS + 2;
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.packets == sent, "sent %lu, packets %llu", sent, moved.packets);
	CHECK(moved.reasons[XDP_REASON_PASS] <= windows * WINDOW_LIMIT, "%llu passed in %lu windows of %d",
	      moved.reasons[XDP_REASON_PASS], windows, WINDOW_LIMIT);
	CHECK(moved.reasons[XDP_REASON_PASS] >= 2 * WINDOW_LIMIT, "%llu passed: the window never moved",
	      moved.reasons[XDP_REASON_PASS]);
	tap_note("%lu packets, %llu passed, %lu windows of %d", sent, moved.reasons[XDP_REASON_PASS], windows,
		 WINDOW_LIMIT);
	tap_result("over window changes no more than the limit of each window passes");
}

/* Rule 0 of the policy that comes next. */
static void set_rule(struct measure packets, struct measure bytes)
{
	uint32_t generation = run.generation + 1, at = (generation & 1) * MPBPF_RULES_MAX;
	struct rate_rule rule = { .packets = packets, .bytes = bytes, .generation = generation, .mode = RATE_ENFORCE };

	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(run.object, "rules"), &at, &rule, BPF_ANY))
		tap_bail("cannot write a rule");
}

static void test_bytes(void)
{
	uint64_t most = 1000 * workers[0].frame.len, sent;
	struct xdp_stats before, moved;

	set_rule((struct measure){ 1 << MEASURE_SHIFT, UINT32_MAX }, (struct measure){ 1 << MEASURE_SHIFT, most });
	xdp_set_policy(&run, (struct policy){ .rate_mode = RATE_ENFORCE,
					      .window_ns = WINDOW_ENDLESS,
					      .packets = UINT32_MAX,
					      .rate_flags = RATE_BYTES });
	xdp_read_stats(&run, &before);
	sent = workers_run(same_source);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] == 1000, "%llu of %lu passed", moved.reasons[XDP_REASON_PASS], sent);
	tap_result("bytes of one source, all CPUs, one window: exactly the limit passes");
}

/* A token that two CPUs took at once would let more through than the rate. */
static void test_bucket(void)
{
	const uint64_t interval = 20000, burst = 2000; /* ns: 50,000 packets a second */
	struct xdp_stats before, moved;
	uint64_t start, most, sent;
	pthread_t clock;

	set_rule((struct measure){ interval * BUCKET_TICKS << MEASURE_SHIFT, burst * interval * BUCKET_TICKS },
		 (struct measure){});
	xdp_set_policy(&run, (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = 1, .rate_flags = RATE_BUCKET });
	xdp_read_stats(&run, &before);
	atomic_store(&stop, false);
	start = clock_now();
	if (pthread_create(&clock, NULL, stop_later, NULL))
		tap_bail("cannot start a thread");
	sent = workers_run(until_stopped);
	pthread_join(clock, NULL);
	most = burst + (clock_now() - start) / interval;
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] <= most, "%llu of %lu passed, expected at most %lu",
	      moved.reasons[XDP_REASON_PASS], sent, most);
	tap_note("%lu packets, %llu passed, the rate allows %lu", sent, moved.reasons[XDP_REASON_PASS], most);
	tap_result("a token bucket that all CPUs see gives no more than its rate");
}

int main(void)
{
	tap_start();
	xdp_run_open(&run, 0);
	workers_find(&run, SOURCE);
	test_same_source();
	test_first_packets();
	test_taken_entries();
	test_window_changes();
	test_bytes();
	test_bucket();
	xdp_run_close(&run);
	return tap_end();
}

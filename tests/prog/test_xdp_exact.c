/* SPDX-License-Identifier: MIT */
/* Tests: a source that all CPUs see gets its limit: no more, and less than a hundredth less. Leases and lists at hand. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tap.h"
#include "xdp_workers.h"

#define SOURCE "192.0.2.1"
#define LIMIT 10000
#define LEASE(cpus) (LIMIT / (200 * (cpus)) ?: 1) /* as lease_of() has it */
#define BATCH 5000
#define RUN_MS 300
#define WAIT_MS 30000
#define INTERVAL 20000ULL /* ns: 50,000 packets a second; on a slow machine less, for it must send more than that */
#define BURST 50000ULL	  /* packets: so a CPU that is late by less than a second loses none */
#define NEIGHBOURS 3

static struct xdp_run run;
static atomic_bool stop;
static _Atomic uint64_t first_done, last_over; /* ns */
static uint64_t interval = INTERVAL;

static uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void *several_times_the_limit(void *arg)
{
	worker_pin(arg);
	workers_meet(1);
	worker_send(arg, 3 * LIMIT);
	return NULL;
}

static struct policy leased(uint8_t mode)
{
	return (struct policy){
		.rate_mode = mode, .window_ns = WINDOW_ENDLESS, .packets = LIMIT, .lease = LEASE(n_workers)
	};
}

static void test_leases(void)
{
	struct xdp_stats before, moved;
	uint64_t sent;

	xdp_set_policy(&run, leased(RATE_ENFORCE));
	xdp_read_stats(&run, &before);
	sent = workers_run(several_times_the_limit);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] <= LIMIT && moved.reasons[XDP_REASON_PASS] >= LIMIT * 99 / 100,
	      "%llu passed of %d", moved.reasons[XDP_REASON_PASS], LIMIT);
	CHECK(moved.reasons[XDP_REASON_PASS] + moved.reasons[XDP_REASON_RATE_LIMIT] == sent, "sent %lu, counted %llu",
	      sent, moved.packets);
	tap_note("%llu passed of %d, %d CPUs", moved.reasons[XDP_REASON_PASS], LIMIT, n_workers);
	tap_result("packets in a window, with leases: the limit, less under a hundredth");
}

static void set_source(struct worker *w, const char *address)
{
	struct addr addr;

	address_parse(address, addr.b);
	memcpy(w->frame.bytes + w->frame.l3 + 12, &addr.w[3], 4);
}

/* What is not looked up counts as well. */
static void test_unseen(void)
{
	struct policy policy = leased(RATE_ENFORCE);
	struct xdp_stats before, moved;

	policy.charge = n_workers * policy.lease;
	for (int i = 0; i < n_workers; i++)
		set_source(&workers[i], "192.0.2.11");
	xdp_set_policy(&run, policy);
	xdp_read_stats(&run, &before);
	workers_run(several_times_the_limit);
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] <= LIMIT && moved.reasons[XDP_REASON_PASS] >= LIMIT * 99 / 100,
	      "%llu passed of %d", moved.reasons[XDP_REASON_PASS], LIMIT);
	tap_note("%llu passed of %d, %d CPUs", moved.reasons[XDP_REASON_PASS], LIMIT, n_workers);
	for (int i = 0; i < n_workers; i++)
		set_source(&workers[i], SOURCE);
	tap_result("first packets that are not looked up count: the limit, less under a hundredth");
}

/* On one CPU. */
static void test_few(void)
{
	struct source_key key = source_of("192.0.2.12");
	struct policy policy = leased(RATE_ENFORCE);
	struct worker *w = &workers[0];
	uint64_t value = 0;

	policy.lease = 5;
	policy.charge = 40;
	policy.packets = 60;
	set_source(w, "192.0.2.12");
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 5) == XDP_PASS, "dropped");
	CHECK(!xdp_read_source(&run, &key, &value), "a source of five packets is remembered");
	CHECK(worker_send(w, 1) == XDP_PASS, "dropped");
	CHECK(xdp_read_source(&run, &key, &value) && (uint32_t)value == 41, "counted %lu", value);
	CHECK(worker_send(w, 19) == XDP_PASS && worker_send(w, 1) == XDP_DROP, "it has not what the charge leaves");
	set_source(w, "192.0.2.13");
	policy.charge = 0;
	xdp_set_policy(&run, policy);
	key = source_of("192.0.2.13");
	CHECK(worker_send(w, 1) == XDP_PASS && xdp_read_source(&run, &key, &value), "not looked up, with no charge");
	set_source(w, SOURCE);
	tap_result("a source that sends little is not looked up; the next packet finds it charged for that");
}

/* Source number n is 198.51.0.0 + n. */
static struct source_key numbered(uint32_t n)
{
	struct source_key key = {};

	memcpy(&key.w[1], (uint8_t[]){ 198, 51, n >> 8, n }, 4);
	return key;
}

/* Where lease_place() has the lease of a source. Those of one /24 never share a place. */
static uint32_t place(uint32_t n)
{
	return numbered(n).w[1] * 0x9e3779b1u / (UINT32_MAX / MPBPF_LEASES + 1);
}

/* Sources that share the place of the first. */
static void find_neighbours(struct source_key found[NEIGHBOURS])
{
	int n = 0;

	for (uint32_t other = 0; other < UINT16_MAX && n < NEIGHBOURS; other++)
		if (place(other) == place(0))
			found[n++] = numbered(other);
	CHECK(n == NEIGHBOURS, "only %d sources share a place", n);
}

/* In turns, a few packets each: none may lose what another in its place has taken. Few runs, for each takes milliseconds. */
static void test_neighbours(void)
{
	struct worker *w = &workers[0];
	struct xdp_stats before, moved;
	struct policy policy = leased(RATE_ENFORCE);
	struct source_key sources[NEIGHBOURS] = {};

	find_neighbours(sources);
	policy.packets = 100;
	policy.lease = 10;
	xdp_set_policy(&run, policy);
	xdp_read_stats(&run, &before);
	for (int turn = 0; turn < 30; turn++) {
		for (int i = 0; i < NEIGHBOURS; i++) {
			memcpy(w->frame.bytes + w->frame.l3 + 12, &sources[i].w[1], 4);
			worker_send(w, 4);
		}
	}
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.reasons[XDP_REASON_PASS] == NEIGHBOURS * 100, "%llu passed, expected %d",
	      moved.reasons[XDP_REASON_PASS], NEIGHBOURS * 100);
	set_source(w, SOURCE);
	tap_result("sources that share a place among the leases each get their whole limit");
}

static void test_over(void)
{
	struct worker *w = &workers[0];
	struct xdp_stats before, moved;
	struct policy policy = leased(RATE_MONITOR);

	set_source(w, "192.0.2.3");
	policy.packets = 3;
	policy.lease = 2;
	xdp_set_policy(&run, policy);
	xdp_read_stats(&run, &before);
	CHECK(worker_send(w, 10) == XDP_PASS, "monitor drops");
	moved = xdp_stats_since(&run, &before);
	CHECK(moved.would_drop == 7, "%llu would have been dropped", moved.would_drop);
	policy.rate_mode = RATE_ENFORCE;
	policy.packets = 20;
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 1) == XDP_PASS, "a source is over a limit that a reload raised");
	set_source(w, SOURCE);
	tap_result("a source known to be over its limit is so in mode monitor too, and until a reload");
}

static void test_lists(void)
{
	struct worker *w = &workers[0];
	struct policy policy = leased(RATE_OFF);
	const char *address = "192.0.2.7";

	set_source(w, address);
	policy.has_deny = 1;
	xdp_add_cidr(&run, CIDR_DENY, "203.0.113.0", 24);
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 3) == XDP_PASS, "dropped, and is on no list");
	xdp_add_cidr(&run, CIDR_DENY, "192.0.2.0", 29);
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 3) == XDP_DROP, "passes, and is on the deny list of a new policy");
	set_source(w, "192.0.2.8");
	CHECK(worker_send(w, 3) == XDP_PASS, "its neighbour is dropped");
	set_source(w, address);
	policy.has_allow = 1;
	policy.rate_mode = RATE_ENFORCE;
	policy.packets = 1;
	xdp_add_cidr(&run, CIDR_ALLOW, address, 32);
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 3) == XDP_PASS, "limited, and is on the allow list");
	xdp_set_policy(&run, policy);
	CHECK(worker_send(w, 3) == XDP_DROP, "not limited, and no longer on the allow list");
	set_source(w, SOURCE);
	tap_result("what the lists say of an address is known as long as the policy is in force, and no longer");
}

/* ---- token buckets ---- */

static void *until_stopped(void *arg)
{
	struct worker *w = arg;
	uint64_t start, none;

	worker_pin(w);
	workers_meet(1);
	while (!atomic_load(&stop)) {
		start = clock_now();
		if (worker_send(w, BATCH) == XDP_DROP)
			atomic_store(&last_over, start);
		none = 0;
		atomic_compare_exchange_strong(&first_done, &none, clock_now());
	}
	return NULL;
}

/* When the bucket has been seen empty long enough; a slow machine needs longer to empty it. */
static void *stop_later(void *arg)
{
	(void)arg;
	for (int i = 0; i < WAIT_MS && last_over < first_done + RUN_MS * 1000000ULL; i++)
		usleep(1000);
	atomic_store(&stop, true);
	return NULL;
}

/* Rule 0 of the policy that comes next. */
static void set_rule(struct measure packets, struct measure bytes)
{
	uint32_t generation = run.generation + 1, at = (generation & 1) * MPBPF_RULES_MAX;
	struct rate_rule rule = { .packets = packets, .bytes = bytes, .generation = generation, .mode = RATE_ENFORCE };

	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(run.object, "rules"), &at, &rule, BPF_ANY))
		tap_bail("cannot write a rule");
}

/*
 * What must pass, at least: the bucket was full up to the end of the first batch, at the latest, and was empty in some batch that
 * began at `last_over`; at most: it was full at `start`.
 */
static void expect_rate(uint8_t flags, const char *name)
{
	struct xdp_stats before, moved;
	uint64_t start, most, least, passed;
	pthread_t clock;

	xdp_set_policy(&run,
		       (struct policy){ .rate_mode = RATE_ENFORCE, .window_ns = 1, .rate_flags = RATE_BUCKET | flags });
	xdp_read_stats(&run, &before);
	atomic_store(&stop, false);
	atomic_store(&first_done, 0);
	atomic_store(&last_over, 0);
	start = clock_now();
	if (pthread_create(&clock, NULL, stop_later, NULL))
		tap_bail("cannot start a thread");
	workers_run(until_stopped);
	pthread_join(clock, NULL);
	most = BURST + (clock_now() - start) / interval + 1;
	moved = xdp_stats_since(&run, &before);
	passed = moved.reasons[XDP_REASON_PASS];
	least = first_done && last_over > first_done ? BURST + (last_over - first_done) / interval : 0;
	CHECK(least > BURST, "the bucket was never seen empty");
	CHECK(passed <= most && passed >= least * 99 / 100, "%lu passed, expected %lu to %lu", passed, least, most);
	tap_note("%lu passed of %llu, expected %lu to %lu", passed, moved.packets, least, most);
	tap_result(name);
}

static void test_buckets(void)
{
	const uint64_t cost = interval * BUCKET_TICKS, room = BURST * cost;

	set_rule((struct measure){ cost << MEASURE_SHIFT, room }, (struct measure){});
	expect_rate(0, "packets of a token bucket: its rate, within a hundredth");
	set_source(&workers[0], "192.0.2.9");
	for (int i = 1; i < n_workers; i++)
		set_source(&workers[i], "192.0.2.9");
	set_rule((struct measure){ 1, UINT64_MAX >> 2 },
		 (struct measure){ (cost << MEASURE_SHIFT) / workers[0].frame.len, room });
	expect_rate(RATE_BYTES, "bytes of a token bucket: its rate, within a hundredth");
}

int main(void)
{
	const char *slow = getenv("MPBPF_SLOW");

	if (slow && atoi(slow) > 1)
		interval *= atoi(slow);
	tap_start();
	xdp_run_open(&run, 0);
	workers_find(&run, SOURCE);
	test_leases();
	test_unseen();
	/* What is to be known of a source is known to one CPU. */
	worker_pin(&workers[0]);
	test_few();
	test_neighbours();
	test_over();
	test_lists();
	test_buckets();
	xdp_run_close(&run);
	return tap_end();
}

// SPDX-License-Identifier: MIT
/* Tests: request limits in the kernel, through conn_update: exact within 1 % however many CPUs ask, and all or nothing. */
#include <math.h>
#include <pthread.h>
#include <time.h>

#include "conn_run.h"
#include "core/policy_keys.h"

#define GENERATION 7
#define THREADS 2

static int limits;

/* A connection that the helper has, and on which any number of requests may be under way. */
static void put_conn(void)
{
	struct conn conn = { .state = CONN_HELPER, .response.kind = BODY_UNTIL_CLOSE };

	conn_put(&conn);
}

static void put_limit(__u32 bit, char *name, enum limit_per per, double rate, __u32 burst)
{
	struct request_limit_config one = { .name = name, .per = per, .rate = rate, .burst = burst, .enforce = true };
	struct config config = { .request_limits = &one, .n_request_limits = 1 };
	__u32 at = (GENERATION & 1) * MPBPF_LIMITS_MAX + bit;
	struct limit limit;

	limit_of(&config, 0, GENERATION, &limit);
	if (bpf_map_update_elem(limits, &at, &limit, BPF_ANY))
		tap_bail("no limit: %s", strerror(errno));
}

/* Lets one request pass, or not. Returns the program's result. */
static int ask(__u64 bits, __u64 token, __u32 *ret_retry)
{
	struct conn_op op = {
		.op = CONN_OP_ALLOW, .limits = bits, .token = { token, token }, .generation = GENERATION
	};

	conn_run(&op);
	if (ret_retry)
		*ret_retry = op.retry_s;
	return op.result;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

struct asker {
	pthread_t thread;
	__u64 token;
	double until;
	double first; /* when its first ask was over: by then the bucket is there, full, and begins to fill up again */
	double last;  /* when its last one began */
	unsigned int passed, refused;
};

static void *asker_run(void *data)
{
	struct asker *a = data;

	while (now() < a->until) {
		a->last = now();
		if (ask(1, a->token, NULL))
			a->refused++;
		else
			a->passed++;
		if (!a->first)
			a->first = now();
	}
	return NULL;
}

/*
 * For a second and a half, all threads one token: as many pass as the rate gives, and the burst, which covers two seconds in
 * which a busy machine runs none of them.
 */
static void test_rate(double rate, __u32 burst)
{
	struct asker askers[THREADS] = {};
	unsigned int passed = 0, refused = 0;
	double begin, first = INFINITY, last = 0, least, most;

	put_limit(0, "rate", LIMIT_PER_TOKEN, rate, burst);
	begin = now();
	for (int i = 0; i < THREADS; i++) {
		askers[i].token = rate + burst;
		askers[i].until = begin + 1.5;
		if (pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]))
			tap_bail("no thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		passed += askers[i].passed;
		refused += askers[i].refused;
		if (askers[i].first && askers[i].first < first)
			first = askers[i].first;
		last = askers[i].last > last ? askers[i].last : last;
	}
	most = burst + rate * (now() - begin) + 1;
	least = (burst + rate * (last - first)) * 0.99 - 1;
	CHECK(passed <= most && passed >= least, "%u passed, %.1f to %.1f expected", passed, least, most);
	CHECK(refused > 0, "nothing was refused: the limit was not reached");
	tap_note("%.0f/s, burst %u: %u passed, %u refused", rate, burst, passed, refused);
	tap_result("the rate is kept, with two CPUs on one token");
}

static void test_burst(void)
{
	unsigned int passed = 0;

	put_limit(0, "burst", LIMIT_PER_TOKEN, 0.001, 17);
	for (int i = 0; i < 30; i++)
		passed += !ask(1, 1, NULL);
	CHECK(passed == 17, "%u passed", passed);
	CHECK(!ask(1, 2, NULL), "another token was refused");
	tap_result("a burst is exact, and each token has its own");
}

static void test_retry(void)
{
	__u32 retry = 0;

	put_limit(0, "retry", LIMIT_PER_TOKEN, 0.1, 1);
	ask(1, 3, NULL);
	CHECK(ask(1, 3, &retry) == -EDQUOT && retry >= 9 && retry <= 10, "retry after %u s", retry);
	put_limit(0, "retry-long", LIMIT_PER_TOKEN, 0.001, 1000000);
	for (int i = 0; i < 3; i++)
		CHECK(!ask(1, 3, NULL), "refused within the burst");
	tap_result("a refusal tells when there is room");
}

static void test_all_or_nothing(void)
{
	unsigned int passed = 0;

	put_limit(0, "wide", LIMIT_PER_TOKEN, 0.001, 10);
	put_limit(1, "tight", LIMIT_PER_LISTENER, 0.001, 2);
	put_limit(63, "last", LIMIT_PER_SUBJECT, 0.001, 100);
	for (int i = 0; i < 20; i++)
		passed += !ask(1ULL << 63 | 3, 5, NULL);
	CHECK(passed == 2, "%u passed under the tighter limit", passed);
	passed = 0;
	for (int i = 0; i < 20; i++)
		passed += !ask(1, 5, NULL);
	CHECK(passed == 8, "%u passed under the wider one: refusals were counted against it", passed);
	tap_result("a request counts against all its limits or none");
}

static void test_other_generation(void)
{
	__u32 at = (GENERATION & 1) * MPBPF_LIMITS_MAX + 2;
	struct limit limit = { .generation = GENERATION + 2, .interval = ~0ULL >> 1, .id = 1 };

	bpf_map_update_elem(limits, &at, &limit, BPF_ANY);
	for (int i = 0; i < 3; i++)
		CHECK(!ask(4, 6, NULL), "refused");
	tap_result("a slot of another generation limits nothing");
}

int main(void)
{
	tap_start();
	conn_run_open();
	limits = map_fd("limits");
	put_conn();
	test_burst();
	test_retry();
	test_all_or_nothing();
	test_other_generation();
	test_rate(100, 200);
	test_rate(1000, 2000);
	test_rate(33.3, 67);
	bpf_object__close(object);
	return tap_end();
}

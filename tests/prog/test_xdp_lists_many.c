/* SPDX-License-Identifier: MIT */
/* Tests: long lists kept at run time: growing beyond the room there is, and deleting what has expired, in steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lists_maps.h"
#include "lists_test.h"

static size_t many(void)
{
	const char *slow = getenv("MPBPF_SLOW");

	return 20000 / (slow && atoi(slow) > 1 ? 4 : 1);
}

/* 100.64.0.0 and on, and every second of them with an end. */
static struct list_entry numbered(uint32_t i, uint64_t until)
{
	struct list_entry e = entry("100.64.0.0", i & 1 ? until : GOOD);

	e.cidr.addr.b[13] += i >> 16;
	e.cidr.addr.b[14] = i >> 8;
	e.cidr.addr.b[15] = i;
	return e;
}

static void test_many(void)
{
	size_t n = many(), more = n / 8 + 1500;
	struct list_entry *entries = calloc(n, sizeof(*entries));
	char text[32];
	int r;

	if (!entries)
		tap_bail("no memory");
	for (size_t i = 0; i < n; i++)
		entries[n - 1 - i] = numbered(i, GOOD);
	put(&block, "2001:db8::/32", GOOD);
	r = list_put(&block, entries, n, false, now());
	CHECK(r == 0 && count(&block) == n + 1, "%d, %zu networks are listed", r, count(&block));
	expect("100.64.0.0", XDP_REASON_DENIED);
	snprintf(text, sizeof(text), "100.64.%zu.%zu", (n - 1) >> 8, (n - 1) & 255);
	expect(text, XDP_REASON_DENIED);
	expect("100.63.255.255", XDP_REASON_PASS);
	expect("100.65.0.0", XDP_REASON_PASS);
	expect("2001:db8::5", XDP_REASON_DENIED);
	r = list_put(&block, entries, n, false, now());
	CHECK(r == 0 && count(&block) == n + 1, "again: %d, %zu networks are listed", r, count(&block));
	/* More than the spare room of a map. */
	for (size_t i = 0; i < more; i++) {
		struct list_entry e = numbered(65536 + i, GOOD);

		r = list_put(&block, &e, 1, false, now());
		if (!CHECK(r == 0, "number %zu: %s", i, strerror(-r)))
			break;
	}
	CHECK(count(&block) == n + more + 1, "%zu networks are listed", count(&block));
	expect("100.65.0.0", XDP_REASON_DENIED);
	expect("100.64.0.0", XDP_REASON_DENIED);
	free(entries);
	tap_result("thousands at once, the same again, and one by one beyond the room there is");
}

static struct list_lengths lengths(void)
{
	struct list_lengths l = {};

	list_lengths_read(&block, &l);
	return l;
}

static size_t sum(void)
{
	struct list_lengths l = lengths();

	return list_lengths_sum(&l);
}

static void purge_all(uint64_t at)
{
	struct list_purge purge = {};

	while (list_purge(&block, &purge, at) > 0)
		;
}

static void test_purge(void)
{
	struct list_purge purge = {};
	uint64_t end = now() + 86400 * NSEC_PER_SEC;
	size_t n = many(), left = n / 2 + n / 8 + 1500 + 3;
	struct list_entry *entries = calloc(n, sizeof(*entries));
	int steps = 0, r;

	if (!entries)
		tap_bail("no memory");
	CHECK(list_purge(&block, &purge, now()) == 0 && lengths().first_end == GOOD, "there is nothing to purge");
	for (uint32_t i = 0; i < n; i++)
		entries[i] = numbered(i, end);
	r = list_put(&block, entries, n, false, now());
	CHECK(r == 0, "%s", strerror(-r));
	free(entries);
	put(&block, "198.51.0.0/16", end + 7);
	put(&block, "2001:db8::/32", end);
	CHECK(lengths().first_end == end && lengths().v4 == 0x10001, "ends and lengths are not kept");
	CHECK(list_purge(&block, &purge, end - 1) == 0, "something is purged too early");
	for (r = 1; r > 0 && steps < 1000; steps++) {
		r = list_purge(&block, &purge, end);
		/* Another map takes the place of the one that is walked. */
		if (steps == 1) {
			struct list_entry e[2] = { entry("192.0.2.1", GOOD), entry("192.0.2.2", end + 9) };

			list_put(&block, e, 2, false, now());
		}
	}
	CHECK(r == 0 && steps > 3, "%d steps, %d", steps, r);
	CHECK(count(&block) == left, "%zu networks are left of %zu", count(&block), left + n / 2 + 1);
	CHECK(!lengths().v6[0] && sum() == left, "%zu networks are counted", sum());
	purge_all(end);
	CHECK(lengths().first_end == end + 7, "the first end is %lld ns after the last",
	      (long long)(lengths().first_end - end));
	purge_all(end + 8);
	CHECK(lengths().v4 == 1 && lengths().first_end == end + 9,
	      "the last network of a length is gone, its bit is not");
	tap_result("what has expired is deleted a batch at a time, and its lengths with it");
}

int main(void)
{
	tap_start();
	lists_run_open(&all);
	test_many();
	test_purge();
	lists_run_close(&all);
	return tap_end();
}

/* SPDX-License-Identifier: MIT */
/* Tests: lists kept at run time, from core/lists to what becomes of packets: ends, lengths, families, replacing, reasons. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "core/pins.h"
#include "lists_test.h"

static struct lists allow = { .maps = &all.maps, .pin_root = all.pin_root, .list = CIDR_ALLOW };

/* ---- what is listed ---- */

static void test_networks(void)
{
	expect("203.0.113.1", XDP_REASON_PASS);
	put(&block, "203.0.113.0/24", GOOD);
	put(&block, "198.51.100.7", GOOD);
	put(&block, "10.0.0.0/8", GOOD);
	put(&block, "2001:db8:bad::/48", GOOD);
	put(&block, "2001:db8:1::/64", GOOD);
	put(&block, "2001:db8:2:0:8000::/65", GOOD);
	put(&block, "2001:db8:1:2::3", GOOD);
	expect("203.0.113.0", XDP_REASON_DENIED);
	expect("203.0.113.255", XDP_REASON_DENIED);
	expect("203.0.114.0", XDP_REASON_PASS);
	expect("203.0.112.255", XDP_REASON_PASS);
	expect("198.51.100.7", XDP_REASON_DENIED);
	expect("198.51.100.6", XDP_REASON_PASS);
	expect("10.255.0.1", XDP_REASON_DENIED);
	expect("11.0.0.1", XDP_REASON_PASS);
	expect("2001:db8:bad:ffff::1", XDP_REASON_DENIED);
	expect("2001:db8:bae::1", XDP_REASON_PASS);
	expect("2001:db8:1::ffff", XDP_REASON_DENIED);
	expect("2001:db8:1:1::ffff", XDP_REASON_PASS);
	expect("2001:db8:2:0:8000::1", XDP_REASON_DENIED);
	expect("2001:db8:2:0:7fff::1", XDP_REASON_PASS);
	expect("2001:db8:1:2::3", XDP_REASON_DENIED);
	expect("2001:db8:1:2::4", XDP_REASON_PASS);
	CHECK(del(&block, "10.0.0.0/8") == 1 && del(&block, "10.0.0.0/8") == 0,
	      "deleting does not tell what was there");
	expect("10.255.0.1", XDP_REASON_PASS);
	CHECK(count(&block) == 6, "%zu networks are left", count(&block));
	tap_result("networks of both families are blocked as a whole, and nothing beside them");
}

static void test_everything(void)
{
	REPLACE(&block, "0.0.0.0/0");
	expect("192.0.2.1", XDP_REASON_DENIED);
	expect("255.255.255.255", XDP_REASON_DENIED);
	expect("2001:db8::1", XDP_REASON_PASS);
	REPLACE(&block, "::/0");
	expect("192.0.2.1", XDP_REASON_PASS);
	expect("2001:db8::1", XDP_REASON_DENIED);
	expect("ffff::1", XDP_REASON_DENIED);
	REPLACE(&block, "::/1", "128.0.0.0/1");
	expect("2001:db8::1", XDP_REASON_DENIED);
	expect("8001::1", XDP_REASON_PASS);
	expect("192.0.2.1", XDP_REASON_DENIED);
	expect("127.0.2.1", XDP_REASON_PASS);
	REPLACE(&block);
	expect("192.0.2.1", XDP_REASON_PASS);
	expect("2001:db8::1", XDP_REASON_PASS);
	CHECK(!count(&block), "something is left");
	tap_result("all of a family, half of it, and nothing");
}

static void test_ends(void)
{
	uint64_t end = now() + 300 * NSEC_PER_MSEC;

	put(&block, "2001:db8:7::/48", GOOD);
	put(&block, "192.0.2.0/24", GOOD);
	put(&block, "192.0.2.1", now() - 1);
	put(&block, "198.51.100.1", now() - 1);
	put(&block, "198.51.0.0/16", now() - 1);
	put(&block, "2001:db8:7::/64", now() - 1);
	put(&block, "2001:db8:7::1", now() - 1);
	put(&block, "203.0.113.1", end);
	CHECK(count(&block) == 8, "%zu networks: what has expired is to be there still", count(&block));
	expect("203.0.113.1", XDP_REASON_DENIED);
	expect("192.0.2.1", XDP_REASON_DENIED);
	expect("198.51.100.1", XDP_REASON_PASS);
	expect("2001:db8:7::1", XDP_REASON_DENIED);
	put(&block, "192.0.2.0/24", now() - 1);
	put(&block, "2001:db8:7::/48", now() - 1);
	expect("192.0.2.1", XDP_REASON_PASS);
	expect("2001:db8:7::1", XDP_REASON_PASS);
	put(&block, "192.0.2.1", GOOD);
	expect("192.0.2.1", XDP_REASON_DENIED);
	while (now() < end)
		usleep(10000);
	expect("203.0.113.1", XDP_REASON_PASS);
	put(&block, "203.0.113.1", now() + 3600 * NSEC_PER_SEC);
	expect("203.0.113.1", XDP_REASON_DENIED);
	CHECK(del(&block, "198.51.100.1") == 0, "what has expired is said to have been listed");
	REPLACE(&block);
	tap_result(
		"what has expired matches no more, at that moment; a wider or a longer network that has not still does");
}

static void test_precedence(void)
{
	struct policy limited = {
		.rate_mode = RATE_ENFORCE, .window_ns = WINDOW_ENDLESS, .packets = 1, .drop_invalid = 1
	};

	xdp_set_policy(&all.xdp, limited);
	put(&allow, "203.0.113.0/24", GOOD);
	put(&allow, "2001:db8:5::/48", GOOD);
	for (int i = 0; i < 3; i++) {
		expect("203.0.113.9", XDP_REASON_PASS);
		expect("2001:db8:5::9", XDP_REASON_PASS);
	}
	expect("203.0.114.9", XDP_REASON_PASS);
	expect("203.0.114.9", XDP_REASON_RATE_LIMIT);
	put(&block, "203.0.113.9", GOOD);
	expect("203.0.113.9", XDP_REASON_DENIED);
	expect("203.0.113.8", XDP_REASON_PASS);
	limited.has_deny = limited.has_allow = 1;
	xdp_add_cidr(&all.xdp, CIDR_DENY, "203.0.113.8", 32);
	xdp_add_cidr(&all.xdp, CIDR_ALLOW, "203.0.113.9", 32);
	xdp_set_policy(&all.xdp, limited);
	expect("203.0.113.8", XDP_REASON_DENIED);
	expect("203.0.113.9", XDP_REASON_DENIED);
	REPLACE(&block);
	REPLACE(&allow);
	expect("203.0.113.7", XDP_REASON_PASS);
	expect("203.0.113.7", XDP_REASON_RATE_LIMIT);
	xdp_set_policy(&all.xdp, (struct policy){ .drop_invalid = 1 });
	tap_result("blocked or denied before allowed, by the configuration or at run time; allowed before limited");
}

/* ---- replacing under fire ---- */

#define FIRED 200000 /* packets at least, and */
#define REPLACED 5   /* times that the list is replaced meanwhile, twice each */

static atomic_bool fired_enough;

/* Batches of 1,000, so that most of them see a list being replaced. */
static void *fire(void *frame)
{
	const struct frame *f = frame;

	while (!fired_enough)
		xdp_run_frame(&all.xdp, f->bytes, f->len, ALL_LINEAR, 1000);
	return NULL;
}

static void test_replace(void)
{
	struct frame v4 = frame_of("203.0.113.9"), v6 = frame_of("2001:db8:5::9");
	struct xdp_stats before, moved;
	pthread_t threads[2];
	int n = 0;

	REPLACE(&block, "203.0.113.9", "2001:db8:5::9");
	xdp_read_stats(&all.xdp, &before);
	if (pthread_create(&threads[0], NULL, fire, &v4) || pthread_create(&threads[1], NULL, fire, &v6))
		tap_bail("no threads");
	do {
		REPLACE(&block, "203.0.113.0/24", "2001:db8:5::/64", "192.0.2.7");
		REPLACE(&block, "203.0.113.9", "2001:db8::/32");
		n++;
		moved = xdp_stats_since(&all.xdp, &before);
	} while ((moved.packets < FIRED || n < REPLACED) && n < 10000);
	fired_enough = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	moved = xdp_stats_since(&all.xdp, &before);
	CHECK(moved.packets >= FIRED && moved.reasons[XDP_REASON_DENIED] == moved.packets,
	      "%llu of %llu packets were dropped, the list was replaced %d times", moved.reasons[XDP_REASON_DENIED],
	      moved.packets, 2 * n);
	REPLACE(&block);
	tap_result("no packet finds neither the old nor the new list while one takes the other's place");
}

/* ---- reasons, and what was cut short ---- */

static void test_reasons(void)
{
	_cleanup_free_ struct list_reason *reasons = NULL;
	uint32_t first = 0, number = 0;
	char text[32];
	int r = 0;

	REPLACE(&block);
	CHECK(list_reason_number(&block, "scanner", &first) == 0 && first, "a reason gets no number");
	CHECK(list_reason_number(&allow, "scanner", &number) == 0 && number == first, "the same gets another");
	struct list_entry e = entry("192.0.2.1", GOOD);

	e.listed.reason = first;
	list_put(&allow, &e, 1, false, now());
	for (int i = 0; r == 0 && i < MPBPF_LIST_REASONS + 5; i++) {
		snprintf(text, sizeof(text), "reason %d", i);
		r = list_reason_number(&block, text, &number);
		CHECK(number != first, "%s takes a number that is in use", text);
	}
	CHECK(r == 0, "numbers that nobody bears are not used again: %s", strerror(-r));
	CHECK(list_reasons_read(&all.maps, &reasons) == 0 && !strcmp(reasons[first - 1].text, "scanner"),
	      "the first is gone");
	REPLACE(&allow);
	tap_result("reasons share numbers, which are used again when no network bears them");
}

static void test_cut_short(void)
{
	char from[PIN_PATH_MAX], to[PIN_PATH_MAX];

	REPLACE(&block, "203.0.113.0/24");
	pins_path(from, all.pin_root, "maps", "blocked4");
	pins_path(to, all.pin_root, "maps", "blocked4+new");
	CHECK(rename(from, to) == 0, "%s", strerror(errno));
	CHECK(count(&block) == 1, "the list cannot be read");
	CHECK(access(from, F_OK) == 0 && access(to, F_OK) < 0, "the pin is not put right");
	/* Staged, and never put in force. */
	CHECK(bpf_obj_pin(all.xdp.sources, to) == 0, "%s", strerror(errno));
	put(&block, "203.0.114.0/24", GOOD);
	CHECK(count(&block) == 2, "%zu networks", count(&block));
	REPLACE(&block, "203.0.114.0/24");
	expect("203.0.114.1", XDP_REASON_DENIED);
	expect("203.0.113.1", XDP_REASON_PASS);
	REPLACE(&block);
	CHECK(access(from, F_OK) < 0, "an empty list has a pin");
	tap_result("a command that was killed before or after the switch leaves a list that works");
}

int main(void)
{
	tap_start();
	lists_run_open(&all);
	test_networks();
	test_everything();
	test_ends();
	test_precedence();
	test_replace();
	test_reasons();
	test_cut_short();
	lists_run_close(&all);
	return tap_end();
}

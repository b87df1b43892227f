/* SPDX-License-Identifier: MIT */
/* What the tests of core/lists with packets share: the list of the blocked, what is put into a list, and what becomes of a source. */
#ifndef MPBPF_TESTS_LISTS_TEST_H
#define MPBPF_TESTS_LISTS_TEST_H

#include <string.h>

#include "core/clock.h"
#include "core/lists.h"
#include "core/util.h"
#include "lists_run.h"
#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define GOOD LISTED_FOR_GOOD

static struct lists_run all;
static struct lists block = { .maps = &all.maps, .pin_root = all.pin_root, .list = CIDR_DENY };

static inline uint64_t now(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static inline struct list_entry entry(const char *text, uint64_t until)
{
	char error[LIST_ERROR_MAX];
	struct list_entry e;

	if (list_entry_parse(text, &e, error))
		tap_bail("%s", error);
	e.listed.until = until;
	return e;
}

static inline void put(const struct lists *lists, const char *text, uint64_t until)
{
	struct list_entry e = entry(text, until);
	int r = list_put(lists, &e, 1, false, now());

	CHECK(r == 0, "%s is not added: %s", text, strerror(-r));
}

static inline size_t del(const struct lists *lists, const char *text)
{
	struct list_entry e = entry(text, GOOD);
	size_t found = 99;
	int r = list_remove(lists, &e, 1, now(), &found);

	CHECK(r == 0, "%s is not deleted: %s", text, strerror(-r));
	return found;
}

static inline void replace(const struct lists *lists, const char *const *texts)
{
	struct list_entry entries[8];
	size_t n = 0;
	int r;

	for (; texts[n]; n++)
		entries[n] = entry(texts[n], GOOD);
	r = list_put(lists, entries, n, true, now());
	CHECK(r == 0, "the list is not replaced: %s", strerror(-r));
}

#define REPLACE(lists, ...) replace(lists, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static inline struct frame frame_of(const char *source)
{
	struct packet_spec spec = { .family = strchr(source, ':') ? 6 : 4, .proto = PROTO_TCP, .source = source };
	struct frame frame;

	packet_build(&spec, &frame);
	return frame;
}

static inline void expect(const char *source, enum xdp_reason reason)
{
	struct frame frame = frame_of(source);

	xdp_expect(&all.xdp, frame.bytes, frame.len, ALL_LINEAR, reason, NO_PROTOCOL, source);
}

static inline size_t count(const struct lists *lists)
{
	_cleanup_free_ struct list_entry *entries = NULL;
	size_t n = 0;
	int r = list_read(lists, &entries, &n);

	CHECK(r == 0, "the list cannot be read: %s", strerror(-r));
	return n;
}

#endif

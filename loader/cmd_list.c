// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf block` and `mpbpf allow`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "core/clock.h"
#include "core/lists.h"
#include "core/pins.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/verdict_view.h"
#include "loader/view.h"

static const char *const command_names[CIDR_LIST_MAX] = { [CIDR_DENY] = "block", [CIDR_ALLOW] = "allow" };

/* What a command is about: networks, and the list of a loaded data path, locked. */
struct order {
	struct list_entry *entries;
	size_t n;
	struct maps maps;
	struct lists lists;
	int lock;
	uint64_t now; /* CLOCK_BOOTTIME, ns */
};

#define ORDER_EMPTY { .maps = MAPS_EMPTY, .lock = -1 }

static void order_close(struct order *order)
{
	free(order->entries);
	close_fd(&order->lock);
	maps_close(&order->maps);
}

static int failed(const struct context *c, int r)
{
	const char *name = command_names[c->list];

	if (r == -E2BIG)
		log_line("%s: more than %d networks would be listed: nothing is changed", name, MPBPF_LISTED_MAX);
	else if (r == -EUSERS)
		log_line("%s: %d other reasons are in use: nothing is changed; give one of those", name,
			 MPBPF_LIST_REASONS);
	else if (r == -ESTALE)
		log_line("%s: a pin of the list was deleted by somebody else; `mpbpf unload` and load again", name);
	else
		log_line("%s: %s", name, strerror(-r));
	return EXIT_FAILED;
}

/* ---- which networks ---- */

static int read_file(const struct context *c, struct order *order)
{
	_cleanup_fclose_ FILE *opened = NULL;
	char error[LIST_ERROR_MAX];
	FILE *file = stdin;
	int r;

	if (strcmp(c->file, "-")) {
		file = opened = fopen(c->file, "re");
		if (!file) {
			log_line("--file %s: %s", c->file, strerror(errno));
			return EXIT_USAGE;
		}
	}
	errno = 0;
	r = list_file_read(file, &order->entries, &order->n, error);
	if (r == 0)
		return EXIT_DONE;
	log_line("--file %s: %s", c->file, r == -EINVAL ? error : strerror(-r));
	return r == -ENOMEM || r == -EIO ? EXIT_FAILED : EXIT_USAGE;
}

static int read_one(const struct context *c, struct order *order)
{
	char error[LIST_ERROR_MAX];

	order->entries = calloc(1, sizeof(*order->entries));
	if (!order->entries)
		return failed(c, -ENOMEM);
	order->n = 1;
	if (list_entry_parse(c->network, order->entries, error) == 0)
		return EXIT_DONE;
	log_line("%s", error);
	return EXIT_USAGE;
}

static int order_networks(const struct context *c, struct order *order, const char *action)
{
	if (!c->network == !c->file) {
		log_line("name %s; see `mpbpf %s %s --help`",
			 c->network ? "either a network or a file, not both"
				    : "a network, or a file of networks with --file",
			 command_names[c->list], action);
		return EXIT_USAGE;
	}
	if (c->reason && !list_reason_is_valid(c->reason)) {
		log_line("--reason: expected 1 to %d printable ASCII characters", MPBPF_LIST_REASON_SIZE - 1);
		return EXIT_USAGE;
	}
	return c->file ? read_file(c, order) : read_one(c, order);
}

/* ---- the list ---- */

static int order_open(const struct context *c, struct order *order)
{
	int r = context_need_root();

	if (r == EXIT_DONE)
		r = view_open(c, &order->maps);
	if (r != EXIT_DONE)
		return r;
	order->lists = (struct lists){ .maps = &order->maps, .pin_root = c->pin_root, .list = c->list };
	order->lock = pins_lists_lock(c->pin_root, true);
	order->now = clock_ns(CLOCK_BOOTTIME);
	return order->lock < 0 ? failed(c, order->lock) : EXIT_DONE;
}

/* What has expired only takes room; whoever comes next deletes it. */
static void purge(const struct order *order)
{
	struct list_purge purge = {};

	while (list_purge(&order->lists, &purge, order->now) > 0)
		;
}

static uint64_t end_of(const struct context *c, const struct order *order)
{
	uint64_t end;

	if (!c->for_s || __builtin_add_overflow(order->now, c->for_s * NSEC_PER_SEC, &end))
		return LISTED_FOR_GOOD;
	return end;
}

static int put(const struct context *c, struct order *order, bool replace)
{
	struct listed listed = { .at = clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC, .until = end_of(c, order) };
	int r = 0;

	if (c->reason)
		r = list_reason_number(&order->lists, c->reason, &listed.reason);
	for (size_t i = 0; i < order->n; i++)
		order->entries[i].listed = listed;
	if (r == 0)
		r = list_put(&order->lists, order->entries, order->n, replace, order->now);
	if (r < 0)
		return failed(c, r);
	purge(order);
	return EXIT_DONE;
}

int cmd_list_add(const struct context *c)
{
	_cleanup_(order_close) struct order order = ORDER_EMPTY;
	int r;

	r = order_networks(c, &order, "add");
	if (r == EXIT_DONE)
		r = order_open(c, &order);
	return r == EXIT_DONE ? put(c, &order, false) : r;
}

int cmd_list_replace(const struct context *c)
{
	_cleanup_(order_close) struct order order = ORDER_EMPTY;
	int r;

	r = order_networks(c, &order, "replace");
	if (r == EXIT_DONE)
		r = order_open(c, &order);
	return r == EXIT_DONE ? put(c, &order, true) : r;
}

int cmd_list_del(const struct context *c)
{
	_cleanup_(order_close) struct order order = ORDER_EMPTY;
	size_t found;
	int r;

	r = order_networks(c, &order, "del");
	if (r == EXIT_DONE)
		r = order_open(c, &order);
	if (r != EXIT_DONE)
		return r;
	r = list_remove(&order.lists, order.entries, order.n, order.now, &found);
	if (r < 0)
		return failed(c, r);
	purge(&order);
	if (c->file) {
		printf("%zu of %zu networks were listed\n", found, order.n);
	} else if (!found) {
		log_line("%s: not on the list; `mpbpf %s list` shows what is", c->network, command_names[c->list]);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* ---- list ---- */

struct listing {
	const struct order *order;
	struct list_reason *reasons;
	bool json, more;
};

static const char *reason_of(const struct listing *listing, const struct listed *listed)
{
	return listed->reason && listed->reason <= MPBPF_LIST_REASONS ? listing->reasons[listed->reason - 1].text : "";
}

static int64_t wall_of(const struct order *order, uint64_t boottime)
{
	return (int64_t)(boottime + order->maps.control->wall_offset_ns) / NSEC_PER_SEC;
}

static int print_json(struct listing *listing, const struct list_entry *entry)
{
	_cleanup_free_ char *quoted = NULL;
	const char *reason = reason_of(listing, &entry->listed);
	cJSON *string = reason[0] ? cJSON_CreateString(reason) : cJSON_CreateNull();
	char network[CIDR_TEXT_MAX], until[32] = "null";

	quoted = string ? cJSON_PrintUnformatted(string) : NULL;
	cJSON_Delete(string);
	if (!quoted)
		return -ENOMEM;
	if (entry->listed.until != LISTED_FOR_GOOD)
		snprintf(until, sizeof(until), "%" PRId64, wall_of(listing->order, entry->listed.until));
	printf("%s\n    {\"network\": \"%s\", \"at\": %u, \"until\": %s, \"reason\": %s}", listing->more ? "," : "",
	       cidr_text(&entry->cidr, list_entry_is_v4(entry), network), entry->listed.at, until, quoted);
	listing->more = true;
	return 0;
}

static int print_text(const struct listing *listing, const struct list_entry *entry)
{
	const char *reason = reason_of(listing, &entry->listed);
	char network[CIDR_TEXT_MAX], until[VERDICT_TIME_MAX], at[VERDICT_TIME_MAX];
	bool for_good = entry->listed.until == LISTED_FOR_GOOD;

	printf("%-18s since %s, %s%s%s%s\n", cidr_text(&entry->cidr, list_entry_is_v4(entry), network),
	       verdict_time(entry->listed.at, at), for_good ? "for good" : "until ",
	       for_good ? "" : verdict_time(wall_of(listing->order, entry->listed.until), until), reason[0] ? ": " : "",
	       reason);
	return 0;
}

static int print_all(struct listing *listing, const struct order *order)
{
	int r = 0;

	if (listing->json)
		printf("{\n  \"networks\": [");
	for (size_t i = 0; r == 0 && i < order->n; i++) {
		if (order->entries[i].listed.until <= order->now)
			continue;
		r = listing->json ? print_json(listing, &order->entries[i]) : print_text(listing, &order->entries[i]);
	}
	if (listing->json)
		printf("%s]\n}\n", listing->more ? "\n  " : "");
	return r;
}

int cmd_list_list(const struct context *c)
{
	_cleanup_(order_close) struct order order = ORDER_EMPTY;
	struct listing listing = { .order = &order, .json = c->json };
	int r;

	r = order_open(c, &order);
	if (r != EXIT_DONE)
		return r;
	r = list_read(&order.lists, &order.entries, &order.n);
	if (r == 0)
		r = list_reasons_read(&order.maps, &listing.reasons);
	/* What is printed may be waited for: others need not. */
	close_fd(&order.lock);
	if (r == 0) {
		qsort(order.entries, order.n, sizeof(*order.entries), list_entry_compare);
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		r = print_all(&listing, &order);
	}
	free(listing.reasons);
	return r < 0 ? failed(c, r) : EXIT_DONE;
}

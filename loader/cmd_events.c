// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf events`: what was dropped lately, which ways connections took, and what comes now. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cjson/cJSON.h>

#include "core/clock.h"
#include "core/events.h"
#include "core/pins.h"
#include "core/reason_names.h"
#include "core/rule_stats.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/view.h"

#define POLL_NS (100 * NSEC_PER_MSEC)
#define POLLS_A_SECOND 10

struct watch {
	const struct context *context;
	const struct maps *maps;
	struct events events;
	uint64_t suppressed; /* as was last said */
};

static bool is_among(const char *name, const char *const *names, size_t n, size_t first, uint8_t value)
{
	for (size_t i = first; i < n; i++)
		if (!strcmp(name, names[i]))
			return value == i || value == UINT8_MAX;
	return false;
}

#define AMONG(name, names, first, value) is_among(name, names, ARRAY_SIZE(names), first, value)

/* Of a packet the reason, or the kind of malformed packets; of a connection why it was refused, or the way that it took. */
static bool is_called(const char *name, uint8_t kind, uint8_t reason, uint8_t detail)
{
	if (kind == EVENT_CONNECTION)
		return AMONG(name, connection_reason_names, CONNECTION_TAKEN + 1, reason) ||
		       AMONG(name, connection_way_names, CONNECTION_NO_WAY + 1, detail);
	return AMONG(name, xdp_reason_names, XDP_REASON_PASS + 1, reason) ||
	       AMONG(name, malformed_names, MALFORMED_NONE + 1, detail);
}

static bool is_wanted(const struct context *c, const struct event_record *event)
{
	return !c->reason || is_called(c->reason, event->kind, event->reason, event->detail);
}

static const char *text_of(const cJSON *json, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name)) ?: "";
}

static void print_end(const cJSON *json, const char *address, const char *port)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(json, port);
	const char *text = text_of(json, address);
	bool v6 = strchr(text, ':');

	if (number)
		printf(v6 ? "[%s]:%.0f" : "%s:%.0f", text, number->valuedouble);
	else
		printf("%s", text);
}

/* "TIME dropped malformed (land) 192.0.2.1:40000 > 198.51.100.1:80 tcp, interface 3, 60 bytes" */
static void print_packet(const cJSON *json, const struct event_record *event)
{
	const char *more = text_of(json, event->detail ? "detail" : "rule");

	printf("%s %s %s%s%s%s ", text_of(json, "time"), event->flags & EVENT_WOULD ? "would drop" : "dropped",
	       text_of(json, "reason"), more[0] ? " (" : "", more, more[0] ? ")" : "");
	if (event->family) {
		print_end(json, "source", "source_port");
		printf(" > ");
		print_end(json, "dest", "dest_port");
		printf(" %s, ", text_of(json, "protocol"));
	}
	printf("interface %u, %u bytes\n", event->ifindex, event->len);
}

/* "TIME connection relay 192.0.2.1:40000 > 198.51.100.1:3128 tcp, endpoint 10.0.0.1:80", "TIME refused no_route ..." */
static void print_connection(const cJSON *json, const struct event_record *event)
{
	bool refused = event->reason != CONNECTION_TAKEN;

	printf("%s %s %s ", text_of(json, "time"), refused ? "refused" : "connection",
	       text_of(json, refused ? "reason" : "way"));
	print_end(json, "source", "source_port");
	printf(" > ");
	print_end(json, "dest", "dest_port");
	printf(" %s", text_of(json, "protocol"));
	if (event->endpoint_port) {
		printf(", endpoint ");
		print_end(json, "endpoint", "endpoint_port");
	}
	printf("\n");
}

static int print_event(const struct watch *watch, const struct event_record *event)
{
	bool ruled = event->kind == EVENT_PACKET && event->reason == XDP_REASON_RATE_LIMIT;
	struct name rule = {};
	cJSON *json;
	char *line;

	if (!is_wanted(watch->context, event))
		return 0;
	if (ruled)
		rule_name(watch->maps, event->rule, &rule);
	json = event_json(event, rule.text[0] ? rule.text : NULL, watch->maps->control->wall_offset_ns);
	line = json ? cJSON_PrintUnformatted(json) : NULL;
	if (line && watch->context->json)
		puts(line);
	else if (line && event->kind == EVENT_CONNECTION)
		print_connection(json, event);
	else if (line)
		print_packet(json, event);
	free(line);
	cJSON_Delete(json);
	return line ? 0 : -ENOMEM;
}

static void print_gap(const struct watch *watch, const char *kind, uint64_t count, const char *text)
{
	if (watch->context->json)
		printf("{\"kind\":\"%s\",\"count\":%llu}\n", kind, (unsigned long long)count);
	else
		printf("# %llu %s\n", (unsigned long long)count, text);
}

/* All that there are. 0 or -errno. */
static int print_events(struct watch *watch)
{
	uint64_t missed = 0;
	struct event_record event;
	int r = 0;

	while (r == 0 && events_next(&watch->events, &event, &missed) > 0)
		r = print_event(watch, &event);
	if (missed)
		print_gap(watch, "missed", missed, "more were written over before they were read");
	return r;
}

/* How many more were suppressed since that was last said. */
static int print_suppressed(struct watch *watch)
{
	uint64_t now;
	int r;

	r = events_suppressed(&watch->events, &now);
	if (r < 0 || now == watch->suppressed)
		return r;
	print_gap(watch, "suppressed", now - watch->suppressed, "more were not recorded (events.per_second)");
	watch->suppressed = now;
	return 0;
}

/* Until it is unloaded, or a signal ends it. 0 or -errno. */
static int follow(struct watch *watch)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	char pin[PIN_PATH_MAX];
	int r;

	r = pins_path(pin, watch->context->pin_root, "maps", map_names[MAP_EVENTS]);
	for (unsigned int i = 0; r == 0; i++) {
		r = print_events(watch);
		if (r == 0 && i % POLLS_A_SECOND == 0)
			r = print_suppressed(watch);
		fflush(stdout);
		if (access(pin, F_OK) < 0)
			break;
		nanosleep(&poll, NULL);
	}
	return r;
}

static int reason_check(const struct context *c)
{
	if (!c->reason || is_called(c->reason, EVENT_PACKET, UINT8_MAX, UINT8_MAX) ||
	    is_called(c->reason, EVENT_CONNECTION, UINT8_MAX, UINT8_MAX))
		return EXIT_DONE;
	log_line(
		"--reason %s: expected one below xdp.dropped or xdp.malformed in `mpbpf stats`, one below refused_by, or the way "
		"of a connection: steer, relay, http or direct",
		c->reason);
	return EXIT_USAGE;
}

int cmd_events(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	struct watch watch = { .context = c, .maps = &maps, .events = EVENTS_EMPTY };
	int r;

	r = reason_check(c);
	if (r == EXIT_DONE)
		r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r != EXIT_DONE)
		return r;
	r = events_open(&maps, &watch.events);
	if (r == 0)
		r = c->follow ? follow(&watch) : print_events(&watch);
	if (r == 0 && !c->follow)
		r = print_suppressed(&watch);
	events_close(&watch.events);
	if (r < 0) {
		log_line("reading the events: %s", strerror(-r));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

// SPDX-License-Identifier: MIT
/* Floor 3: events, read from the mapped memory that the programs write to, and as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>

#include "core/cidr.h"
#include "core/clock.h"
#include "core/events.h"
#include "core/reason_names.h"
#include "core/util.h"

#define SLOTS_SIZE (MPBPF_EVENTS_MAX * sizeof(struct event_record))

void events_close(struct events *events)
{
	if (events->slots)
		munmap((void *)events->slots, SLOTS_SIZE);
	if (events->gates)
		munmap((void *)events->gates, sizeof(*events->gates));
	*events = (struct events)EVENTS_EMPTY;
}

static int map_in(int fd, size_t size, const void *ret)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy((void *)ret, &p, sizeof(p));
	return 0;
}

int events_open(const struct maps *maps, struct events *ret)
{
	_cleanup_(events_close) struct events events = EVENTS_EMPTY;
	int r;

	r = map_in(maps->fd[MAP_EVENTS], SLOTS_SIZE, &events.slots);
	if (r == 0)
		r = map_in(maps->fd[MAP_EVENT_GATES], sizeof(*events.gates), &events.gates);
	if (r < 0)
		return r;
	events.stats = maps->fd[MAP_XDP_STATS];
	events.next = 1;
	*ret = events;
	events = (struct events)EVENTS_EMPTY;
	return 0;
}

int events_next(struct events *events, struct event_record *ret, uint64_t *missed)
{
	const struct event_record *slot;
	uint64_t head, first, number;
	struct event_record copy;

	for (;;) {
		head = __atomic_load_n(&events->gates->head, __ATOMIC_ACQUIRE);
		first = head > MPBPF_EVENTS_MAX ? head - MPBPF_EVENTS_MAX + 1 : 1;
		if (events->next < first) {
			*missed += events->next > 1 ? first - events->next : 0;
			events->next = first;
		}
		if (events->next > head)
			return 0;
		slot = &events->slots[events->next % MPBPF_EVENTS_MAX];
		number = __atomic_load_n(&slot->number, __ATOMIC_ACQUIRE);
		memcpy(&copy, slot, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* It is being written, or the one that will take its place. */
		if (number < events->next || __atomic_load_n(&slot->number, __ATOMIC_RELAXED) != number)
			return 0;
		if (number == events->next)
			break;
		++*missed;
		events->next++;
	}
	events->next++;
	copy.number = number;
	*ret = copy;
	return 1;
}

int events_suppressed(const struct events *events, uint64_t *ret)
{
	int n = libbpf_num_possible_cpus(), r;
	_cleanup_free_ struct xdp_stats *cpus = n > 0 ? calloc(n, sizeof(*cpus)) : NULL;
	__u32 zero = 0;

	if (!cpus)
		return -ENOMEM;
	r = bpf_map_lookup_elem(events->stats, &zero, cpus);
	if (r < 0)
		return r;
	*ret = 0;
	for (int i = 0; i < n; i++)
		*ret += cpus[i].events_suppressed;
	return 0;
}

/* ---- as JSON ---- */

static const char *const kind_names[] = { [EVENT_PACKET] = "packet", [EVENT_CONNECTION] = "connection" };
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == EVENT_KIND_MAX, "every kind has a name");

/* RFC 3339, to the millisecond. */
static void time_text(int64_t ns, char *ret, size_t size)
{
	time_t seconds = ns / NSEC_PER_SEC;
	char day[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, size, "%s.%03dZ", day, (int)(ns % NSEC_PER_SEC / NSEC_PER_MSEC));
}

static void protocol_text(const struct event_record *event, char *ret, size_t size)
{
	switch (event->protocol) {
	case IPPROTO_TCP: snprintf(ret, size, "tcp"); break;
	case IPPROTO_UDP: snprintf(ret, size, "udp"); break;
	case IPPROTO_ICMP: snprintf(ret, size, "icmp"); break;
	case IPPROTO_ICMPV6: snprintf(ret, size, "icmpv6"); break;
	default: snprintf(ret, size, "%u", event->protocol); break;
	}
}

/* An endpoint may be of another family than the connection. */
static bool add_address(cJSON *json, const char *name, bool v4, const struct addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (v4)
		inet_ntop(AF_INET, &addr->w[3], text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	return cJSON_AddStringToObject(json, name, text);
}

/* Ports are left out where there are none, addresses where they are not known. */
static bool add_ends(cJSON *json, const struct event_record *event)
{
	bool v4 = event->family == 4;
	char text[8];

	if (!event->family)
		return true;
	protocol_text(event, text, sizeof(text));
	if (!add_address(json, "source", v4, &event->source) || !add_address(json, "dest", v4, &event->dest) ||
	    !cJSON_AddStringToObject(json, "protocol", text))
		return false;
	if (!event->source_port && !event->dest_port)
		return true;
	return cJSON_AddNumberToObject(json, "source_port", ntohs(event->source_port)) &&
	       cJSON_AddNumberToObject(json, "dest_port", ntohs(event->dest_port));
}

static bool add_packet(cJSON *json, const struct event_record *event, const char *rule)
{
	const char *reason = event->reason < XDP_REASON_MAX ? xdp_reason_names[event->reason] : "unknown";
	const char *detail = event->detail && event->detail < MALFORMED_MAX ? malformed_names[event->detail] : NULL;

	return cJSON_AddStringToObject(json, "reason", reason) &&
	       (!detail || cJSON_AddStringToObject(json, "detail", detail)) &&
	       (!rule || cJSON_AddStringToObject(json, "rule", rule)) &&
	       cJSON_AddBoolToObject(json, "dropped", !(event->flags & EVENT_WOULD)) && add_ends(json, event) &&
	       cJSON_AddNumberToObject(json, "ifindex", event->ifindex) &&
	       cJSON_AddNumberToObject(json, "length", event->len);
}

/* Of one that was refused why, of one that was not the way, and to whom where it is one endpoint. */
static bool add_connection(cJSON *json, const struct event_record *event)
{
	bool refused = event->reason != CONNECTION_TAKEN;
	const char *reason = event->reason < CONNECTION_REASON_MAX ? connection_reason_names[event->reason] : "unknown";
	const char *way = event->detail < CONNECTION_WAY_MAX ? connection_way_names[event->detail] : "unknown";

	if (!(refused ? cJSON_AddStringToObject(json, "reason", reason) : cJSON_AddStringToObject(json, "way", way)) ||
	    !cJSON_AddBoolToObject(json, "refused", refused) || !add_ends(json, event))
		return false;
	if (!event->endpoint_port)
		return true;
	return add_address(json, "endpoint", cidr_is_v4(&event->endpoint), &event->endpoint) &&
	       cJSON_AddNumberToObject(json, "endpoint_port", ntohs(event->endpoint_port));
}

cJSON *event_json(const struct event_record *event, const char *rule, int64_t wall_offset_ns)
{
	const char *kind = event->kind < EVENT_KIND_MAX ? kind_names[event->kind] : "unknown";
	cJSON *json = cJSON_CreateObject();
	char time[48];

	time_text(event->time + wall_offset_ns, time, sizeof(time));
	if (json && cJSON_AddNumberToObject(json, "number", event->number) &&
	    cJSON_AddStringToObject(json, "time", time) && cJSON_AddStringToObject(json, "kind", kind) &&
	    (event->kind == EVENT_CONNECTION ? add_connection(json, event) : add_packet(json, event, rule)))
		return json;
	cJSON_Delete(json);
	return NULL;
}

/* ---- of our own ---- */

bool event_note(int program, const struct event_note *note)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = note, .data_size_in = sizeof(*note), .repeat = 1);

	return bpf_prog_test_run_opts(program, &opts) == 0 && opts.retval == XDP_PASS;
}

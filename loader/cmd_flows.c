// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf flows`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "core/clock.h"
#include "core/flows.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/view.h"

#define TOP_DEFAULT 20

int flows_top_parse(const char *value, size_t *to)
{
	unsigned long n;
	char *end;

	if (*to || value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || *end || !n || n > FLOWS_TOP_MAX)
		return -EINVAL;
	*to = n;
	return 0;
}

/* A flow as both forms show it. */
struct shown {
	char source[INET6_ADDRSTRLEN], dest[INET6_ADDRSTRLEN];
	char name[FLOW_NAME_TEXT];
	char rule[MPBPF_PATH_KEY]; /* "": none holds for it */
	const char *l4, *protocol, *version;
	double first, last; /* seconds since 1970 */
};

static void address_text(const struct flow_tuple *tuple, const struct addr *addr, char ret[INET6_ADDRSTRLEN])
{
	if (tuple->l3_proto == L3_IPV4)
		inet_ntop(AF_INET, &addr->w[3], ret, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, ret, INET6_ADDRSTRLEN);
}

/* The name of a rule of the policy in force; a flow that was judged by another is judged anew by its next packet. */
static void rule_text(const struct maps *maps, const struct flow *flow, char ret[MPBPF_PATH_KEY])
{
	__u32 generation = maps->control->generation, at;
	struct protocol_rule rule;
	struct name name;

	ret[0] = '\0';
	if (!flow->rule || flow->generation != generation)
		return;
	at = (generation & 1) * MPBPF_PROTOCOL_RULES + flow->rule - 1;
	if (bpf_map_lookup_elem(maps->fd[MAP_PROTOCOL_RULES], &at, &rule) < 0)
		return;
	at = MPBPF_LISTENER_NAMES + rule.number;
	if (bpf_map_lookup_elem(maps->fd[MAP_NAMES], &at, &name) < 0)
		return;
	memcpy(ret, name.text, sizeof(name.text));
	ret[sizeof(name.text) - 1] = '\0';
}

/* ahead: CLOCK_REALTIME - CLOCK_MONOTONIC, ns */
static void flow_show(const struct maps *maps, const struct flow *flow, int64_t ahead, struct shown *ret)
{
	address_text(&flow->tuple, &flow->tuple.source, ret->source);
	address_text(&flow->tuple, &flow->tuple.dest, ret->dest);
	flow_name_text(flow, ret->name);
	rule_text(maps, flow, ret->rule);
	ret->l4 = flow->tuple.l4_proto == L4_UDP ? "udp" : "tcp";
	ret->protocol = protocol_name(flow->protocol);
	ret->version = flow->protocol == PROTOCOL_TLS ? tls_version_name(flow->version) : NULL;
	ret->first = (double)((int64_t)flow->first + ahead) / NSEC_PER_SEC;
	ret->last = (double)((int64_t)flow->last + ahead) / NSEC_PER_SEC;
}

static void add_text(cJSON *json, const char *name, const char *text)
{
	if (text && text[0])
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_time(cJSON *json, const char *name, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", seconds);
	cJSON_AddRawToObject(json, name, text);
}

static cJSON *flow_json(const struct flow *flow, const struct shown *shown)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "source", shown->source);
	cJSON_AddNumberToObject(json, "source_port", ntohs(flow->tuple.source_port));
	cJSON_AddStringToObject(json, "destination", shown->dest);
	cJSON_AddNumberToObject(json, "destination_port", ntohs(flow->tuple.dest_port));
	cJSON_AddStringToObject(json, "transport", shown->l4);
	cJSON_AddStringToObject(json, "protocol", shown->protocol);
	cJSON_AddBoolToObject(json, "decided", !flow->tries);
	add_text(json, "tls_version", shown->version);
	add_text(json, "server_name", shown->name);
	cJSON_AddNumberToObject(json, "packets", flow->packets);
	cJSON_AddNumberToObject(json, "bytes", flow->bytes);
	add_time(json, "first_seen", shown->first);
	add_time(json, "last_seen", shown->last);
	add_text(json, "rule", shown->rule);
	return json;
}

static void endpoint_text(const char *address, __be16 port, char *ret, size_t size)
{
	snprintf(ret, size, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, ntohs(port));
}

static void flow_print(const struct flow *flow, const struct shown *shown, double now)
{
	char source[INET6_ADDRSTRLEN + 8], dest[INET6_ADDRSTRLEN + 8];

	endpoint_text(shown->source, flow->tuple.source_port, source, sizeof(source));
	endpoint_text(shown->dest, flow->tuple.dest_port, dest, sizeof(dest));
	printf("%12llu %10llu  %s %s > %s %s%s%s%s%s", flow->bytes, flow->packets, shown->l4, source, dest,
	       shown->protocol, shown->version ? " " : "", shown->version ?: "", shown->name[0] ? " " : "",
	       shown->name);
	printf(", for %.0f s, last %.0f s ago%s%s\n", shown->last - shown->first,
	       now > shown->last ? now - shown->last : 0, shown->rule[0] ? ", rule " : "", shown->rule);
}

static int print_json(const struct maps *maps, const struct flows *flows, int64_t ahead)
{
	cJSON *json = cJSON_CreateObject(), *array;
	struct shown shown;

	cJSON_AddNumberToObject(json, "known", flows->seen);
	array = cJSON_AddArrayToObject(json, "flows");
	for (size_t i = 0; array && i < flows->n; i++) {
		flow_show(maps, &flows->list[i], ahead, &shown);
		cJSON_AddItemToArray(array, flow_json(&flows->list[i], &shown));
	}
	return view_print_json(json);
}

static void print_text(const struct maps *maps, const struct flows *flows, int64_t ahead)
{
	double now = (double)clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
	struct shown shown;

	printf("%12s %10s  %zu of %llu flows\n", "bytes", "packets", flows->n, (unsigned long long)flows->seen);
	for (size_t i = 0; i < flows->n; i++) {
		flow_show(maps, &flows->list[i], ahead, &shown);
		flow_print(&flows->list[i], &shown, now);
	}
}

int cmd_flows(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	_cleanup_(flows_free) struct flows flows = {};
	int64_t ahead = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	int r;

	r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r != EXIT_DONE)
		return r;
	r = flows_read(&maps, c->top ?: TOP_DEFAULT, &flows);
	if (r < 0) {
		log_line("reading the flows: %s", strerror(-r));
		return EXIT_FAILED;
	}
	if (c->json)
		return print_json(&maps, &flows, ahead);
	print_text(&maps, &flows, ahead);
	return EXIT_DONE;
}

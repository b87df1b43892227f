// SPDX-License-Identifier: MIT
/* Unit tests of core/stats: each counter has its one place in the JSON that scripts rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#include "core/stats.h"

static const cJSON *at(const cJSON *json, const char *path)
{
	char copy[64], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, ".", &save); part; part = strtok_r(NULL, ".", &save))
		json = cJSON_GetObjectItemCaseSensitive(json, part);
	return json;
}

/* Where a counter is set, exactly these paths are not 0. */
static void assert_only(const struct stats *stats, const char *const *paths, double value)
{
	static const char *const all[] = {
		"xdp.packets",
		"xdp.bytes",
		"xdp.passed",
		"xdp.dropped.rate_limit",
		"xdp.dropped.denied",
		"xdp.dropped.malformed",
		"xdp.dropped.syn_guard",
		"xdp.malformed.truncated",
		"xdp.malformed.bad_version",
		"xdp.malformed.bad_header_length",
		"xdp.malformed.bad_length",
		"xdp.malformed.bad_options",
		"xdp.malformed.bad_tcp_flags",
		"xdp.malformed.land",
		"xdp.malformed.tiny_fragment",
		"xdp.malformed.oversized_fragment",
		"xdp.malformed.overlapping_fragment",
		"xdp.malformed.unaligned_fragment",
		"xdp.malformed.source_route",
		"xdp.dropped.connections",
		"xdp.would_drop_connections",
		"xdp.syn_guard.cookies_sent",
		"xdp.syn_guard.validated",
		"xdp.dropped.protocol",
		"xdp.protocols.http1",
		"xdp.protocols.tls",
		"xdp.protocols.http2",
		"xdp.protocols.grpc",
		"xdp.protocols.websocket",
		"xdp.protocols.ssh",
		"xdp.protocols.redis",
		"xdp.protocols.postgresql",
		"xdp.protocols.mqtt",
		"xdp.protocols.dns",
		"xdp.protocols.quic",
		"xdp.protocols.other",
		"xdp.sources",
		"xdp.would_drop",
		"events.recorded",
		"events.suppressed",
		"xdp.flows",
		"xdp.unkept_flows",
		"requests.allowed",
		"requests.cached",
		"requests.exempt",
		"requests.open",
		"requests.validated",
		"requests.asked",
		"requests.asked_bytes",
		"requests.denied.bad_request",
		"requests.denied.too_large",
		"requests.denied.no_token",
		"requests.denied.bad_token",
		"requests.denied.expired",
		"requests.denied.feature",
		"requests.denied.proxy_count",
		"requests.denied.rate",
		"requests.denied.helper_down",
		"requests.denied.timeout",
		"requests.denied.busy",
		"requests.denied.ask_rate",
		"verdicts.entries",
		"verdicts.hits",
		"verdicts.misses",
		"connections.guarded",
		"connections.open",
		"connections.unguarded_at_load",
		"connections.refused",
		"connections.broken",
		"connections.closed",
		"connections.held_packets",
	};
	cJSON *json = stats_json(stats);

	assert_non_null(json);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		double want = 0;

		for (size_t k = 0; paths[k]; k++)
			if (!strcmp(paths[k], all[i]))
				want = value;
		if (!cJSON_IsNumber(at(json, all[i])) || at(json, all[i])->valuedouble != want)
			fail_msg("%s is not %g", all[i], want);
	}
	cJSON_Delete(json);
}

#define ONLY(field, ...)                                                                \
	do {                                                                            \
		struct stats stats = {};                                                \
		stats.field = 1000000007;                                               \
		assert_only(&stats, (const char *[]){ __VA_ARGS__, NULL }, 1000000007); \
	} while (0)

static void packets_are_counted_where_they_belong(void **state)
{
	(void)state;
	ONLY(xdp.packets, "xdp.packets");
	ONLY(xdp.bytes, "xdp.bytes");
	ONLY(xdp.reasons[XDP_REASON_PASS], "xdp.passed");
	ONLY(xdp.reasons[XDP_REASON_RATE_LIMIT], "xdp.dropped.rate_limit");
	ONLY(xdp.reasons[XDP_REASON_DENIED], "xdp.dropped.denied");
	ONLY(xdp.reasons[XDP_REASON_MALFORMED], "xdp.dropped.malformed");
	ONLY(xdp.reasons[XDP_REASON_SYN_GUARD], "xdp.dropped.syn_guard");
	ONLY(xdp.reasons[XDP_REASON_SYN_COOKIE], "xdp.syn_guard.cookies_sent");
	ONLY(xdp.reasons[XDP_REASON_CONNECTIONS], "xdp.dropped.connections");
	ONLY(xdp.conn_would_drop, "xdp.would_drop_connections");
	ONLY(xdp.syn_validated, "xdp.syn_guard.validated");
	ONLY(xdp.protocols[PROTOCOL_OTHER], "xdp.protocols.other");
	ONLY(xdp.protocols[PROTOCOL_HTTP1], "xdp.protocols.http1");
	ONLY(xdp.protocols[PROTOCOL_TLS], "xdp.protocols.tls");
	ONLY(xdp.protocols[PROTOCOL_HTTP2], "xdp.protocols.http2");
	ONLY(xdp.protocols[PROTOCOL_GRPC], "xdp.protocols.grpc");
	ONLY(xdp.protocols[PROTOCOL_WEBSOCKET], "xdp.protocols.websocket");
	ONLY(xdp.protocols[PROTOCOL_SSH], "xdp.protocols.ssh");
	ONLY(xdp.protocols[PROTOCOL_REDIS], "xdp.protocols.redis");
	ONLY(xdp.protocols[PROTOCOL_POSTGRESQL], "xdp.protocols.postgresql");
	ONLY(xdp.protocols[PROTOCOL_MQTT], "xdp.protocols.mqtt");
	ONLY(xdp.protocols[PROTOCOL_DNS], "xdp.protocols.dns");
	ONLY(xdp.protocols[PROTOCOL_QUIC], "xdp.protocols.quic");
	ONLY(xdp.reasons[XDP_REASON_PROTOCOL], "xdp.dropped.protocol");
	ONLY(xdp.unkept, "xdp.unkept_flows");
	ONLY(flows, "xdp.flows");
	ONLY(xdp.would_drop, "xdp.would_drop");
	ONLY(xdp.events, "events.recorded");
	ONLY(xdp.events_suppressed, "events.suppressed");
	ONLY(sources, "xdp.sources");
}

static void malformed_packets_are_counted_by_kind(void **state)
{
	(void)state;
	ONLY(xdp.malformed[MALFORMED_TRUNCATED], "xdp.malformed.truncated");
	ONLY(xdp.malformed[MALFORMED_BAD_VERSION], "xdp.malformed.bad_version");
	ONLY(xdp.malformed[MALFORMED_BAD_HEADER_LENGTH], "xdp.malformed.bad_header_length");
	ONLY(xdp.malformed[MALFORMED_BAD_LENGTH], "xdp.malformed.bad_length");
	ONLY(xdp.malformed[MALFORMED_BAD_OPTIONS], "xdp.malformed.bad_options");
	ONLY(xdp.malformed[MALFORMED_BAD_TCP_FLAGS], "xdp.malformed.bad_tcp_flags");
	ONLY(xdp.malformed[MALFORMED_LAND], "xdp.malformed.land");
	ONLY(xdp.malformed[MALFORMED_TINY_FRAGMENT], "xdp.malformed.tiny_fragment");
	ONLY(xdp.malformed[MALFORMED_OVERSIZED_FRAGMENT], "xdp.malformed.oversized_fragment");
	ONLY(xdp.malformed[MALFORMED_OVERLAPPING_FRAGMENT], "xdp.malformed.overlapping_fragment");
	ONLY(xdp.malformed[MALFORMED_UNALIGNED_FRAGMENT], "xdp.malformed.unaligned_fragment");
	ONLY(xdp.malformed[MALFORMED_SOURCE_ROUTE], "xdp.malformed.source_route");
}

static void allowed_is_the_sum_of_the_ways_to_be_allowed(void **state)
{
	(void)state;
	ONLY(requests.reasons[REQUEST_ALLOWED], "requests.allowed", "requests.cached");
	ONLY(requests.reasons[REQUEST_EXEMPT], "requests.allowed", "requests.exempt");
	ONLY(requests.reasons[REQUEST_OPEN], "requests.allowed", "requests.open");
	ONLY(requests.reasons[REQUEST_VALIDATED], "requests.allowed", "requests.validated");
	ONLY(requests.asked, "requests.asked");
	ONLY(requests.asked_bytes, "requests.asked_bytes");
}

static void each_denial_has_its_reason(void **state)
{
	(void)state;
	ONLY(requests.reasons[REQUEST_BAD], "requests.denied.bad_request");
	ONLY(requests.reasons[REQUEST_TOO_LARGE], "requests.denied.bad_request", "requests.denied.too_large");
	ONLY(requests.reasons[REQUEST_NO_TOKEN], "requests.denied.no_token");
	ONLY(requests.reasons[REQUEST_BAD_TOKEN], "requests.denied.bad_token");
	ONLY(requests.reasons[REQUEST_EXPIRED], "requests.denied.expired");
	ONLY(requests.reasons[REQUEST_FEATURE], "requests.denied.feature");
	ONLY(requests.reasons[REQUEST_PROXY_COUNT], "requests.denied.proxy_count");
	ONLY(requests.reasons[REQUEST_RATE], "requests.denied.rate");
	ONLY(requests.reasons[REQUEST_HELPER_DOWN], "requests.denied.helper_down");
	ONLY(requests.reasons[REQUEST_TIMEOUT], "requests.denied.timeout");
	ONLY(requests.reasons[REQUEST_BUSY], "requests.denied.busy");
	ONLY(requests.reasons[REQUEST_ASK_RATE], "requests.denied.ask_rate");
}

static void connections_and_verdicts_have_theirs(void **state)
{
	struct stats negative = { .conns_open = -3 };

	(void)state;
	ONLY(verdicts, "verdicts.entries");
	ONLY(requests.hits, "verdicts.hits");
	ONLY(requests.misses, "verdicts.misses");
	ONLY(requests.guarded, "connections.guarded");
	ONLY(conns_open, "connections.open");
	ONLY(unguarded, "connections.unguarded_at_load");
	ONLY(requests.refused, "connections.refused");
	ONLY(requests.broken, "connections.broken");
	ONLY(requests.conns_closed, "connections.closed");
	ONLY(requests.held, "connections.held_packets");
	ONLY(unclosed, "connections.unclosed");
	assert_only(&negative, (const char *[]){ NULL }, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_counted_where_they_belong),
		cmocka_unit_test(malformed_packets_are_counted_by_kind),
		cmocka_unit_test(allowed_is_the_sum_of_the_ways_to_be_allowed),
		cmocka_unit_test(each_denial_has_its_reason),
		cmocka_unit_test(connections_and_verdicts_have_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

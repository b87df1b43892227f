// SPDX-License-Identifier: MIT
/* Floor 3: what reasons are called in counters and events. */
#include "core/reason_names.h"

const char *const xdp_reason_names[XDP_REASON_MAX] = {
	[XDP_REASON_PASS] = "passed",
	[XDP_REASON_RATE_LIMIT] = "rate_limit",
	[XDP_REASON_DENIED] = "denied",
	[XDP_REASON_MALFORMED] = "malformed",
	[XDP_REASON_SYN_GUARD] = "syn_guard",
	[XDP_REASON_BANNED] = "banned",
	[XDP_REASON_CONNECTIONS] = "connections",
	[XDP_REASON_SYN_COOKIE] = "syn_cookie",
	[XDP_REASON_PROTOCOL] = "protocol",
};

const char *const malformed_names[MALFORMED_MAX] = {
	[MALFORMED_NONE] = "none",
	[MALFORMED_TRUNCATED] = "truncated",
	[MALFORMED_BAD_VERSION] = "bad_version",
	[MALFORMED_BAD_HEADER_LENGTH] = "bad_header_length",
	[MALFORMED_BAD_LENGTH] = "bad_length",
	[MALFORMED_BAD_OPTIONS] = "bad_options",
	[MALFORMED_BAD_TCP_FLAGS] = "bad_tcp_flags",
	[MALFORMED_LAND] = "land",
	[MALFORMED_TINY_FRAGMENT] = "tiny_fragment",
	[MALFORMED_OVERSIZED_FRAGMENT] = "oversized_fragment",
	[MALFORMED_OVERLAPPING_FRAGMENT] = "overlapping_fragment",
	[MALFORMED_UNALIGNED_FRAGMENT] = "unaligned_fragment",
	[MALFORMED_SOURCE_ROUTE] = "source_route",
};

const char *const connection_reason_names[CONNECTION_REASON_MAX] = {
	[CONNECTION_TAKEN] = "taken",
	[CONNECTION_NO_ROUTE] = "no_route",
	[CONNECTION_NO_ENDPOINT] = "no_endpoint",
	[CONNECTION_BAD_PROXY] = "bad_proxy",
	[CONNECTION_RESOURCES] = "resources",
	[CONNECTION_UNJUDGED] = "unjudged",
	[CONNECTION_UNCAPTURED] = "uncaptured",
	[CONNECTION_NO_RELAY] = "no_relay",
};

const char *const connection_way_names[CONNECTION_WAY_MAX] = {
	[CONNECTION_NO_WAY] = "none", [CONNECTION_STEER] = "steer",   [CONNECTION_RELAY] = "relay",
	[CONNECTION_HTTP] = "http",   [CONNECTION_DIRECT] = "direct",
};

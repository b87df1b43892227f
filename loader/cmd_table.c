// SPDX-License-Identifier: MIT
/* Floor 5: which commands there are, and which options each takes. */
#include "core/pins.h"
#include "core/util.h"
#include "loader/cmd_table.h"

const struct option_row options[] = {
	{ OPTION_IFACE, "iface", "IF", "network interface; may be given several times" },
	{ OPTION_CONFIG, "config", "FILE",
	  "configuration; without it the defaults, or with reload and route the file loaded last" },
	{ OPTION_XDP_MODE, "xdp-mode", "MODE", "auto (native, else skb), native or skb" },
	{ OPTION_NO_AGENT, "no-agent", NULL, "do not start mpbpfd: what the kernel cannot decide is answered 503" },
	{ OPTION_FOREGROUND, "foreground", NULL, "become mpbpfd and stay in the foreground" },
	{ OPTION_TOKEN_FILE, "token-file", "FILE", "the file that a token stands in, alone; -: standard input" },
	{ OPTION_SUB, "sub", "SUBJECT", "revoke all tokens whose `sub` is this" },
	{ OPTION_JTI, "jti", "ID", "revoke the token whose `jti` is this" },
	{ OPTION_FOR, "for", "TIME",
	  "for so long (30s, 10m, 2h, 7d); without it for good, a revocation as long as it matters" },
	{ OPTION_REVOCATIONS, "revocations", NULL, "also take all revocations back" },
	{ OPTION_FILE, "file", "FILE", "networks, one a line, `#` begins a comment; -: standard input" },
	{ OPTION_REASON, "reason", "TEXT", "why, up to 63 printable ASCII characters; with events: only those" },
	{ OPTION_SOURCE, "source", "IP", "the address that a connection comes from" },
	{ OPTION_DESTINATION, "destination", "IP", "the address that it is made to; captures" },
	{ OPTION_LISTENER, "listener", "NAME", "the gateway or capture that gets it; without it the only one" },
	{ OPTION_HOST, "host", "HOST", "the host that a request names; without it none" },
	{ OPTION_PATH, "path", "PATH", "the path that it asks for; without it /" },
	{ OPTION_TOP, "top", "N", "so many flows, those with the most bytes (20)" },
	{ OPTION_FOLLOW, "follow", NULL, "go on until it is unloaded, or interrupted" },
	{ OPTION_PIN_ROOT, "pin-root", "DIR", "where on bpffs it is pinned (" PIN_ROOT_DEFAULT ")" },
	{ OPTION_CGROUP, "cgroup", "DIR", "processes of this cgroup are guarded (the cgroup2 root)" },
	{ OPTION_JSON, "json", NULL,
	  "print JSON (status, stats, flows, events, check, verdict list and show, block and allow list, route)" },
	{ OPTION_VERBOSE, "verbose", NULL, "also -v: show what libbpf says" },
	{ OPTION_HELP, "help", NULL, "also -h: print this" },
	{ OPTION_VERSION, "version", NULL, "print the version" },
};
const size_t n_options = ARRAY_SIZE(options);

_Static_assert(ARRAY_SIZE(options) <= OPTIONS_MAX, "each option has a bit");

const struct command commands[] = {
	{ "load", NULL, "load the data path onto interfaces, and start mpbpfd",
	  BIT(OPTION_IFACE) | BIT(OPTION_CONFIG) | BIT(OPTION_XDP_MODE) | BIT(OPTION_NO_AGENT) | BIT(OPTION_FOREGROUND),
	  cmd_load },
	{ "unload", NULL, "take everything away, or only one interface", BIT(OPTION_IFACE), cmd_unload },
	{ "reload", NULL, "put a changed configuration in force, at once for all", BIT(OPTION_CONFIG), cmd_reload },
	{ "status", NULL, "what is loaded, and by whom it is served", 0, cmd_status },
	{ "stats", NULL, "counters since the load", 0, cmd_stats },
	{ "events", NULL, "packets dropped lately and why, which way connections took",
	  BIT(OPTION_FOLLOW) | BIT(OPTION_REASON), cmd_events },
	{ "flows", NULL, "which flows come in, what they speak, and how much", BIT(OPTION_TOP), cmd_flows },
	{ "check", NULL, "can this kernel run it? each feature, proven by doing it", 0, cmd_check },
	{ "verdict", "list", "which tokens are known, by their hashes, and what is revoked", 0, cmd_verdict_list },
	{ "verdict", "show", "what is known of a token", BIT(OPTION_TOKEN_FILE), cmd_verdict_show },
	{ "verdict", "revoke", "deny a token, a subject or a jti from the next request on",
	  BIT(OPTION_TOKEN_FILE) | BIT(OPTION_SUB) | BIT(OPTION_JTI) | BIT(OPTION_FOR), cmd_verdict_revoke },
	{ "verdict", "flush", "forget what is known of tokens: each is asked for again", BIT(OPTION_REVOCATIONS),
	  cmd_verdict_flush },
	{ "block", "add", "drop all packets of a network (CIDR), or of those in a file",
	  BIT(OPTION_NETWORK) | BIT(OPTION_FILE) | BIT(OPTION_FOR) | BIT(OPTION_REASON), cmd_list_add },
	{ "block", "del", "take a network (CIDR) off that list, or those in a file",
	  BIT(OPTION_NETWORK) | BIT(OPTION_FILE), cmd_list_del },
	{ "block", "replace", "make those in a file the whole list, at once",
	  BIT(OPTION_FILE) | BIT(OPTION_FOR) | BIT(OPTION_REASON), cmd_list_replace },
	{ "block", "list", "what stands on it, until when and why", 0, cmd_list_list },
	{ "allow", "add", "lift the packet limit for a network (CIDR), or for those in a file",
	  BIT(OPTION_NETWORK) | BIT(OPTION_FILE) | BIT(OPTION_FOR) | BIT(OPTION_REASON), cmd_list_add },
	{ "allow", "del", "take a network (CIDR) off that list, or those in a file",
	  BIT(OPTION_NETWORK) | BIT(OPTION_FILE), cmd_list_del },
	{ "allow", "replace", "make those in a file the whole list, at once",
	  BIT(OPTION_FILE) | BIT(OPTION_FOR) | BIT(OPTION_REASON), cmd_list_replace },
	{ "allow", "list", "what stands on it, until when and why", 0, cmd_list_list },
	{ "route", "list", "where gateways and captures send what, in the order of precedence", BIT(OPTION_CONFIG),
	  cmd_route_list },
	{ "route", "test", "which rule, cluster and endpoint a connection or request would take, and why",
	  BIT(OPTION_CONFIG) | BIT(OPTION_SOURCE) | BIT(OPTION_DESTINATION) | BIT(OPTION_LISTENER) | BIT(OPTION_HOST) |
		  BIT(OPTION_PATH),
	  cmd_route_test },
};
const size_t n_commands = ARRAY_SIZE(commands);

/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: the configuration file as typed values.
 *
 * config_load() reads JSON (RFC 8259), checks every key, type and range, reads key files, fills in every default,
 * and either gives a complete configuration or an error that names file, path in it, value and what was expected.
 */
#ifndef MPBPF_CORE_CONFIG_H
#define MPBPF_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "core/cidr.h"
#include "core/config_listener.h"
#include "core/jwt_key.h"
#include "mpbpf/abi.h"

#define SHA256_SIZE 32

enum rate_algorithm { RATE_ALGORITHM_WINDOW, RATE_ALGORITHM_TOKEN_BUCKET };

/* What a source may have, of packets and of bytes. */
struct rate_config {
	uint32_t packets;     /* in a window, 1 to 4294967295; 0: not limited by this */
	uint64_t bytes;	      /* in a window, 1000 to 274877906944; 0: not limited by this */
	uint32_t burst;	      /* token bucket: packets at once, 1 to 4294967295, default: packets */
	uint64_t burst_bytes; /* token bucket: bytes at once, 1000 to 274877906944, default: bytes */
	enum rate_mode mode;
};

/* A limit of a network's own, in place of the default; what it does not say is as there. */
struct override_config {
	char *name; /* default: the network as it was written */
	struct cidr cidr;
	struct rate_config rate; /* mode may be RATE_OFF */
};

/* A limit on some of a source's packets, beside the default. */
struct class_config {
	char *name;
	enum rate_class protocol;
	uint16_t port; /* destination; 0: every one */
	struct rate_config rate;
};

/* Connections that a source makes and has open. */
struct connections_config {
	bool enabled;	     /* default false: behind one address there may be many clients */
	double rate;	     /* per_second, 0.001 to 1000000, default 100 */
	uint32_t burst;	     /* 1 to 1000000, default 200 */
	uint32_t open;	     /* 0 to 1000000, default 0: as many as it likes */
	enum rate_mode mode; /* RATE_ENFORCE (default) or RATE_MONITOR */
};

struct rate_limit_config {
	bool enabled;		       /* default true */
	uint32_t window_ms;	       /* 10 to 3600000, default 1000 */
	struct rate_config rate;       /* packets default 10000, bytes 0; mode RATE_OFF when not enabled */
	enum rate_algorithm algorithm; /* default window */
	uint32_t max_sources;	       /* 1024 to 16777216, default MPBPF_SOURCES_MAX; fixed at load */
	uint32_t max_quotas;	       /* 1024 to 16777216, default MPBPF_QUOTAS_MAX; fixed at load */
	struct override_config *overrides;
	size_t n_overrides; /* at most MPBPF_OVERRIDES_MAX */
	struct class_config *classes;
	size_t n_classes; /* at most MPBPF_CLASSES_MAX */
	struct connections_config connections;
};

/* Sources that are denied too often are dropped for a while. */
struct ban_config {
	bool enabled;	   /* default false: behind one address there may be many clients */
	uint32_t failures; /* 401 and 403 within the window, 1 to 1000000, default 20 */
	uint32_t window_s; /* 1 to 86400, default 60 */
	uint32_t ban_s;	   /* 1 to 2592000, default 600 */
};

struct ddos_config {
	bool drop_invalid;	   /* default true */
	enum syn_mode syn_cookies; /* default SYN_AUTO */
	uint32_t syn_rate;	   /* SYNs a second, all sources together, 1 to 1000000000, default 10000 */
	uint16_t *syn_ports;	   /* beside those of the listeners; none: every port that is listened on */
	size_t n_syn_ports;	   /* at most MPBPF_SYN_PORTS_MAX */
	/*
	 * An IPv6 network never covers IPv4: one that would, because ::ffff:0:0/96 lies in it ("::/0"), is given as the
	 * up to 96 networks that make up the rest of it.
	 */
	struct cidr *deny, *allow;
	size_t n_deny, n_allow; /* together at most MPBPF_CIDRS_MAX */
	struct ban_config ban;
};

#define JWT_KEYS_MAX 64 /* of one auth block: a token without kid may have to be tried with each */

/* A JSON value that a claim may have. */
enum claim_kind { CLAIM_STRING, CLAIM_NUMBER, CLAIM_BOOLEAN };

struct claim_value {
	enum claim_kind kind;
	char *text;    /* strings */
	double number; /* numbers */
	bool boolean;
};

/* What a claim must be: one of the values. */
struct claim_rule {
	char *name;
	struct claim_value *values;
	size_t n_values;
};

/* One auth block: the global one, or a listener's own, which then wins as a whole. */
struct auth_config {
	char *secret; /* raw bytes, for HS*, without kid; NULL: none */
	size_t secret_len;
	char *public_key_file, *jwks_file;  /* as the configuration names them; NULL: none */
	struct jwt_key *keys;		    /* of both files, each good for one of `algorithms` at least */
	size_t n_keys;			    /* at most JWT_KEYS_MAX */
	uint32_t algorithms;		    /* bits of 1 << enum jwt_algorithm, default HS256 */
	struct claim_rule issuer, audience; /* no values: not asked for */
	struct claim_rule *claims;	    /* required beside these */
	size_t n_claims;
	bool require_auth; /* default true */
	char **tokens;	   /* base64_tokens */
	size_t n_tokens;
	char **exempt_paths; /* canonical absolute paths, no trailing '/' but for "/" itself */
	size_t n_exempt_paths;
	uint32_t leeway_s; /* 0 to 86400, default 60 */
};

struct listener_config {
	char *name;
	bool any;	     /* no address, or "::": every address of both families */
	struct addr address; /* when not any; "0.0.0.0" is ::ffff:0.0.0.0 */
	uint16_t port;	     /* 1 to 65535; captures: 0 */
	enum listener_mode mode;
	enum listener_protocol protocol;
	bool enforce;		  /* default true; false: a dry run, nothing is denied */
	bool license_headers;	  /* default false */
	char *response_headers;	  /* lines, each with CR LF; NULL: none */
	struct auth_config *auth; /* NULL: the global block */
	enum fast_path fast_path; /* guards and gateways; default FAST_PATH_AUTO */
	struct cidr *fast_peers;  /* fast_path_peers: the clients that FAST_PATH_AUTO trusts */
	size_t n_fast_peers;	  /* at most MPBPF_FAST_PEERS */
	/* Gateways and captures. */
	char *cluster_name; /* where goes what no route takes; NULL: nowhere */
	/* Gateways. */
	struct accept_proxy_config accept_proxy;
	/* Captures; with the others nothing. */
	enum capture_direction direction;
	char *cgroup; /* of those that go out: absolute path, whether or not it is there */
	struct capture_match match;
};

/* Paths at or below `prefix` need `feature`. */
struct feature_gate {
	char *prefix, *feature;
	bool enforce; /* default true */
};

struct license_config {
	bool given; /* there is a license object; without one nothing is gated */
	char *license_key;
	bool is_enterprise;
	uint32_t max_proxies, current_proxies;
	char **features; /* names whose value is true */
	size_t n_features;
	struct feature_gate *gates; /* beside the built-in ones (policy_rules.c), over which they win */
	size_t n_gates;
};

/* A token bucket over the requests that pass. */
struct request_limit_config {
	char *name;
	enum limit_per per;
	double rate;	/* a second, 0.001 to 1000000 */
	uint32_t burst; /* 1 to 1000000; default: the rate, rounded up */
	char *listener; /* NULL: all, each by itself when per listener */
	char *prefix;	/* canonical path; NULL: all */
	bool enforce;	/* default true */
};

/* How often a source may ask the helper: a token bucket for each IPv4 address or IPv6 /64. */
struct asks_config {
	bool enabled;	/* default true */
	double rate;	/* a second, 0.001 to 1000000, default 5000 */
	uint32_t burst; /* 1 to 1000000, default 10000 */
};

/* The time that clients have, and what they may take of the helper. */
struct clients_config {
	uint32_t head_timeout_s; /* from the first byte of a head to its last, 1 to 3600, default 10 */
	uint32_t body_timeout_s; /* between two pieces of a body, 1 to 86400, default 60 */
	uint32_t max_waiting;	 /* connections with the helper at a time, 1 to MPBPF_CONNS_MAX, default 4096 */
	uint32_t max_held_bytes; /* memory for their bytes, 1048576 to 4294967295, default 268435456 */
	struct asks_config asks;
};

#define METRICS_PREFIXES_MAX 60 /* so that two generations of them find numbers */

struct metrics_config {
	bool request, response, timing, size; /* enable_*_metrics, default true */
	double sample_rate;		      /* 0 to 1, default 1 */
	char **prefixes;		      /* canonical paths that are measured apart */
	size_t n_prefixes;		      /* at most METRICS_PREFIXES_MAX */
	char **hosts;			      /* measured apart; small letters, NAME, *.NAME or [IPv6 address] */
	size_t n_hosts;			      /* at most MPBPF_HOSTS_MAX */
};

/* What is remembered of flows. */
struct classify_config {
	bool enabled;	    /* default true */
	uint32_t max_flows; /* 1024 to 4194304, default MPBPF_FLOWS_MAX; fixed at load */
	uint16_t grpc_ports[MPBPF_GRPC_PORTS];
	size_t n_grpc_ports; /* default one, 50051 */
};

/* Flows of a protocol that are dropped. The first rule that matches holds. */
struct protocol_rule_config {
	char *name;
	enum protocol protocol;
	enum tls_version below; /* TLS_UNKNOWN: not asked for */
	uint16_t port;		/* destination; 0: any */
	bool monitor;		/* default false; only counted */
};

enum proxy_protocol { PROXY_OFF, PROXY_V1, PROXY_V2 };
enum balance_policy { BALANCE_ROUND_ROBIN, BALANCE_RANDOM, BALANCE_LEAST_CONN, BALANCE_SOURCE_HASH };
enum health_type { HEALTH_NONE, HEALTH_TCP, HEALTH_HTTP };

/* How endpoints are tried. Without a health_check none is, and each counts as healthy. */
struct health_config {
	enum health_type type; /* HEALTH_NONE: no health_check; in one the default is HEALTH_TCP */
	char *path;	       /* HEALTH_HTTP: what is asked for, default "/"; NULL with the others */
	uint32_t interval_ms;  /* between two tries of an endpoint, 100 to 3600000, default 2000 */
	uint32_t timeout_ms;   /* of one try, 10 to 60000, default 1000 */
	uint32_t rise, fall;   /* tries in a row that make it healthy and not, 1 to 100, defaults 2 and 3 */
};

/* A cluster: endpoints among which connections are spread. */
struct service_config {
	char *name;
	char **hosts; /* addresses or names */
	size_t n_hosts;
	uint16_t port;
	char *protocol;
	uint32_t *weights; /* one for each host, 0 to 1000, not all 0; NULL: 1 for each. 0: no new connections */
	size_t n_weights;  /* 0 or n_hosts */
	enum proxy_protocol proxy_protocol; /* the header that connections to it begin with, default off */
	bool proxy_unique_id;		    /* a header of version 2 names the connection, default false */
	enum balance_policy policy;	    /* default round robin */
	struct health_config health;
	uint32_t drain_s; /* how long connections may go on to an endpoint that is gone, 0 to 86400, default 30 */
};

/* By host and path, at every gateway whose protocol is http. */
struct route_config {
	char *name, *prefix, *cluster_name;
	char **hosts;
	size_t n_hosts;
	uint32_t timeout_s;
};

enum last_octet { LAST_OCTET_ANY, LAST_OCTET_EVEN, LAST_OCTET_ODD };

/* A network of clients, or of destinations; or the remainder of the client's low 32 bits, of which even and odd are spellings. */
struct source_match {
	bool by_cidr, by_destination; /* the latter with captures only */
	struct cidr cidr;	      /* of either; "::/0" is IPv6 alone: cidr_covers() */
	enum last_octet last_octet;   /* as it was written; mod and equals are filled in */
	uint32_t mod, equals;	      /* by neither: low 32 bits % mod == equals; 1 to 4294967295, 0 to mod - 1 */
};

static inline bool match_is_network(const struct source_match *match)
{
	return match->by_cidr || match->by_destination;
}

/* By the client's address, or by where it wants to go, at one gateway or capture, before any route. */
struct source_route_config {
	char *name; /* NULL: none */
	char *listener, *cluster_name;
	struct source_match match;
};

struct config {
	struct rate_limit_config rate_limit;
	struct ddos_config ddos;
	struct listener_config *listeners;
	size_t n_listeners;
	struct auth_config auth;
	struct license_config license;
	struct request_limit_config *request_limits; /* at most MPBPF_LIMITS_MAX */
	size_t n_request_limits;
	struct clients_config clients;
	struct metrics_config metrics;
	struct classify_config classify;
	struct protocol_rule_config *protocol_rules; /* at most MPBPF_PROTOCOL_RULES */
	size_t n_protocol_rules;
	struct service_config *services;
	size_t n_services;
	struct route_config *routes;
	size_t n_routes;
	struct source_route_config *source_routes;
	size_t n_source_routes;
	uint32_t events_per_second; /* events.per_second, 0 to 100000, default 100 */
	uint32_t max_verdicts;	    /* cache.max_verdicts, 1024 to 4194304, default MPBPF_VERDICTS_MAX; fixed at load */
	char **warnings;	    /* "FILE: PATH: what" is legal, but perhaps not meant; a command prints them once */
	size_t n_warnings;
	char **key_files; /* every secret and key file that was read, as it was opened */
	size_t n_key_files;
	uint8_t keys_digest[SHA256_SIZE];   /* of those files, in that order */
	uint8_t policy_digest[SHA256_SIZE]; /* of everything in the file but services, routes and source_routes */
	uint8_t digest[SHA256_SIZE]; /* of the file and of the key files that it names, in the order of reading */
};

/*
 * A failure in words: "FILE: PATH: value VALUE: expected WHAT", or "FILE: line L, column C: expected valid JSON". No
 * newline, control characters are escaped. Secrets, and the values of unknown keys, are never quoted.
 */
struct config_error {
	char text[512];
};

/*
 * config_load - path: regular file of at most 1 MiB, or NULL for the built-in defaults (no listener)
 *
 * Returns 0; -EINVAL: content is wrong; -errno of open/read of the file itself or of a key file (-EFBIG: too large,
 * -EISDIR: a directory, -ENOTSUP: no regular file); -ENOMEM. *ret is untouched on failure and err->text is set on every
 * failure.
 */
int config_load(const char *path, struct config **ret, struct config_error *err);
/* The same from memory; `name` is the file in errors, relative key files are looked for in `dir` (NULL: here). */
int config_parse(const char *text, size_t len, const char *name, const char *dir, struct config **ret,
		 struct config_error *err);
/* Overwrites secrets before freeing. NULL is fine. */
void config_free(struct config *config);
/* For _cleanup_(config_free_ptr). */
void config_free_ptr(struct config **config);

/* Are the key files still as they were read? 1, 0 (also when one cannot be read any more), or -ENOMEM. */
int config_keys_current(const struct config *config);

/* Does mpbpf judge the requests on it? On the service's own sockets, or on those that a gateway for HTTP accepts. */
static inline bool listener_is_guarded(const struct listener_config *listener)
{
	return listener->mode == LISTENER_GUARD || listener->protocol == LISTENER_HTTP;
}

/* Can a client's connection to it go past TCP at all, if it works here? */
static inline bool listener_is_fast(const struct listener_config *listener)
{
	return listener->fast_path == FAST_PATH_ON || (listener->fast_path == FAST_PATH_AUTO && listener->n_fast_peers);
}

/* Does mpbpfd accept its connections, or those of them that have to be relayed? */
static inline bool listener_is_relayed(const struct listener_config *listener)
{
	return listener->mode != LISTENER_GUARD;
}

static inline bool listener_captures(const struct listener_config *listener, enum capture_direction direction)
{
	return listener->mode == LISTENER_CAPTURE && listener->direction == direction;
}

/* How many listeners are guarded; have services; capture in that direction. */
size_t config_n_guarded(const struct config *config);
size_t config_n_relayed(const struct config *config);
size_t config_n_captures(const struct config *config, enum capture_direction direction);

/* Is there a guard on that port? Whatever its address: a service that is bound to all of them has that one. */
bool config_guards_port(const struct config *config, uint16_t port);

/* The service of that name, or NULL. */
const struct service_config *config_service(const struct config *config, const char *name);

/* Whether both say the same of every request; where it goes is another question. Spelled in other ways, they may. */
bool config_judges_alike(const struct config *a, const struct config *b);

/* The auth block that holds for listener `i` and its number in keys (struct listener.auth). */
const struct auth_config *config_auth(const struct config *config, size_t i, uint16_t *ret_number);

#endif

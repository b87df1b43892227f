/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: what is measured of requests and responses, under which names. Included by abi.h. */
#ifndef MPBPF_ABI_METRICS_H
#define MPBPF_ABI_METRICS_H

enum metrics_flags {
	METRICS_REQUEST = 1 << 0,  /* requests by method */
	METRICS_RESPONSE = 1 << 1, /* responses by status */
	METRICS_TIMING = 1 << 2,
	METRICS_SIZE = 1 << 3,
	METRICS_HOST = 1 << 4, /* some hosts are measured apart */
};

/* What metric_key.at means. */
enum metric_kind {
	METRIC_REQUEST,	 /* enum method; sum: bytes of requests */
	METRIC_RESPONSE, /* status; sum: bytes of responses */
	METRIC_FIRST,	 /* bucket (histogram.h) of the time to the first byte of a response; sum: ns */
	METRIC_LAST,	 /* the same to its last byte */
	METRIC_KIND_MAX
};

enum method {
	METHOD_OTHER,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_PATCH,
	METHOD_OPTIONS,
	METHOD_CONNECT,
	METHOD_TRACE,
	METHOD_MAX
};

/* Of a listener and perhaps a prefix; in `metrics`, of a host by itself. */
struct metric_key {
	__u16 listener; /* number in `names`; 0: of a host */
	__u8 prefix;	/* the same; 0: none */
	__u8 kind;	/* enum metric_kind */
	__u16 at;
	__u8 host; /* MPBPF_PROTOCOL_NAMES + this is its number in `names`; 0: none */
	__u8 pad;
};

struct metric {
	__u64 count;
	__u64 sum;
};

/*
 * Key of `hosts` (LPM over the host's bytes, the last one first, as http1_host_key() makes it of a request). "example.org" is
 * entered as "gro.elpmaxe\0", "*.example.org" as "gro.elpmaxe.". prefixlen = 32 + 8 * bytes. The value is metric_key.host.
 */
struct host_key {
	__u32 prefixlen;
	__u32 generation;
	char host[MPBPF_HOST_KEY];
};

/* Value of `names`: whose counters bear that number. A number keeps its name as long as a configuration has it. */
struct name {
	__u32 generation; /* the last that had it; 0: the number is free */
	__u32 pad;
	char text[MPBPF_PATH_KEY];
};

MPBPF_ASSERT_SIZE(struct metric_key, 8);
MPBPF_ASSERT_SIZE(struct metric, 16);
MPBPF_ASSERT_SIZE(struct host_key, 8 + MPBPF_HOST_KEY);
MPBPF_ASSERT_SIZE(struct name, 8 + MPBPF_PATH_KEY);

#endif

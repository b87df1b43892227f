/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 0: the contract of steering: what sk_lookup_steer knows of gateways, clusters and listening sockets.
 *
 * A connection to a gateway is given to an endpoint's own listening socket when its source alone decides and the endpoint
 * is on this node. Whatever is not found here goes on to whoever listens on the gateway's port: that is always right.
 */
#ifndef MPBPF_STEER_H
#define MPBPF_STEER_H

#include "mpbpf/abi.h"

#define MPBPF_STEERS_MAX 65536	  /* networks of source routes, of two generations */
#define MPBPF_STEER_RULES 16	  /* other source rules of one gateway */
#define MPBPF_STEER_CLUSTERS 64	  /* clusters that are steered to, of one configuration */
#define MPBPF_STEER_SLOTS 4096	  /* of a cluster; power of two */
#define MPBPF_STEER_ENDPOINTS 512 /* endpoints that are steered to, of one configuration */
#define MPBPF_STEER_BINDINGS 3	  /* ways in which a service may listen for an address */
#define MPBPF_BACKENDS_MAX 2048	  /* listening sockets */

/* Clusters are counted from 1; 0 stands for "not steered", wherever one may be named. */

/* low 32 bits of the source % mod == equals */
struct steer_rule {
	__u32 mod, equals;
	__u32 cluster;
};

/* Value of `gateways`, whose key is a struct listener_key. */
struct gateway {
	__u32 number;  /* in struct steer_key */
	__u32 n_rules; /* they hold, in this order, where no network does */
	__u32 rest;    /* the cluster of what no rule takes */
	__u32 pad;
	struct steer_rule rules[MPBPF_STEER_RULES];
};

/* Key of `steers` (LPM): the networks of a gateway. The value is a cluster. prefixlen = 64 + prefix. */
struct steer_key {
	__u32 prefixlen;
	__u32 generation;
	__u32 gateway;
	struct addr addr;
};

enum steer_by {
	STEER_BY_SOURCE, /* source_slot(): as the gateway itself would choose */
	STEER_BY_FLOW,	 /* a keyed hash of addresses and ports */
};

/* `clusters`: [(generation & 1) * MPBPF_STEER_CLUSTERS + cluster - 1]. */
struct steer_cluster {
	__u32 generation;
	__u32 by;			/* enum steer_by */
	__u16 slots[MPBPF_STEER_SLOTS]; /* 1 + an endpoint; 0: none */
};

/*
 * `endpoints`: [(generation & 1) * MPBPF_STEER_ENDPOINTS + endpoint]. 1 + the places in `backends` of sockets that listen on
 * its own address, on any IPv4 address, on any address; 0: none. The first that is there takes the connection.
 */
struct steer_endpoint {
	__u32 backends[MPBPF_STEER_BINDINGS];
	__u32 pad;
};

struct steer_stats {
	__u64 steered; /* connections given to an endpoint's socket */
	__u64 absent;  /* connections whose endpoint does not listen: they went on to the gateway */
};

MPBPF_ASSERT_SIZE(struct gateway, 16 + 12 * MPBPF_STEER_RULES);
MPBPF_ASSERT_SIZE(struct steer_key, 28);
MPBPF_ASSERT_SIZE(struct steer_cluster, 8 + 2 * MPBPF_STEER_SLOTS);
MPBPF_ASSERT_SIZE(struct steer_endpoint, 16);
MPBPF_ASSERT_SIZE(struct steer_stats, 16);

#endif

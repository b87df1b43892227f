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

#define MPBPF_STEERS_MAX 65536	/* networks of source routes, of two generations */
#define MPBPF_STEER_RULES 16	/* other source rules of one gateway */
#define MPBPF_STEER_CLUSTERS 64 /* clusters that are steered to, of one configuration */
#define MPBPF_STEER_SLOTS 4096	/* of a cluster; power of two */
#define MPBPF_BACKENDS_MAX 2048 /* endpoints that are steered to */

/* Clusters are counted from 1; 0 stands for "not steered", wherever one may be named. */
#define STEER_NO_NETWORK (~0U) /* in `steers`: as if no network covered the source */

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

/* Key of `steers` (LPM): the networks of a gateway. The value is a cluster, or STEER_NO_NETWORK. prefixlen = 64 + prefix. */
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

/* Why connections of a listener, or to a cluster, are relayed. */
enum steer_why {
	STEER_WORKS,
	STEER_HTTP,	   /* the listener's protocol: what is asked for decides */
	STEER_READS_PROXY, /* the listener accepts PROXY headers */
	STEER_RULES,	   /* the listener has more than MPBPF_STEER_RULES source routes that are no networks */
	STEER_SENDS_PROXY, /* the cluster's endpoints get PROXY headers */
	STEER_LEAST_CONN,  /* the policy counts connections */
	STEER_GUARDED,	   /* a guard listens on the endpoints' port, and would not know the connection */
	STEER_GATEWAY,	   /* a gateway listens where an endpoint is said to be */
	STEER_CLUSTERS,	   /* there are more than MPBPF_STEER_CLUSTERS, or endpoints than MPBPF_BACKENDS_MAX */
	STEER_FAR,	   /* an endpoint that has to have its share is not on this node */
	STEER_NOBODY,	   /* no endpoint is healthy and has a weight */
	STEER_UNKNOWN,	   /* the agent has not looked at this configuration yet */
	STEER_WHY_MAX
};

union steer_head {
	struct {
		__u32 generation;
		__u16 by;  /* enum steer_by */
		__u16 why; /* enum steer_why: for those who look at it */
	};
	__u64 word; /* written and read as a whole */
};

/*
 * `clusters`: [(generation & 1) * MPBPF_STEER_CLUSTERS + cluster - 1]. It is changed in place, under the eyes of programs: each slot
 * by one store, and the head last.
 */
struct steer_cluster {
	union steer_head head;
	__u16 slots[MPBPF_STEER_SLOTS]; /* 1 + a place in `backends`; 0: none */
};

/* `endpoints`: whose listening socket has the same place in `backends`. It keeps it as long as any cluster has it. */
struct steer_endpoint {
	struct addr addr;
	__be16 port; /* 0: the place is free */
	__u16 pad[3];
};

/* `steer_stats`, whose key is that of the gateway, with generation 0. */
struct steer_stats {
	__u64 steered; /* connections given to an endpoint's socket */
	__u64 absent;  /* connections whose endpoint does not listen: they went on to the gateway */
};

MPBPF_ASSERT_SIZE(struct gateway, 16 + 12 * MPBPF_STEER_RULES);
MPBPF_ASSERT_SIZE(struct steer_key, 28);
MPBPF_ASSERT_SIZE(struct steer_cluster, 8 + 2 * MPBPF_STEER_SLOTS);
MPBPF_ASSERT_SIZE(struct steer_endpoint, 24);
MPBPF_ASSERT_SIZE(struct steer_stats, 16);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Floor 0: the contract of capturing: connections that processes of a cgroup make, or that come to this host, and that go elsewhere
 * than they were told.
 *
 * The first that holds: the longest network of `capture_nets` for the destination and its port, else for every port, says which
 * capture takes it; that capture's networks of destinations, else its rules by source, say which cluster. A connection goes straight
 * to an endpoint where that can be decided as it is made, else to the relay of mpbpfd, which is always right.
 */
#ifndef MPBPF_CAPTURE_H
#define MPBPF_CAPTURE_H

#include "mpbpf/abi.h"
#include "mpbpf/steer.h"

#define MPBPF_CAPTURES_MAX 64	     /* captures of one configuration */
#define MPBPF_CAPTURE_PORTS 64	     /* that one of them matches */
#define MPBPF_CAPTURE_CIDRS 256	     /* that one of them matches */
#define MPBPF_CAPTURE_NETS_MAX 65536 /* ports x networks of two generations */
#define MPBPF_CAPTURE_CLUSTERS 64    /* clusters that the kernel itself chooses endpoints of, of one configuration */
#define MPBPF_CAPTURE_ENDPOINTS 64   /* of such a cluster */
#define MPBPF_CAPTURE_RULES 128	     /* entries of `capture_stats` for each capture */
#define MPBPF_CAPTURE_PATH 256	     /* the longest path of a cgroup, its terminator included */
#define MPBPF_CAPTURE_NAME 68	     /* the longest name, its terminator included */
#define MPBPF_RELAYED_MAX 16384	     /* connections on their way to the relay */

/*
 * Key of `capture_nets` (LPM). cgroup: the hash of its path; 0: what comes to this host. port 0: every port. The value is the number of
 * a capture; 0: none, as if no network covered the destination; CAPTURE_NOT: none at all. prefixlen = CAPTURE_NET_PREFIX + prefix.
 */
struct capture_net_key {
	__u32 prefixlen;
	__u32 generation;
	__u32 cgroup[2]; /* low, high */
	__be16 port;
	__u16 pad;
	struct addr addr;
};

#define CAPTURE_NET_PREFIX 128
#define CAPTURE_NOT (~0U) /* a guard or a gateway listens there */

/* Value of `capture_cgroups`: what a program is told of the cgroup that it works for. */
struct capture_cgroup {
	__u64 hash;  /* of its path */
	__u32 depth; /* a cgroup within another has more */
	__u32 pad;
};

struct capture_key {
	__u32 generation;
	__u32 number; /* 1 + the listener's place in the configuration */
};

/*
 * Value of `captures`. In `steers` networks of sources have the capture's number, those of destinations that of
 * CAPTURE_DESTINATIONS(). Clusters are counted from 1, 0 is nowhere, and CAPTURE_RELAYED leaves it to the relay.
 */
struct capture {
	__u64 id; /* hash of the listener's name: what it counted outlives a reload */
	struct gateway rules;
	__u32 by_source; /* a rule needs the source's address */
	__u32 pad;
	/* For those who look at it. */
	char name[MPBPF_CAPTURE_NAME];
	char cgroup[MPBPF_CAPTURE_PATH];
	__u32 pad2;
};

#define CAPTURE_DESTINATIONS(number) ((number) + MPBPF_LISTENERS_MAX)
#define CAPTURE_RELAYED (MPBPF_CAPTURE_CLUSTERS + 1)

struct capture_endpoint {
	struct addr addr;
	__be16 port;
	__u16 pad;
	__u32 upto; /* weights of this one and all before it */
};

/* `capture_ends`: [(generation & 1) * MPBPF_CAPTURE_CLUSTERS + cluster - 1], the agent's to write. */
struct capture_cluster {
	struct bpf_spin_lock lock; /* no connection goes to half an address */
	__u32 generation;	   /* 0: the agent has not told it yet: the relay chooses */
	__u64 id;		   /* hash of the cluster's name */
	__u64 netns;		   /* cookie of mpbpfd's network namespace: what is loopback's is there */
	__u64 definition;  /* of all that says which endpoints there may be: the same at the next reload, they stay */
	__u16 relayed;	   /* whatever endpoints there are, the relay chooses */
	__u16 n_endpoints; /* healthy, with a weight; 0: connections are refused */
	__u32 total;	   /* of their weights */
	struct capture_endpoint endpoints[MPBPF_CAPTURE_ENDPOINTS];
};

enum captured_flags {
	CAPTURED_EXEMPT = 1 << 0, /* a socket of mpbpfd: never captured */
	CAPTURED_RELAYED = 1 << 1,
	CAPTURED_BOUND = 1 << 2, /* it had a source before it connected */
};

/* `captured`: what a socket remembers of its connection. */
struct captured {
	struct addr original, target; /* where it wanted to go, and goes */
	__be16 original_port, target_port;
	__u32 flags; /* enum captured_flags */
	__u32 depth; /* of the cgroup whose capture it was */
	__u32 pad;
};

/* `relays`: where mpbpfd takes connections of the capture of that id; by family, IPv4 first. */
struct capture_relay {
	__u64 cookies[2]; /* of the listening sockets: with their end nobody is taken for them; 0: none */
	__be16 ports[2];
	__u32 pad;
};

/* `relay_sockets`: the same sockets. */
struct relay_socket_key {
	__u64 id;     /* of the capture */
	__u32 family; /* 4 or 6 */
	__u32 pad;
};

/*
 * `own_places`: of mpbpfd's sockets: what comes from there, or goes there, is never captured as long as there is a relay. The value is
 * the cookie of the socket that connects from there; 0: none does.
 */
struct own_place {
	struct addr addr;
	__be16 port;
	__u16 pad;
};

#define MPBPF_OWN_PLACES_MAX 65536

/* `relayed`: connections to the relay by their own address and port, and the port of the relay. */
struct relayed_key {
	struct addr addr;
	__be16 port, relay;
};

struct relayed {
	__u64 cookie; /* of the client's socket */
	struct addr original;
	__be16 port;
	__u16 bound; /* 1: its source is the one that it was bound to */
	__u32 pad;
};

/* `capture_stats`. cluster: the id of the one that it led to; 0: none, or the relay found out. */
struct capture_stats_key {
	__u64 capture, cluster;
};

struct capture_stats {
	__u64 direct;	   /* sent straight to an endpoint, or given to its own socket */
	__u64 relayed;	   /* sent to the relay */
	__u64 no_route;	   /* refused: no rule leads anywhere */
	__u64 no_endpoint; /* refused: none is healthy */
	__u64 no_relay;	   /* refused: it takes the relay, and mpbpfd is not there, or in another network namespace */
};

MPBPF_ASSERT_SIZE(struct capture_net_key, 36);
MPBPF_ASSERT_SIZE(struct capture_cgroup, 16);
MPBPF_ASSERT_SIZE(struct capture, 8 + sizeof(struct gateway) + 8 + MPBPF_CAPTURE_NAME + MPBPF_CAPTURE_PATH + 4);
MPBPF_ASSERT_SIZE(struct capture_cluster, 40 + 24 * MPBPF_CAPTURE_ENDPOINTS);
MPBPF_ASSERT_SIZE(struct captured, 48);
MPBPF_ASSERT_SIZE(struct capture_relay, 24);
MPBPF_ASSERT_SIZE(struct relay_socket_key, 16);
MPBPF_ASSERT_SIZE(struct own_place, 20);
MPBPF_ASSERT_SIZE(struct relayed_key, 20);
MPBPF_ASSERT_SIZE(struct relayed, 32);
MPBPF_ASSERT_SIZE(struct capture_stats, 40);

#endif

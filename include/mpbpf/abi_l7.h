/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: what holds for requests: listeners, paths, limits, verdicts and revocations. Included by abi.h. */
#ifndef MPBPF_ABI_L7_H
#define MPBPF_ABI_L7_H

/* Key of `listeners`. address all zero: any address of both families; ::ffff:0.0.0.0: any IPv4 address. */
struct listener_key {
	__u32 generation;
	__be16 port;
	__u16 pad;
	struct addr addr;
};

enum listener_flags {
	LISTENER_REQUIRE_AUTH = 1 << 0,
	LISTENER_DRY_RUN = 1 << 1,  /* denials are counted as would-be, and the request passes */
	LISTENER_OVERFULL = 1 << 2, /* more proxies run than the licence allows */
	LISTENER_FAST = 1 << 3,	    /* a client of this node may go past TCP, if CIDR_FAST_PEERS has it */
	LISTENER_FAST_ALL = 1 << 4, /* every client of this node may */
	LISTENER_OPAQUE = 1 << 5,   /* no request is judged: it is guarded for its fast path alone */
	LISTENER_GONE =
		1 << 7, /* a gateway, which is not guarded; in a conn: so is this, or it is not there any more */
};

struct listener {
	__u16 index;	  /* position in the configuration */
	__u16 auth;	  /* which auth block: 0 the global one, else 1 + listener index */
	__u16 rules;	  /* which of the sets of path rules */
	__u8 flags;	  /* enum listener_flags */
	__u8 metrics;	  /* enum metrics_flags: what is measured of a connection that is sampled */
	__u64 rule_first; /* bit (c & 63) for each character c that follows the first '/' of a path with a rule; "/": all */
	__u64 limits;	  /* bits of the limits that hold for paths without a rule */
	__u16 name;	  /* its number in `names`; 0: none */
	__u16 headers; /* 1 + its place in `headers`; 0: nothing is added to responses */
	__u32 sample;  /* a connection is measured when a random number is not above it; 0: none is */
};

/*
 * Key of `paths` (LPM over the path's bytes). "/healthz" is entered twice: as "/healthz\0" (the whole path) and as
 * "/healthz/" (a `/` boundary). prefixlen = 64 + 8 * bytes.
 */
struct path_key {
	__u32 prefixlen;
	__u32 generation;
	__u16 rules;
	__u16 pad;
	char path[MPBPF_PATH_KEY];
};

enum path_flags {
	PATH_EXEMPT = 1 << 0,	      /* needs no token */
	PATH_UNLICENSED = 1 << 1,     /* needs a feature that the licence lacks */
	PATH_UNLICENSED_DRY = 1 << 2, /* the same, and is only counted as would-be */
};

/* What holds for a path and all below it: of the longest prefix, which has taken over what shorter ones say. */
struct path_rule {
	__u32 flags; /* enum path_flags */
	__u8 prefix; /* the number in `names` under which responses are measured; 0: none */
	__u8 pad[3];
	__u64 limits; /* bits */
};

enum limit_per { LIMIT_PER_LISTENER, LIMIT_PER_TOKEN, LIMIT_PER_SUBJECT, LIMIT_PER_SOURCE, LIMIT_PER_MAX };

/*
 * A request limit: limits[(generation & 1) * MPBPF_LIMITS_MAX + bit]. A token bucket, kept as the generic cell rate algorithm
 * keeps it (ITU-T I.371): one time for each bucket. Times are in BUCKET_TICKS a nanosecond.
 */
struct limit {
	__u64 id;	/* hash of its name: a bucket outlives a reload */
	__u64 interval; /* from one request to the next */
	__u64 burst;	/* how far ahead of that a request may come */
	__u32 generation;
	__u8 per; /* enum limit_per */
	__u8 dry; /* counted as would-be */
	__u8 pad[2];
};

#define BUCKET_TICKS 64

struct bucket_key {
	__u64 limit;  /* limit.id */
	__u64 who[2]; /* listener, hash of the token, subject or source */
};

struct bucket {
	__u64 next; /* when the next request is due, by the rate alone; CLOCK_BOOTTIME */
};

enum request_reason {
	REQUEST_ALLOWED,     /* verdict from the cache, in the kernel */
	REQUEST_EXEMPT,	     /* exempt path */
	REQUEST_OPEN,	     /* the listener requires no token */
	REQUEST_VALIDATED,   /* allowed by the helper, which validated the token */
	REQUEST_BAD,	     /* 400 */
	REQUEST_NO_TOKEN,    /* 401 */
	REQUEST_BAD_TOKEN,   /* 403 */
	REQUEST_EXPIRED,     /* 403, expired or not yet valid */
	REQUEST_FEATURE,     /* 402 */
	REQUEST_PROXY_COUNT, /* 429 */
	REQUEST_RATE,	     /* 429 */
	REQUEST_HELPER_DOWN, /* 503 */
	REQUEST_TOO_LARGE,   /* 431 */
	REQUEST_TIMEOUT,     /* 408, or within a body: closed */
	REQUEST_BUSY,	     /* 503: too much waits for the helper */
	REQUEST_ASK_RATE,    /* 429: the source asks the helper too often */
	REQUEST_REASON_MAX
};

/* Key of `verdicts`: SipHash-2-4-128 of the token under control.hash_key, and the auth block that judged it. */
struct verdict_key {
	__u64 hash[2];
	__u32 auth;
	__u32 pad;
};

struct verdict {
	__u32 generation; /* another generation than the one in force: as if unknown */
	__u32 reason;	  /* REQUEST_ALLOWED or the REQUEST_* to deny with */
	__s64 not_before; /* CLOCK_REALTIME seconds, leeway already taken off; S64_MIN: always */
	/*
	 * CLOCK_REALTIME seconds; S64_MAX: never. Allowed: leeway already added, valid while now < expires. A denial holds so
	 * long, that of a revoked token as long as the revocation, and is as if unknown then.
	 */
	__s64 expires;
	__u64 subject; /* keyed hash of `sub`; 0: none */
	__u64 jti;     /* keyed hash of `jti`, or of a static token as it stands in the configuration; 0: none */
};

/* What a revocation names: always by the keyed hash that a verdict has of it. */
enum revocation_kind {
	REVOKED_TOKEN, /* verdict_key.hash[0], 1 for 0; or verdict.jti of a static token, however it was presented */
	REVOKED_SUBJECT,
	REVOKED_JTI,
	REVOKED_MAX
};

struct revocation_key {
	__u32 kind; /* enum revocation_kind */
	__u32 pad;
	__u64 hash;
};

struct revocation {
	__s64 expires; /* CLOCK_REALTIME seconds: holds while now < expires; S64_MAX: for good */
	__s64 at;      /* when it was made, CLOCK_REALTIME seconds */
	__u32 to_end;  /* 1: what it revokes is worth nothing after it, so it need not be made longer */
	__u32 pad;
};

/* request_stats[0], per CPU. */
struct request_stats {
	__u64 reasons[REQUEST_REASON_MAX];
	__u64 asked; /* requests, or rests of them, that went to the helper */
	__u64 asked_bytes;
	__u64 hits; /* lookups in `verdicts` that decided */
	__u64 misses;
	__u64 guarded;	    /* connections put under guard since load */
	__u64 refused;	    /* connections cut off because they could not be put under guard */
	__u64 held;	    /* packets dropped before TCP because the helper held enough bytes of the connection */
	__u64 conns_closed; /* guarded connections that ended */
	__u64 broken;	    /* connections given up: bytes could not be kept (ring full, agent gone) */
	__u64 would[REQUEST_REASON_MAX]; /* denials that a dry run let pass; each request is among `reasons` as well */
	__u64 measured;			 /* connections that were sampled */
	__u64 unmeasured;		 /* what `metrics` had no room for */
	__u64 unadded;			 /* responses without the headers that they should have */
	__u64 fast;			 /* connections whose client is on this node and may go past TCP */
	__u64 fast_requests;		 /* requests that were judged where they were sent, and passed */
	__u64 fast_denied;		 /* the same, and were answered there */
	__u64 fast_messages;		 /* what went past TCP, one for each call of send() or so */
	__u64 fast_full;		 /* messages that went by TCP, for the reader had too much to read already */
};

MPBPF_ASSERT_SIZE(struct listener_key, 24);
MPBPF_ASSERT_SIZE(struct listener, 32);
MPBPF_ASSERT_SIZE(struct path_key, 12 + MPBPF_PATH_KEY);
MPBPF_ASSERT_SIZE(struct path_rule, 16);
MPBPF_ASSERT_SIZE(struct limit, 32);
MPBPF_ASSERT_SIZE(struct bucket_key, 24);
MPBPF_ASSERT_SIZE(struct bucket, 8);
MPBPF_ASSERT_SIZE(struct verdict_key, 24);
MPBPF_ASSERT_SIZE(struct verdict, 40);
MPBPF_ASSERT_SIZE(struct revocation_key, 16);
MPBPF_ASSERT_SIZE(struct revocation, 24);
MPBPF_ASSERT_SIZE(struct request_stats, 392);

#endif

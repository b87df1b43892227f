/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: request limits. A request counts when it is about to pass, against every limit that holds for it, or against none.
 *
 * A bucket is one time, `next`, when the next request would be due if the client kept to the rate; a request may come `burst`
 * ahead of that (the virtual scheduling form of the generic cell rate algorithm). Nothing has to fill buckets up, and one
 * word can be swapped: it is exact however many CPUs see one token.
 */
#ifndef MPBPF_BPF_BUCKET_H
#define MPBPF_BPF_BUCKET_H

#include "conn.h"

#define NSEC_PER_SEC 1000000000ULL
#define BUCKET_SWAPS_MAX 16 /* swaps lost to other CPUs before a request is counted unseen */
#define RETRY_MAX 99999	    /* seconds: five digits of Retry-After */

/* What a request counts against, and what became of that. No pointers, so that global functions can take it. */
struct bucket_run {
	__u64 limits;	/* bits */
	__u64 token[2]; /* hash; 0: none */
	__u64 subject;	/* 0: none */
	struct addr source;
	__u64 now;   /* CLOCK_BOOTTIME, in ticks */
	__u64 taken; /* bits of those it was counted against */
	__u32 listener;
	__u32 generation;
	__u32 retry_s; /* over a limit: when there is room again */
	__u32 would;   /* over a limit that is a dry run */
};

/* An IPv6 /64, or an IPv4 address, as one word; cf. struct source_key. */
static __always_inline __u64 bucket_source(const struct addr *addr)
{
	if (!addr->w[0] && !addr->w[1] && addr->w[2] == bpf_htonl(0xffff))
		return addr->w[3];
	return (__u64)addr->w[0] << 32 | addr->w[1];
}

/* A limit by token holds without one too: by what else tells one client from another. */
static __always_inline void bucket_key_of(const struct bucket_run *run, const struct limit *limit,
					  struct bucket_key *key)
{
	__u32 per = limit->per;

	key->limit = limit->id;
	key->who[0] = 0;
	key->who[1] = 0;
	if (per == LIMIT_PER_SUBJECT && run->subject) {
		key->who[0] = run->subject;
		key->who[1] = 1;
	} else if (per == LIMIT_PER_LISTENER) {
		key->who[0] = run->listener;
	} else if (per == LIMIT_PER_SOURCE || !(run->token[0] | run->token[1])) {
		key->who[0] = bucket_source(&run->source);
		key->who[1] = 2;
	} else {
		key->who[0] = run->token[0];
		key->who[1] = run->token[1];
	}
}

static __always_inline const struct limit *bucket_limit(const struct bucket_run *run, __u32 i)
{
	__u32 at = (run->generation & 1) * MPBPF_LIMITS_MAX + (i & (MPBPF_LIMITS_MAX - 1));
	struct limit *limit = bpf_map_lookup_elem(&limits, &at);

	/* A slot of the generation to come: the reload that brought it is not over, and this request is of the old one. */
	return limit && limit->generation == run->generation ? limit : NULL;
}

/* Returns 0, or how long to wait, in ticks. */
static __always_inline __u64 bucket_take(struct bucket *bucket, const struct limit *limit, __u64 now)
{
	__u64 old, next;
	__u32 i;

	for (i = 0; i < BUCKET_SWAPS_MAX; i++) {
		old = READ_ONCE(bucket->next);
		next = old > now ? old : now;
		if (next - now > limit->burst)
			return next - now - limit->burst;
		if (__sync_val_compare_and_swap(&bucket->next, old, next + limit->interval) == old)
			return 0;
	}
	__sync_fetch_and_add(&bucket->next, limit->interval);
	return 0;
}

/* How long to wait, in seconds, for Retry-After. */
static __always_inline __u32 bucket_seconds(__u64 ticks)
{
	__u64 wait = (ticks + BUCKET_TICKS * NSEC_PER_SEC - 1) / (BUCKET_TICKS * NSEC_PER_SEC);

	return wait > RETRY_MAX ? RETRY_MAX : wait;
}

static __always_inline struct bucket *bucket_get(const struct bucket_key *key)
{
	struct bucket *bucket, fresh = {};

	bucket = bpf_map_lookup_elem(&buckets, key);
	if (bucket)
		return bucket;
	bpf_map_update_elem(&buckets, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&buckets, key);
}

static long bucket_step(__u32 i, struct bucket_run *run)
{
	struct bucket_key key;
	const struct limit *limit;
	struct bucket *bucket;
	__u64 wait = BUCKET_TICKS;

	if (!(run->limits >> (i & 63)))
		return 1;
	if (!(run->limits >> (i & 63) & 1))
		return 0;
	limit = bucket_limit(run, i);
	if (!limit)
		return 0;
	bucket_key_of(run, limit, &key);
	bucket = bucket_get(&key);
	if (bucket)
		wait = bucket_take(bucket, limit, run->now);
	if (!wait) {
		run->taken |= 1ULL << (i & 63);
		return 0;
	}
	if (limit->dry) {
		run->would = 1;
		return 0;
	}
	run->retry_s = bucket_seconds(wait);
	return 1;
}

static long bucket_back(__u32 i, struct bucket_run *run)
{
	struct bucket_key key;
	const struct limit *limit;
	struct bucket *bucket;

	if (!(run->taken >> (i & 63)))
		return 1;
	limit = run->taken >> (i & 63) & 1 ? bucket_limit(run, i) : NULL;
	if (!limit)
		return 0;
	bucket_key_of(run, limit, &key);
	bucket = bpf_map_lookup_elem(&buckets, &key);
	if (bucket)
		__sync_fetch_and_add(&bucket->next, -limit->interval);
	return 0;
}

/* Takes back what buckets_count() took: the request does not pass after all. */
__weak __noinline int buckets_return(const struct bucket_run *of)
{
	struct bucket_run run;

	if (!of)
		return -1;
	run = *of; /* bpf_loop() takes what is on its caller's stack */
	bpf_loop(MPBPF_LIMITS_MAX, bucket_back, &run, 0);
	return 0;
}

/* Counts one request against its limits in turn, up to the one that has no room: run->retry_s says for how long. */
__weak __noinline int buckets_count(struct bucket_run *of)
{
	struct bucket_run run;

	if (!of)
		return -1;
	run = *of;
	run.taken = 0;
	run.retry_s = 0;
	run.would = 0;
	bpf_loop(MPBPF_LIMITS_MAX, bucket_step, &run, 0);
	*of = run;
	return 0;
}

/*
 * Counts one request. 1: it is over a limit, and nothing was counted. What a first limit took and a second refused takes two
 * rounds of the loop, and Linux 6.1 verifies one: in the function that has the loop it would strike the way back out.
 * Behind a global function it knows nothing of these values.
 */
static __always_inline bool buckets_take(struct bucket_run *run)
{
	buckets_count(run);
	if (!run->retry_s)
		return false;
	if (run->taken)
		buckets_return(run);
	return true;
}

#endif
